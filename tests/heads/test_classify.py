"""What a TextClassifier says by the names of its labels."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import TextClassifier
from keras_bert_zh.layers import kernels
from tests.conformance.cases import INPUTS
from tests.encoder.common import difference
from tests.heads.text_models import fresh, text_model

TEXTS = ["a b c", "d", ""]


def sharp(model):
    """The model with weights that make it sure, and not the same of all texts."""
    kernel, bias = model.classifier.weights
    kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))
    bias.assign(np.linspace(-1, 1, bias.shape[0]))
    return model


def test_one_label(tiny_block):
    model = sharp(text_model(tiny_block))
    found = model.classify(TEXTS)
    logits = np.asarray(model(TEXTS))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert difference(found["logits"], logits) == 0
    assert difference(found["probabilities"], expected) < 1e-6
    best = logits.argmax(axis=1)
    assert found["label"].numpy().tolist() == [model.labels[index].encode() for index in best]
    assert difference(found["score"], expected.max(axis=1)) < 1e-6
    assert found["score"].dtype == "float32"


def test_several_labels():
    model = sharp(fresh(TextClassifier, problem_type="multi_label_classification"))
    found = model.classify(INPUTS)
    expected = 1 / (1 + np.exp(-np.asarray(model(INPUTS))))
    assert difference(found["probabilities"], expected) < 1e-6
    for threshold in (0.5, 0.9, 0, 1):
        found = model.classify(INPUTS, threshold=threshold)
        there = expected >= threshold
        assert found["label"].to_list() == [
            [label.encode() for label, own in zip("abc", row, strict=True) if own] for row in there
        ]
        flat = found["score"].values
        assert flat.shape == (there.sum(),)
        np.testing.assert_allclose(flat, expected[there], rtol=1e-5)
    with pytest.raises(ValueError, match="threshold must be a number from 0 to 1, got 50"):
        model.classify(INPUTS, threshold=50)


@pytest.mark.parametrize(
    ("labels", "problem_type", "shape"),
    [(["stars"], None, (3,)), (["stars"], "regression", (3,)), (["x", "y"], "regression", (3, 2))],
)
def test_a_value(tiny_block, labels, problem_type, shape):
    model = TextClassifier(tiny_block, labels, problem_type=problem_type, max_length=8)
    found = model.classify(TEXTS)
    assert found.keys() == {"logits", "value"}
    assert found["value"].shape == shape
    assert difference(tf.reshape(found["value"], (3, -1)), model(TEXTS)) == 0


def test_there_are_no_names_on_jax(monkeypatch):
    monkeypatch.setattr(kernels, "ON_TENSORFLOW", False)
    with pytest.raises(ValueError, match="classify works only on the TensorFlow backend"):
        fresh(TextClassifier).classify(INPUTS)
