import numpy as np
import pytest

from keras_bert_zh import BertPreprocess, PackedText
from tests.data.packed_text.common import CHARACTERS, LENGTH, VOCABULARY


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(vocabulary=VOCABULARY)


@pytest.fixture(scope="module")
def lines():
    """Lines of 0 to 39 characters, some of them blank: 1,000 rows and more."""
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(CHARACTERS, rng.integers(0, 40))) for _ in range(600)]


@pytest.fixture(scope="module")
def text(lines, tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def packed(text, preprocess, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "rows"
    return PackedText.write([text], folder, preprocess, sequence_length=LENGTH)


@pytest.fixture
def write(tmp_path, preprocess):
    """Writes texts to files of their own, and packs them."""

    def write(*texts, name="{}.txt", **arguments):
        files = [tmp_path / name.format(index) for index in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
        arguments = {"sequence_length": 4} | arguments
        return PackedText.write(files, tmp_path / "packed", preprocess, **arguments)

    return write
