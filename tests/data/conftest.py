"""Texts of many lengths, and a preprocess of few tokens for them."""

import numpy as np
import pytest

from keras_bert_zh import BertPreprocess
from tests.data.few_tokens import CHARACTERS, VOCABULARY


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(vocabulary=VOCABULARY, max_length=64)


@pytest.fixture(scope="module")
def texts():
    """Texts of 0 to 90 characters, most of them short, each its own."""
    rng = np.random.default_rng(0)
    lengths = np.minimum(rng.lognormal(2.5, 1, 300).astype(int), 90)
    return ["".join(rng.choice(CHARACTERS, length)) for length in lengths]
