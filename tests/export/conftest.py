"""Fixtures that the tests of several formats share."""

import pytest

from keras_bert_zh import BertEncoder, BertPreprocess
from tests.encoder.common import SMALL_BLOCK, randomized


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


@pytest.fixture
def encoder():
    return randomized(BertEncoder(None, config=SMALL_BLOCK))


@pytest.fixture(scope="module")
def preprocess():
    """A vocabulary for that encoder."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    characters = [chr(0x4E00 + index) for index in range(SMALL_BLOCK.vocab_size - len(special))]
    return BertPreprocess(vocabulary=special + characters)
