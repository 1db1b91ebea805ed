import numpy as np
import pytest

from keras_bert_zh import BertPreprocess
from tests.data.masking.common import CLS, FIRST, LENGTH, PAD, ROWS, SEP, UNK, VOCABULARY


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(vocabulary=VOCABULARY, max_length=LENGTH)


@pytest.fixture(scope="module")
def batch():
    """Rows of 0 to 62 tokens, each twentieth of them [UNK], padded."""
    rng = np.random.default_rng(0)
    ids = rng.integers(FIRST, len(VOCABULARY), (ROWS, LENGTH))
    ids[rng.random(ids.shape) < 0.05] = UNK
    ends = 1 + np.arange(ROWS)[:, None] % (LENGTH - 1)
    place = np.arange(LENGTH)
    ids = np.where(place < ends, ids, np.where(place == ends, SEP, PAD))
    ids[:, 0] = CLS
    mask = np.int32(place <= ends)
    return {"input_ids": np.int32(ids), "input_mask": mask, "segment_ids": np.zeros_like(mask)}


@pytest.fixture(scope="module")
def word_starts(batch):
    """Words of 1 to 6 tokens, mostly of two."""
    rng = np.random.default_rng(1)
    starts = np.zeros((ROWS, LENGTH), np.int32)
    for row in starts:
        row[np.cumsum(rng.choice([1, 2, 3, 6], LENGTH, p=[0.3, 0.5, 0.15, 0.05])) % LENGTH] = 1
    starts[:, :2] = 1
    starts[batch["input_ids"] == SEP] = 1
    return starts
