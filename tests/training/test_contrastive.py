"""Losses of vectors, against those of sentence-transformers."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_bert_zh import CoSENT, InBatchNegatives

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(5, 3, 4)).astype("float32")
LABELS = np.array([0.5, 1.0, 0.0, 0.5, 0.25], "float32")


class Given:
    """A model of sentence-transformers whose vectors are given as its inputs."""

    def __call__(self, features):
        return {"sentence_embedding": features["vectors"]}


def theirs(name, columns, **kwargs):
    """Their loss, and its slopes by the vectors `[B, C, D]`."""
    torch = pytest.importorskip("torch")
    losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    vectors = torch.tensor(VECTORS[:, :columns], requires_grad=True)
    loss = getattr(losses, name)(Given(), **kwargs)
    value = loss.compute_loss_from_embeddings(list(vectors.unbind(1)), torch.tensor(LABELS))
    value.backward()
    return value.item(), vectors.grad.numpy()


def ours(loss, columns):
    import tensorflow as tf

    vectors = tf.Variable(VECTORS[:, :columns])
    with tf.GradientTape() as tape:
        value = loss(LABELS, vectors)
    return float(value), np.asarray(tape.gradient(value, vectors))


@pytest.mark.parametrize("scale", [20.0, 3.0])
@pytest.mark.parametrize(
    ("loss", "columns", "name"),
    [
        (InBatchNegatives, 2, "MultipleNegativesRankingLoss"),
        (InBatchNegatives, 3, "MultipleNegativesRankingLoss"),
        (CoSENT, 2, "CoSENTLoss"),
    ],
)
def test_as_sentence_transformers(loss, columns, name, scale):
    value, slopes = ours(loss(scale), columns)
    expected, expected_slopes = theirs(name, columns, scale=scale)
    assert value == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(slopes, expected_slopes, atol=1e-5)


@pytest.mark.parametrize("columns", [2, 3])
def test_both_ways_as_sentence_transformers(columns):
    value, slopes = ours(InBatchNegatives(symmetric=True), columns)
    # As MultipleNegativesSymmetricRankingLoss calls it.
    both = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
    expected, expected_slopes = theirs("MultipleNegativesRankingLoss", columns, **both)
    assert value == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(slopes, expected_slopes, atol=1e-5)


def test_weights_of_rows():
    first, *_ = rows = InBatchNegatives(reduction=None)(LABELS, VECTORS)
    weighted = InBatchNegatives()(LABELS, VECTORS, np.array([1, 0, 0, 0, 0]))
    assert (rows.shape, float(weighted)) == ((5,), pytest.approx(float(first) / 5))
    with pytest.raises(ValueError, match="leave sample_weight out"):
        CoSENT()(LABELS, VECTORS[:, :2], np.ones(5))


def test_a_batch_of_equal_labels_teaches_no_order():
    assert float(CoSENT()(np.ones((5, 1)), VECTORS[:, :2])) == 0


@pytest.mark.parametrize("loss", [InBatchNegatives(), CoSENT()])
def test_half_precision_is_computed_in_float32(loss):
    half = ops.cast(VECTORS[:, :2], "bfloat16")
    expected = loss(LABELS, ops.cast(half, "float32"))
    assert (float(loss(LABELS, half)), loss(LABELS, half).dtype) == (float(expected), "float32")


def test_saved():
    for loss in (InBatchNegatives(3.0, symmetric=True), CoSENT(5.0)):
        config = keras.saving.serialize_keras_object(loss)
        assert keras.saving.deserialize_keras_object(config).get_config() == loss.get_config()


@pytest.mark.parametrize(
    ("loss", "vectors", "message"),
    [
        (
            InBatchNegatives,
            VECTORS[:, :1],
            r"two or more texts per row, \[B, C, D\], got \(5, 1, 4\)",
        ),
        (InBatchNegatives, VECTORS[:, 0], r"got \(5, 4\): train TwoTowers"),
        (CoSENT, VECTORS[:, 0], r"got \(5, 4\): train TwoTowers"),
        (CoSENT, VECTORS, "CoSENT takes pairs of texts, got 3"),
    ],
)
def test_what_is_no_pairs(loss, vectors, message):
    with pytest.raises(ValueError, match=message):
        loss()(LABELS, vectors)


@pytest.mark.parametrize("loss", [InBatchNegatives, CoSENT])
def test_scale(loss):
    with pytest.raises(ValueError, match="scale must be a positive number, got 0"):
        loss(scale=0)
