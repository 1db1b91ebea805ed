"""CRF against all label sequences one by one, and against numerical slopes."""

import re

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import CRF
from tests.layers.chains_by_hand import ByHand

K = 4
# Padding at the end, holes, special tokens in front, one token, none.
MASK = np.array(
    [
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 0],
        [0, 1, 1, 1, 1, 0],
        [1, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 1, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ],
    "int32",
)
# O, B, I and a label that nothing is said of.
RULES = np.ones((K + 1, K + 1), bool)
RULES[[0, 3, K], 2] = False
RULES[1, [3, K]] = False
BOTH = pytest.mark.parametrize("rules", [None, RULES], ids=["free", "ruled"])


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (len(MASK), MASK.shape[1], K))
    labels = random.integers(0, K, MASK.shape)
    return logits, np.where(MASK, labels, -100)


def layer(rules, dtype="float64"):
    random = np.random.default_rng(1)
    crf = CRF(K, rules, dtype=dtype)
    crf.build()
    for weight in crf.weights:
        weight.assign(random.normal(size=weight.shape))
    return crf


def by_hand(crf, rules, logits, mask):
    weights = [np.asarray(w, "float64") for w in (crf.transitions, crf.start, crf.end)]
    rules = np.ones((K + 1, K + 1), bool) if rules is None else rules
    return [ByHand(row[real == 1], *weights, rules) for row, real in zip(logits, mask, strict=True)]


@BOTH
def test_all_sequences_one_by_one(data, rules):
    logits, labels = data
    crf = layer(rules)
    texts = by_hand(crf, rules, logits, MASK)
    found = np.asarray(crf.log_likelihood(logits, labels, MASK))
    chains = [row[real == 1] for row, real in zip(labels, MASK, strict=True)]
    expected = [text.log_likelihood(chain) for text, chain in zip(texts, chains, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert found.max() <= 0
    assert np.isfinite(found).all()
    total = np.asarray(crf.log_partition(logits, MASK))
    np.testing.assert_allclose(total, [text.log_partition() for text in texts], atol=1e-9)
    best, score = (np.asarray(value) for value in crf.decode(logits, MASK))
    marginals = np.asarray(crf.marginals(logits, MASK))
    assert (best.dtype, score.dtype, marginals.dtype) == ("int32", "float64", "float64")
    for i, text in enumerate(texts):
        real = MASK[i] == 1
        assert (tuple(best[i][real]), pytest.approx(score[i])) == text.best()
        np.testing.assert_allclose(marginals[i][real], text.marginals(), atol=1e-9)
        assert not best[i][~real].any()
        assert not marginals[i][~real].any()


@BOTH
def test_every_labelling_of_a_text(rules):
    """Those that break the rules, too; the chances of the others are all there is."""
    logits = np.random.default_rng(2).normal(0, 2, (1, 4, K))
    crf = layer(rules)
    (text,) = by_hand(crf, rules, logits, np.ones((1, 4)))
    many = np.repeat(logits, len(text.sequences), axis=0)
    found = np.asarray(crf.log_likelihood(many, np.array(text.sequences)))
    np.testing.assert_allclose(found, list(map(text.log_likelihood, text.sequences)), atol=1e-9)
    keep = np.isfinite(list(map(text.score, text.sequences)))
    assert np.exp(found[keep]).sum() == pytest.approx(1)
    assert keep.all() == (rules is None)


def gradients(function, *tensors):
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = tf.reduce_sum(function())
    return [np.asarray(gradient) for gradient in tape.gradient(value, tensors)]


@BOTH
def test_gradients_are_slopes(data, rules):
    logits, labels = tf.constant(data[0]), data[1]
    crf = layer(rules)
    arrays = [logits, *(weight.value for weight in crf.weights)]
    found = gradients(lambda: crf.log_likelihood(logits, labels, MASK), *arrays)
    random, step = np.random.default_rng(3), 1e-5
    before = [np.asarray(array) for array in arrays]
    for array, gradient in zip(before, found, strict=True):
        direction = random.normal(size=array.shape)
        ends = []
        for sign in (1, -1):
            moved = [a + sign * step * direction if a is array else a for a in before]
            for weight, value in zip(crf.weights, moved[1:], strict=True):
                weight.assign(value)
            ends.append(np.sum(crf.log_likelihood(moved[0], labels, MASK)))
        slope = (ends[0] - ends[1]) / (2 * step)
        assert (gradient * direction).sum() == pytest.approx(slope, abs=1e-7)
        assert abs(slope) > 0.1


@BOTH
def test_the_gradient_of_the_partition_is_the_marginals(data, rules):
    logits, crf = tf.constant(data[0]), layer(rules)
    (gradient,) = gradients(lambda: crf.log_partition(logits, MASK), logits)
    np.testing.assert_allclose(gradient, crf.marginals(logits, MASK), atol=1e-12)


@pytest.mark.slow
def test_open_lengths_one_token_and_no_text(data):
    """In graphs, whose lengths may be open, and in XLA, which has its own rules for loops."""
    crf = layer(RULES)

    def everything(logits, labels, mask):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            likelihood = crf.log_likelihood(logits, labels, mask)
        slopes = tape.gradient(likelihood, logits)
        return likelihood, slopes, *crf.decode(logits, mask), crf.marginals(logits, mask)

    kinds = {"logits": (K, "float64"), "labels": (None, "int64"), "mask": (None, "int32")}
    signature = [
        tf.TensorSpec([None, None] + ([size] if size else []), dtype)
        for size, dtype in kinds.values()
    ]
    inputs = [tf.constant(array) for array in (*data, MASK)]
    expected = everything(*inputs)
    for jit_compile in (False, True):
        graph = tf.function(everything, input_signature=signature, jit_compile=jit_compile)
        shapes = [tuple(value.shape) for value in graph(*(array[:, :1] for array in inputs))]
        assert shapes == [(7,), (7, 1, K), (7, 1), (7,), (7, 1, K)]
        if not jit_compile:  # Each shape is compiled anew.
            for found, value in zip(graph(*inputs), expected, strict=True):
                np.testing.assert_allclose(found, value, atol=1e-12)
            shapes = [tuple(value.shape) for value in graph(*(array[:0] for array in inputs))]
            assert shapes == [(0,), (0, 6, K), (0, 6), (0,), (0, 6, K)]


def test_large_logits_stay_exact():
    """A sum of exponentials would overflow; half precision would round the score of a text."""
    logits = np.full((1, 200, K), 300.0, "float32")
    crf = CRF(K, dtype="mixed_bfloat16")
    labels = np.zeros((1, 200), "int32")
    expected = -200 * np.log(K)
    assert float(crf.log_likelihood(logits, labels)[0]) == pytest.approx(expected, rel=1e-5)
    assert crf.decode(logits)[1] == 60_000
    far = np.zeros((1, 3, K), "float32")
    far[..., 1] = 1e4
    assert float(crf.log_likelihood(far, labels[:, :3])[0]) == -3e4
    assert crf.log_likelihood(far, labels[:, :3]).dtype == "float32"


def test_a_fresh_one_is_softmax_and_its_rules(data):
    logits, mask = data[0][:1], MASK[:1]
    free, ruled = CRF(K, dtype="float64"), CRF(K, RULES, dtype="float64")
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(free.marginals(logits, mask), chances)
    np.testing.assert_array_equal(free.decode(logits, mask)[0], logits.argmax(-1))
    for labels in np.asarray(ruled.decode(np.random.default_rng(4).normal(size=(50, 6, K)))[0]):
        assert all(RULES[pair] for pair in zip([K, *labels], [*labels, K], strict=True))


def test_a_label_that_there_is_not_is_told(data):
    logits, labels = data
    for wrong in (-1, K):
        changed = labels.copy()
        changed[1, 2] = wrong
        found = np.isnan(layer(None).log_likelihood(logits, changed, MASK))
        assert found.tolist() == [False, True] + [False] * 5


def test_bad_arguments(data):
    with pytest.raises(ValueError, match=r"allowed must be bools of shape \[4, 4\], for 3 labels"):
        CRF(3, np.ones((3, 3), bool))
    with pytest.raises(ValueError, match=r"allowed must be bools .* got int64"):
        CRF(3, np.ones((4, 4), "int64"))
    never = np.ones((4, 4), bool)
    never[:, -1] = False
    with pytest.raises(ValueError, match="let a text end with at least one label"):
        CRF(3, never)
    with pytest.raises(
        ValueError, match=r"^logits must have shape \[B, S, 3\], got shape \(7, 6, 4\)"
    ):
        CRF(3)(data[0])
    logits = np.zeros((2, 4, 3), "float32")
    for shape in ((2, 9), (1, 4), (2, 3), (2,)):
        message = re.escape(f"must have shape [B, S], here [2, 4], got {list(shape)}.")
        with pytest.raises(ValueError, match=f"^labels {message}"):
            CRF(3).log_likelihood(logits, np.zeros(shape, "int32"))
        with pytest.raises(ValueError, match=f"^mask {message}"):
            CRF(3).decode(logits, np.ones(shape, bool))
    with pytest.raises(ValueError, match=r"^logits must have at least one token"):
        CRF(3).decode(logits[:, :0])
