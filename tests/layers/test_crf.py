"""CRF against all label sequences one by one, and against numerical slopes."""

import numpy as np
import pytest

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
