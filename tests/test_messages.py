"""The first line of an error is ours, wherever it is raised."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder, BertPreprocess, MaskedLM
from keras_bert_zh.heads.masked_lm_head import MaskedLMHead
from keras_bert_zh.messages import listing
from tests.conformance.cases import CONFIG, INPUTS

FLOATS = {name: value.astype("float32") for name, value in INPUTS.items()}


@pytest.fixture(scope="module")
def encoder():
    return BertEncoder(None, config=CONFIG)


def in_xla(encoder):
    encoder = BertEncoder(None, config=CONFIG, padding_free=True)
    tf.function(encoder, jit_compile=True, autograph=False)(INPUTS)


CALLS = {
    "floats": (lambda e: e(FLOATS), "input_ids must be integers"),
    "symbolic floats": (
        lambda e: e({"input_ids": keras.Input((7,))}),
        "input_ids must be integers",
    ),
    "no dict": (lambda e: e(np.ones((2, 3))), "The encoder takes a dict of input_ids"),
    "range": (lambda e: e({"input_ids": INPUTS["input_ids"] - 99}), "input_ids must be in [0, "),
    "output": (lambda e: e(INPUTS, output_key="pooled"), "output_key must be 'pooled_output'"),
    "all layers": (lambda e: e(INPUTS, all_layers=True), "all_layers=True adds encoder_outputs"),
    "in a model": (lambda e: keras.Sequential([e])(FLOATS), "input_ids must be integers"),
    "masked LM": (lambda e: MaskedLM(e)(FLOATS), "input_ids must be integers"),
    "head": (
        lambda e: MaskedLMHead(vocab_size=5, hidden_size=4)(np.ones((1, 2, 3)), None, np.ones(5)),
        "sequence must have shape [?, ?, 4], got [1, 2, 3]",
    ),
    "text": (lambda e: BertPreprocess(None)([1, 2]), "texts: expected str"),
    "symbolic text": (
        lambda e: BertPreprocess(None)(keras.Input((3, 4), dtype="string")),
        "texts: exp",
    ),
    "XLA": (in_xla, "BertEncoder(padding_free=True) can't be compiled by XLA"),
}


@pytest.mark.parametrize("kind", CALLS)
def test_the_message_is_all_that_is_said(encoder, kind):
    call, begin = CALLS[kind]
    with pytest.raises((TypeError, ValueError)) as caught:
        call(encoder)
    assert str(caught.value).startswith(begin)
    assert "Arguments received" not in str(caught.value)


def test_listing():
    assert listing("abc", 3) == "a, b, c"
    assert listing(range(5), 2) == "0, 1 and 3 more"
