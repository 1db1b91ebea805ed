import dataclasses
import pathlib
import resource
import signal
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest

from keras_bert_zh import (
    BertEncoder,
    BertPreprocess,
    Checkpoint,
    MaskedLM,
    load_checkpoint,
    save_checkpoint,
)
from keras_bert_zh.checkpoints.tensors import Tensor, Weights
from keras_bert_zh.export.checkpoint import FORMATS, WRITERS
from tests.checkpoints.writers.variants import assert_same, variant
from tests.encoder.common import SMALL, difference, randomized, small_inputs
from tests.folders import contents
from tests.process import ROOT

QUERY = "blocks.0.attention.query.kernel"
BOTH = ("huggingface", "original")
FIXTURES = ("tiny_tf1_hub", "tiny_tf2_hub", "tiny_original", "tiny_huggingface")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


@pytest.fixture
def encoder():
    return randomized(BertEncoder(None, config=SMALL))


@pytest.fixture(scope="module")
def preprocess():
    """A vocabulary for that encoder."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    characters = [chr(0x4E00 + index) for index in range(SMALL.vocab_size - len(special))]
    return BertPreprocess(vocabulary=special + characters)


def of(preprocess, weights):
    """The checkpoint that is read back."""
    return Checkpoint(SMALL, tuple(preprocess.vocabulary), True, weights)


def weights(model):
    return {name: np.asarray(v) for name, v in model.named_variables().items()}


@pytest.mark.parametrize("format", BOTH)
def test_an_encoder_is_read_back(encoder, preprocess, folder, format):
    save_checkpoint(encoder, folder, format, preprocess=preprocess)
    assert_same(load_checkpoint(folder), of(preprocess, weights(encoder)))
    again = BertEncoder(folder)(small_inputs(), as_dict=True)
    for key, output in encoder(small_inputs(), as_dict=True).items():
        np.testing.assert_array_equal(again[key], output)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("next_sentence", [False, True])
def test_a_masked_lm_is_read_back_with_its_heads(
    encoder, preprocess, folder, format, next_sentence
):
    model = randomized(MaskedLM(encoder, next_sentence=next_sentence), seed=1)
    save_checkpoint(model, folder, format, preprocess=preprocess)
    checkpoint = load_checkpoint(folder)
    assert ("next_sentence" in checkpoint.missing) != next_sentence
    assert_same(checkpoint, of(preprocess, weights(model)))
    again = MaskedLM(BertEncoder(folder), folder, next_sentence=next_sentence)
    outputs, read = (keras.tree.flatten(m(small_inputs())) for m in (model, again))
    for output, other in zip(outputs, read, strict=True):
        np.testing.assert_array_equal(output, other)


@pytest.mark.parametrize("format", BOTH)
@pytest.mark.parametrize("name", FIXTURES)
def test_every_format_is_converted(data, folder, name, format):
    checkpoint = load_checkpoint(data / name)
    save_checkpoint(checkpoint, folder, format, preprocess=BertPreprocess(checkpoint))
    assert_same(load_checkpoint(folder), variant(checkpoint, lowercase=True))


@pytest.mark.parametrize("format", BOTH)
def test_the_vocabulary_comes_with_the_preprocessing(tiny, folder, format):
    tokens = tuple(reversed(tiny.vocabulary))
    preprocess = BertPreprocess(vocabulary=tokens, lowercase=False)
    for number, source in enumerate((tiny, BertEncoder(tiny))):
        save_checkpoint(source, folder / str(number), format, preprocess=preprocess)
        checkpoint = load_checkpoint(folder / str(number))
        assert (checkpoint.vocabulary, checkpoint.lowercase) == (tokens, False)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", [BertEncoder, MaskedLM, Checkpoint])
def test_a_model_without_its_vocabulary_is_told_of(encoder, folder, monkeypatch, format, kind):
    model = MaskedLM(encoder) if kind is MaskedLM else encoder
    if kind is Checkpoint:
        model = Checkpoint(SMALL, None, None, weights(encoder))
    if format == "hub":  # Slow, and the warning is not its own.
        monkeypatch.setitem(WRITERS, "hub", lambda checkpoint, folder: None)
    message = rf"model was written without a vocabulary, because the {kind.__name__} has none: .*"
    with pytest.warns(UserWarning, match=message + r"Pass preprocess=, the BertPre") as caught:
        save_checkpoint(model, folder, format)
    files = [warning.filename for warning in caught if warning.category is UserWarning]
    assert files == [__file__]


def test_a_vocabulary_that_is_written_is_not_told_of(tiny, encoder, preprocess, folder):
    with warnings.catch_warnings(action="error", category=UserWarning):
        save_checkpoint(tiny, folder / "checkpoint")
        save_checkpoint(encoder, folder / "model", preprocess=preprocess)


@pytest.mark.parametrize("format", BOTH)
def test_blank_lines_at_the_end_of_a_vocabulary_have_no_row(tiny, folder, format):
    preprocess = BertPreprocess(vocabulary=[*tiny.vocabulary, "", ""])
    save_checkpoint(tiny, folder, format, preprocess=preprocess)
    assert load_checkpoint(folder).vocabulary == tiny.vocabulary


@pytest.mark.parametrize("format", BOTH)
def test_each_weight_is_read_once_and_alone(tiny, folder, format):
    """So that the model is never in memory twice, and a progress bar counts right."""
    names = []
    watched = dataclasses.replace(tiny, weights=tiny.weights.watched(names.append))
    save_checkpoint(watched, folder, format)
    assert names == list(tiny.weights)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_lora_is_merged(folder, preprocess, policy):
    encoder = randomized(BertEncoder(None, config=SMALL, dtype=policy))
    before = weights(encoder)
    kernel, table = encoder.blocks[0].attention.query, encoder.embeddings.word
    kernel.enable_lora(2, lora_alpha=3)
    table.enable_lora(2)
    rng = np.random.default_rng(1)
    for matrix in (kernel.lora_kernel_b, table.lora_embeddings_b):
        matrix.assign(rng.normal(0, 1, matrix.shape))
    merged = load_checkpoint(save_checkpoint(encoder, folder, preprocess=preprocess)).weights
    # In float32, whatever the encoder computes with.
    expected = before | {
        QUERY: before[QUERY] + 1.5 * kernel.lora_kernel_a.numpy() @ kernel.lora_kernel_b.numpy(),
        "embeddings.word.embeddings": before["embeddings.word.embeddings"]
        + table.lora_embeddings_a.numpy() @ table.lora_embeddings_b.numpy(),
    }
    for name, weight in expected.items():
        assert difference(merged[name], weight) < 1e-5, name
    assert difference(merged[QUERY], before[QUERY]) > 0.1
    if policy == "float32":
        outputs = BertEncoder(folder)(small_inputs(), as_dict=True)
        for key, output in encoder(small_inputs(), as_dict=True).items():
            assert difference(outputs[key], output) < 1e-4


def test_lora_of_a_head_is_merged(encoder, preprocess, folder):
    model = randomized(MaskedLM(encoder), seed=1)
    before = weights(model)
    dense = model.masked_lm.dense
    dense.enable_lora(2)
    dense.lora_kernel_b.assign(np.ones(dense.lora_kernel_b.shape))
    merged = load_checkpoint(save_checkpoint(model, folder, preprocess=preprocess)).weights
    change = dense.lora_kernel_a.numpy() @ dense.lora_kernel_b.numpy()
    for name, weight in before.items():
        expected = weight + change if name == "masked_lm.dense.kernel" else weight
        assert difference(merged[name], expected) < 1e-5, name
    assert np.abs(change).max() > 0.1


@pytest.mark.parametrize("format", BOTH)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_reduced_precision_is_written_as_float32(folder, preprocess, dtype, format):
    encoder = randomized(BertEncoder(None, config=SMALL, dtype=dtype))
    assert encoder.blocks[0].attention.query.kernel.dtype == dtype
    save_checkpoint(encoder, folder, format, preprocess=preprocess)
    checkpoint = load_checkpoint(folder)
    for name, weight in weights(encoder).items():
        assert checkpoint.weights[name].dtype == "float32"
        np.testing.assert_array_equal(checkpoint.weights[name], weight.astype("float32"))


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_quantised_weights_are_refused(encoder, folder):
    inputs = keras.Input((7,), dtype="int32")
    keras.Model(inputs, encoder({"input_ids": inputs})).quantize("int8")
    with pytest.raises(ValueError, match=r"16 weights of the BertEncoder are quantised \(em"):
        save_checkpoint(encoder, folder)
    assert not folder.exists()


def test_a_quantised_head_is_refused(encoder, folder):
    model = MaskedLM(encoder)
    model.masked_lm.dense.quantize("int8")
    message = (
        r"1 weights of the MaskedLM are quantised \(masked_lm\.dense\.kernel is int8\), and no"
    )
    with pytest.raises(ValueError, match=message):
        save_checkpoint(model, folder)
    assert not folder.exists()


@pytest.mark.parametrize("format", BOTH)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_that_float32_does_not_have(tiny, folder, format, value):
    checkpoint = variant(tiny, weights={QUERY: np.full((32, 32), value)})
    with pytest.raises(ValueError, match=f"{QUERY} holds numbers that are not finite: nothing w"):
        save_checkpoint(checkpoint, folder, format)
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({QUERY: np.zeros((32, 31), "float32")}, f"misshapen: {QUERY} is [32, 31], expected [32"),
        ({QUERY: np.zeros((32, 32), "int8")}, f"not of floats: {QUERY} is int8"),
        ({"next_sentence.bias": np.zeros(2)}, "missing: next_sentence.kernel"),
        ({"odd": np.zeros(2)}, "unexpected: odd"),
    ],
)
def test_weights_that_do_not_fit(tiny, folder, format, change, line):
    with pytest.raises(ValueError, match=r"configuration asks for\. 1 found:\n  ") as caught:
        save_checkpoint(variant(tiny, weights=change), folder, format)
    assert line in str(caught.value)
    assert not folder.exists()


def test_arguments_that_are_something_else(tiny, encoder, folder):
    with pytest.raises(ValueError, match=r"format must be 'huggingface' or 'original'.*, got 'h5'"):
        save_checkpoint(tiny, folder, "h5")
    for source in ("path", keras.Sequential([encoder])):
        with pytest.raises(TypeError, match=r"source must be a BertEncoder or MaskedLM \(of a w"):
            save_checkpoint(source, folder)
    with pytest.raises(TypeError, match=r"preprocess must be a BertPreprocess, got \['a'\]"):
        save_checkpoint(tiny, folder, preprocess=["a"])
    with pytest.raises(ValueError, match="has 21128 tokens and the embeddings have 718 rows"):
        save_checkpoint(tiny, folder, preprocess=BertPreprocess(None))
    with pytest.raises(ValueError, match="hf://me/model can't be written to: name a folder on thi"):
        save_checkpoint(tiny, "hf://me/model")
    assert list(folder.parent.iterdir()) == []


def test_paths(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert save_checkpoint(tiny, "a/b") == pathlib.Path("a/b")
    assert save_checkpoint(tiny, "~/c") == tmp_path / "home" / "c"
    assert contents("a/b") == contents("home/c")


@pytest.mark.parametrize("format", BOTH)
def test_over_the_files_that_are_read(tiny, folder, format):
    save_checkpoint(variant(tiny, lowercase=False), folder, format)
    before = contents(folder)
    with pytest.raises(FileExistsError, match=r"Pass overwrite=True \(--overwrite\) to repl"):
        save_checkpoint(load_checkpoint(folder), folder, format)
    preprocess = BertPreprocess(tiny)
    save_checkpoint(load_checkpoint(folder), folder, format, preprocess=preprocess, overwrite=True)
    assert contents(folder) != before
    assert_same(load_checkpoint(folder), tiny)


@pytest.mark.parametrize("format", FORMATS)
def test_permissions_are_those_of_any_new_file(tiny, folder, format):
    folder.with_name("file").touch()
    save_checkpoint(tiny, folder, format)
    modes = {path.stat().st_mode for path in folder.rglob("*") if path.is_file()}
    assert modes == {folder.with_name("file").stat().st_mode}


def test_any_format_replaces_any_other(tiny, folder):
    for format in (*FORMATS, *reversed(FORMATS)):
        save_checkpoint(tiny, folder, format, overwrite=True)
        assert_same(load_checkpoint(folder), tiny)
    assert list(folder.parent.iterdir()) == [folder]


# Saves to a folder; the process is killed while a weight is read, or while one is written.
CODE = """
import dataclasses, os, resource, signal, sys
from keras_bert_zh import load_checkpoint, save_checkpoint

source, folder, format, fatal = sys.argv[1:]
checkpoint = load_checkpoint(source)
if fatal == "read":
    def die(name):
        if name == "pooler.dense.kernel":
            os.kill(os.getpid(), signal.SIGKILL)
    checkpoint = dataclasses.replace(checkpoint, weights=checkpoint.weights.watched(die))
elif fatal == "write":
    # The kernel kills whoever writes more than this into a file.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
save_checkpoint(checkpoint, folder, format, overwrite=True)
"""

KILLED_BY = {"read": signal.SIGKILL, "write": signal.SIGXFSZ}


@pytest.mark.parametrize("format", BOTH)
@pytest.mark.parametrize("fatal", KILLED_BY)
def test_a_killed_process_leaves_the_old_checkpoint(tiny, tiny_module, folder, format, fatal):
    save_checkpoint(variant(tiny, lowercase=False), folder, format)
    before = contents(folder)
    process = subprocess.run(
        [sys.executable, "-c", CODE, tiny_module, folder, format, fatal],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=300,
    )
    assert process.returncode == -KILLED_BY[fatal], process.stderr.decode()
    assert contents(folder) == before
    (debris,) = folder.parent.glob(".*")
    small = {"config.json", "tokenizer_config.json", "bert_config.json", "vocab.txt", "checkpoint"}
    assert any(path.name not in small for path in debris.iterdir()) == (fatal == "write")
    save_checkpoint(tiny, folder, format, overwrite=True)
    assert_same(load_checkpoint(folder), tiny)
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("format", BOTH)
def test_a_full_disk_leaves_the_old_checkpoint(tiny, folder, format):
    save_checkpoint(variant(tiny, lowercase=False), folder, format)
    before = contents(folder)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"/(model|bert_model)\.\w+ can't be written: "):
            save_checkpoint(tiny, folder, format, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(folder) == before
    assert list(folder.parent.iterdir()) == [folder]


def test_a_weight_that_can_not_be_read(tiny, folder):
    def fail():
        raise ValueError("bert.data-*: damaged")

    lazy = {name: Tensor(w.shape, "float32", lambda w=w: w) for name, w in tiny.weights.items()}
    lazy[QUERY] = lazy[QUERY]._replace(read=fail)
    with pytest.raises(ValueError, match=r"^bert.data-\*: damaged$"):
        save_checkpoint(dataclasses.replace(tiny, weights=Weights(lazy)), folder)
    assert list(folder.parent.iterdir()) == []
