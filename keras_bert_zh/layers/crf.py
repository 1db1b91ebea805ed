"""A linear-chain conditional random field."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_bert_zh.arguments import check_int
from keras_bert_zh.layers import chains
from keras_bert_zh.messages import says_it_all

# The score of what is ruled out. It is finite, so that there is a best sequence whatever the rules.
_RULED_OUT = -10_000.0


@keras.saving.register_keras_serializable("keras_bert_zh")
class CRF(keras.layers.Layer):
    """A linear-chain conditional random field: scores whole sequences of labels.

    The score of a sequence is the sum of the logits of its labels, a weight for each pair of
    neighbouring labels, and weights for the first and the last label. All weights start at zero,
    where the probabilities are the softmax of each token's logits. It computes in float32 or more.

    `mask` says which tokens are in the chain; `None` for all. The tokens around a gap in the mask
    are neighbours. A text without tokens has the likelihood 1 and the score 0.

    Args:
        labels: int, K, the number of labels.
        allowed: `<bool>[K + 1, K + 1]`, whether the label of the column may follow the label of the
            row. The last row is for the first label of a text, the last column for its last label.
            `None` allows everything.

    Call arguments:
        logits: `<float>[B, S, K]`, such as those of a dense layer.
        mask: `<bool>[B, S]`; by default the Keras mask of the logits.

    Returns:
        `<float32>[B, S, K]`, the probability of each label of each token, as from `marginals`;
        `<float64>` for a float64 layer, as in all methods.

    Raises:
        ValueError: if `labels` is not a positive int, `allowed` has a wrong shape or lets no label
            begin or end a text, or logits or labels have a wrong shape.

    Example:

    >>> import numpy as np
    >>> from keras_bert_zh import CRF
    >>> allowed = np.ones((4, 4), bool)  # O, B, I and the border of the text.
    >>> allowed[[0, 3], 2] = False  # I can't follow O or come first.
    >>> crf = CRF(3, allowed)
    >>> logits = np.array([[[2, 1, 0], [0, 0, 2], [2, 0, 1]]], "float32")
    >>> labels, score = crf.decode(logits)
    >>> np.asarray(labels).tolist(), float(score[0])
    ([[1, 2, 0]], 5.0)

    Reference:
        Lafferty, McCallum and Pereira, Conditional Random Fields: Probabilistic Models for
        Segmenting and Labeling Sequence Data, 2001.
    """

    def __init__(self, labels: int, allowed: Sequence[Sequence[bool]] | None = None, **kwargs: Any):
        # Half precision would not do for sums over a text.
        super().__init__(autocast=False, **kwargs)
        self.labels = check_int("labels", labels, 1)
        self._allowed = None if allowed is None else _check_allowed(allowed, self.labels)
        self.supports_masking = True

    @property
    def compute_dtype(self) -> str:
        return keras.backend.result_type(self.dtype_policy.compute_dtype, "float32")

    def build(self, logits_shape=None):
        count = self.labels
        self.transitions = self.add_weight((count, count), "zeros", name="transitions")
        self.start = self.add_weight((count,), "zeros", name="start")
        self.end = self.add_weight((count,), "zeros", name="end")

    def call(self, logits, mask=None):
        return self.marginals(logits, mask)

    def compute_output_spec(self, logits, mask=None):
        return keras.KerasTensor(logits.shape, self.compute_dtype)

    def log_likelihood(self, logits, labels, mask=None):
        """Returns the log-likelihood of these labels.

        Labels that break the rules are not an error: if a text is cut inside an entity, its labels
        break them at the border. At such a place the chain is split: the rule and the weight
        between the two neighbours, or at the border, are left out for all sequences.

        Args:
            logits: `<float>[B, S, K]`.
            labels: `<int>[B, S]`. Labels outside the mask are ignored. A label in the mask that is
                not in [0, K) makes the likelihood of its text NaN.
            mask: `<bool>[B, S]`.

        Returns:
            `<float32>[B]`.
        """
        _check_shape("labels", labels, logits)
        logits, mask, order, _ = self._chain(logits, mask)
        logits = ops.log_softmax(logits)  # The same likelihoods, of sums that lose no digits.
        labels = chains.reordered(ops.cast(labels, "int32"), order)
        known = ops.logical_and(labels >= 0, labels < self.labels)
        wrong = ops.any(ops.logical_and(mask, ops.logical_not(known)), axis=1)
        # Rows of zeros outside of the mask.
        gold = ops.one_hot(ops.where(mask, labels, -1), self.labels, dtype=logits.dtype)
        first, last = gold[:, 0], _last(gold, mask)
        transitions, start, end = self._tables()
        ruled, starts, ends = self._ruled(gold, first, last)
        starts, ends = starts * start, ends * end
        pairs = ops.matmul(gold[:, :-1], transitions) * gold[:, 1:] * ops.expand_dims(ruled, -1)
        score = ops.sum(gold * logits, axis=(1, 2)) + ops.sum(pairs, axis=(1, 2))
        score = score + ops.sum(first * starts + last * ends, axis=1)
        ruled = None if self._allowed is None else ops.pad(ruled > 0, [[0, 0], [1, 0]])
        total = _total(chains.forward(logits, mask, transitions, starts, ruled=ruled), ends, mask)
        return ops.where(wrong, float("nan"), score - total)

    def log_partition(self, logits, mask=None):
        """Returns the log of the sum over all sequences, which normalises the likelihoods.

        Args:
            logits: `<float>[B, S, K]`.
            mask: `<bool>[B, S]`.

        Returns:
            `<float32>[B]`.
        """
        logits, mask, _, _ = self._chain(logits, mask)
        transitions, start, end = self._tables()
        return _total(chains.forward(logits, mask, transitions, start), end, mask)

    def decode(self, logits, mask=None):
        """Returns the best sequence of labels, and its score.

        It obeys the rules, unless no sequence of this length does. Its score minus
        `log_partition` is its log-probability.

        Args:
            logits: `<float>[B, S, K]`.
            mask: `<bool>[B, S]`.

        Returns:
            Labels, `<int32>[B, S]`, 0 outside the mask; and scores, `<float32>[B]`.
        """
        logits, mask, _, back = self._chain(logits, mask)
        labels, score = chains.best_path(logits, mask, *self._tables())
        labels = chains.reordered(ops.where(mask, labels, 0), back)
        return labels, ops.where(mask[:, 0], score, 0.0)

    def marginals(self, logits, mask=None):
        """Returns the probability of each label of each token, over all labels of the others.

        Args:
            logits: `<float>[B, S, K]`.
            mask: `<bool>[B, S]`.

        Returns:
            `<float32>[B, S, K]`, 0 outside the mask.
        """
        logits, mask, _, back = self._chain(logits, mask)
        logits = ops.log_softmax(logits)  # As above.
        transitions, start, end = self._tables()
        through = chains.forward(logits, mask, transitions, start)
        through = through + chains.backward(logits, mask, transitions, end)
        found = ops.softmax(ops.swapaxes(through, 0, 1), axis=-1)
        return chains.reordered(ops.where(ops.expand_dims(mask, -1), found, 0.0), back)

    def scores(self) -> dict[str, Any]:
        """Returns the weights that score sequences, with very low ones for forbidden labels.

        Returns:
            dict of `transitions <float32>[K, K]`, from a label to the next one, and `start` and
            `end`, `<float32>[K]`, for the first and the last label.
        """
        return dict(zip(("transitions", "start", "end"), self._tables(), strict=True))

    @says_it_all
    def _chain(self, logits, mask):
        """Returns logits and mask with the tokens of the chain in front, and the two orders."""
        logits = ops.cast(logits, self.compute_dtype)
        if len(logits.shape) != 3 or logits.shape[-1] not in (None, self.labels):
            raise ValueError(
                f"logits must have shape [B, S, {self.labels}], got shape {logits.shape}."
            )
        if logits.shape[1] == 0:
            raise ValueError(f"logits must have at least one token, got shape {logits.shape}.")
        if not self.built:
            self.build(logits.shape)
        mask = ops.ones_like(logits[..., 0]) if mask is None else mask
        _check_shape("mask", mask, logits)
        mask = ops.cast(mask, "bool")
        order, back = chains.to_front(mask)
        return chains.reordered(logits, order), chains.reordered(mask, order), order, back

    def _tables(self):
        """Returns the weights with the rules applied: between labels, at start and at end."""
        weights = (
            ops.cast(w, self.compute_dtype) for w in (self.transitions, self.start, self.end)
        )
        if self._allowed is None:
            return tuple(weights)
        parts = zip(_parts(self._allowed), weights, strict=True)
        return tuple(ops.where(may, weight, _RULED_OUT) for may, weight in parts)

    def _ruled(self, gold, first, last):
        """Returns 1 where labels obey the rules, else 0: in each pair, at start and at end.

        These are `<float>[B, S - 1]`, `[B, 1]` and `[B, 1]`.
        """
        if self._allowed is None:
            return ops.ones_like(gold[:, 1:, 0]), 1.0, 1.0
        pairs, start, end = (ops.cast(~part, gold.dtype) for part in _parts(self._allowed))
        breaks = ops.sum(ops.matmul(gold[:, :-1], pairs) * gold[:, 1:], axis=-1)
        ends = (ops.matmul(g, ops.expand_dims(e, 1)) for g, e in ((first, start), (last, end)))
        return 1 - breaks, *(1 - broken for broken in ends)

    def get_config(self) -> dict[str, Any]:
        allowed = None if self._allowed is None else self._allowed.tolist()
        return {**super().get_config(), "labels": self.labels, "allowed": allowed}


@says_it_all
def _check_shape(name: str, values: Any, logits: Any) -> None:
    """Raises ValueError unless there is one value for each token, as far as shapes are known."""
    shape = np.shape(values)
    if getattr(shape, "rank", 0) is None:
        return
    given, expected = tuple(shape), tuple(logits.shape)[:2]
    fits = len(given) == len(expected) and all(
        None in (one, other) or one == other for one, other in zip(given, expected, strict=True)
    )
    if not fits:
        raise ValueError(
            f"{name} must have shape [B, S], here {list(expected)}, got {list(given)}."
        )


def _check_allowed(allowed: Any, labels: int) -> np.ndarray:
    table = np.asarray(allowed)
    size = labels + 1
    if table.shape != (size, size) or table.dtype != bool:
        raise ValueError(
            f"allowed must be bools of shape [{size}, {size}], for {labels} labels and the border "
            f"of a text, got {table.dtype} of shape {list(table.shape)}."
        )
    for what, may in zip(("begin", "end"), _parts(table)[1:], strict=True):
        if not may.any():
            raise ValueError(f"allowed must let a text {what} with at least one label.")
    return table


def _parts(table):
    """Returns the parts of a table of rules: between labels, at the start and at the end."""
    return table[:-1, :-1], table[-1, :-1], table[:-1, -1]


def _last(gold, mask):
    """Returns the rows of last tokens, `<float>[B, K]`; the tokens of each text are in front."""
    mask = ops.cast(mask, gold.dtype)
    is_last = mask - ops.pad(mask[:, 1:], [[0, 0], [0, 1]])
    return ops.sum(gold * ops.expand_dims(is_last, -1), axis=1)


def _total(scores, ends, mask):
    """Returns the sum over all sequences, 0 for a text without tokens: `<float>[B]`."""
    return ops.where(mask[:, 0], ops.logsumexp(scores[-1] + ends, axis=1), 0.0)
