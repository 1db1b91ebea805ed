"""What BertPreprocess puts beside the inputs changes nothing that a model computes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import (
    BertEncoder,
    BertPreprocess,
    MaskedLM,
    MaskTokens,
    SentenceEncoder,
    SpanReader,
    TextClassifier,
    TokenTagger,
    batch_by_length,
)
from tests.export.models import exported

TEXTS = ["a b", "c", ""]


@pytest.fixture(scope="module")
def encoder(tiny_block):
    return BertEncoder(tiny_block)


@pytest.fixture(scope="module")
def preprocess(tiny_block):
    return BertPreprocess(tiny_block, max_length=8, offsets=True)


@pytest.fixture(scope="module")
def inputs(preprocess):
    found = preprocess(TEXTS)
    assert set(found) == {"input_ids", "input_mask", "segment_ids", "starts", "ends"}
    return found


@pytest.fixture(scope="module")
def plain(inputs):
    return {name: value for name, value in inputs.items() if name not in ("starts", "ends")}


def assert_equal(found, expected):
    for one, other in zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "make",
    [
        lambda encoder: encoder,
        lambda encoder: MaskedLM(encoder, next_sentence=True),
        lambda encoder: SentenceEncoder(encoder, "mean"),
        SpanReader,
        lambda encoder: TextClassifier(encoder, ["a", "b"]),
        lambda encoder: TokenTagger(encoder, ["a", "b"]),
    ],
    ids=["encoder", "masked_lm", "sentence", "span", "classifier", "tagger"],
)
def test_heads(encoder, inputs, plain, make):
    model = make(encoder)
    assert_equal(model(inputs), model(plain))
    symbolic = {name: keras.Input((8,), dtype="int32", name=name) for name in inputs}
    expected = model.compute_output_spec({name: symbolic[name] for name in plain})
    found = model.compute_output_spec(symbolic)
    assert [x.shape for x in keras.tree.flatten(found)] == [
        x.shape for x in keras.tree.flatten(expected)
    ]


def test_sequential_and_exported(encoder, preprocess, inputs, plain, tmp_path):
    model = keras.Sequential([preprocess, encoder])
    expected = encoder(plain)
    np.testing.assert_allclose(model.predict(tf.constant(TEXTS), verbose=0), expected, atol=1e-6)
    np.testing.assert_allclose(exported(model, tmp_path / "m")(TEXTS), expected, atol=1e-6)
    np.testing.assert_allclose(exported(encoder, tmp_path / "m")(inputs), expected, atol=1e-6)


def test_batches_and_masks(preprocess, inputs, plain):
    dataset = tf.data.Dataset.from_tensor_slices(TEXTS)
    (batch,) = batch_by_length(dataset, preprocess, 3, lengths=[5, 8])
    assert {name: value.shape for name, value in batch.items()} == dict.fromkeys(inputs, (3, 5))
    assert_equal(batch["ends"], inputs["ends"][:, :5])
    mask = MaskTokens(preprocess, rate=0.5)
    assert_equal(mask(inputs, 1), mask(plain, 1))
