"""batch_by_length where labels and weights have a value for each token."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder, BertPreprocess, batch_by_length
from tests.data.few_tokens import CONFIG
from tests.data.test_batching import SLICES, shapes_of

TEXTS = ["好" * count for count in (3, 40, 10, 20)]


@pytest.fixture(scope="module")
def tags(preprocess):
    """One a token: its place in the text, 0 for padding."""
    return preprocess(TEXTS)["input_mask"].numpy() * np.arange(64)


def test_labels_of_tokens_are_cut_with_the_inputs(preprocess, tags):
    labels = {"tags": tags, "topic": np.arange(4), "classes": np.ones([4, 5])}
    weights = {"tags": tags > 0, "topic": np.ones(4)}
    scores = np.repeat(tags[..., None], 3, axis=2)
    data = SLICES((TEXTS, (labels, scores), weights))
    for inputs, (label, score), weight in batch_by_length(
        data, preprocess, 2, labels_per_token=True
    ):
        mask = inputs["input_mask"].numpy()
        np.testing.assert_array_equal(label["tags"], mask * np.arange(mask.shape[1]))
        np.testing.assert_array_equal(score[..., 2], label["tags"])
        np.testing.assert_array_equal(weight["tags"], label["tags"] > 0)
        assert label["classes"].shape == (len(mask), 5)
        assert label["topic"].shape == weight["topic"].shape == (len(mask),)


@pytest.mark.filterwarnings("ignore:Your input ran out of data", "ignore:.shuffle=True. was")
def test_a_token_classifier_trains(preprocess, tags):
    batches = batch_by_length(
        SLICES((TEXTS, tags % 2, tags > 0)), preprocess, 2, labels_per_token=True
    )
    encoder = BertEncoder(None, config=CONFIG, output_key="sequence_output")
    model = keras.Sequential([encoder, keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=True)
    assert np.isfinite(model.fit(batches, verbose=0).history["loss"]).all()
    assert {length for _, length in shapes_of(batches)} == {16, 32, 64}


def test_labels_as_long_as_a_text_must_be_told_apart(preprocess, tags):
    for data in (SLICES((TEXTS, tags)), SLICES((TEXTS, [0] * 4, tags > 0))):
        with pytest.raises(ValueError, match=r"the length max_length=64.*labels_per_token=False"):
            batch_by_length(data, preprocess, 2)
        # Nothing is cut, so that nothing can be wrong.
        assert shapes_of(batch_by_length(data, preprocess, 4, lengths=[64])) == [(4, 64)]
    classes = batch_by_length(SLICES((TEXTS, tags)), preprocess, 2, labels_per_token=False)
    assert {tuple(label.shape[1:]) for _, label in classes} == {(64,)}


@pytest.mark.parametrize(
    ("labels", "argument", "message"),
    [
        (np.zeros([4, 62]), True, r"With labels_per_token=True, .* \[64\] or \[64, ...\]"),
        (np.zeros(4), True, r"for max_length=64, got \(TensorSpec\(shape=\(\)"),
        (np.zeros(4), "tags", "labels_per_token must be True, False or None, got 'tags'"),
    ],
)
def test_bad_labels_per_token(preprocess, labels, argument, message):
    with pytest.raises(ValueError, match=message):
        batch_by_length(SLICES((TEXTS, labels)), preprocess, 2, labels_per_token=argument)


def test_labels_per_token_without_labels(preprocess):
    for data in (SLICES((TEXTS,)), SLICES(TEXTS), SLICES((TEXTS, TEXTS))):
        with pytest.raises(ValueError, match=r"With labels_per_token=True, .* got \(\)"):
            batch_by_length(data, preprocess, 2, labels_per_token=True)


def test_labels_whose_shape_a_generator_names(preprocess, tags):
    signature = tf.TensorSpec([], tf.string), tf.TensorSpec([64], tf.int32)
    rows = list(zip(TEXTS, tags.tolist(), strict=True))
    data = tf.data.Dataset.from_generator(lambda: iter(rows), output_signature=signature)
    batches = batch_by_length(data, preprocess, 4, labels_per_token=True)
    for inputs, label in batches:
        assert label.shape == inputs["input_ids"].shape


def test_labels_of_unknown_length_need_the_argument():
    signature = (tf.TensorSpec([], tf.string), tf.TensorSpec([None], tf.int32))
    data = tf.data.Dataset.from_generator(lambda: [("好", [1, 2])], output_signature=signature)
    preprocess = BertPreprocess(None, max_length=32)
    with pytest.raises(ValueError, match=r"length of a label or weight is not known.*labels_per"):
        batch_by_length(data, preprocess, 2)
    ((_, labels),) = batch_by_length(data, preprocess, 2, labels_per_token=False)
    assert labels.shape == (1, 2)
