"""Sums and maxima over all label sequences of a chain, token by token.

Throughout, logits are `<float>[B, S, K]`, `mask` is `<bool>[B, S]`, `transitions` is
`<float>[K, K]` from a label to the next, `starts` and `ends` are `<float>[B or 1, K]`, and the
tokens of a text come first: see `to_front`.
"""

from keras import ops

from keras_bert_zh.layers.kernels import scan


def to_front(mask):
    """Returns two orders of positions, `<int32>[B, S]`, for `reordered`.

    The first moves the tokens in the mask to the front of their row and keeps their order, so that
    tokens on both sides of a gap become neighbours. The other moves them back.
    """
    positions = ops.arange(ops.shape(mask)[1], dtype="int32")
    behind = ops.where(mask, positions, positions + ops.shape(mask)[1])
    order = ops.argsort(behind, axis=1)
    return order, ops.argsort(order, axis=1)


def reordered(values, order):
    """Returns `<any>[B, S]` or `<any>[B, S, K]` in an order that `to_front` returned."""
    if len(values.shape) == 3:
        order = ops.expand_dims(order, -1)
    return ops.take_along_axis(values, order, axis=1)


def forward(logits, mask, transitions, starts, *, ruled=None, total=ops.logsumexp):
    """Returns the score of all sequences up to a token by that token's label, `<float>[S, B, K]`.

    In padding it is the score of the last token.

    Args:
        logits, mask, transitions, starts: see above.
        ruled: `<bool>[B, S]`, whether the transition from the previous token to this one counts;
            `None` if all count.
        total: combines the scores of all sequences into one: `ops.logsumexp` or `_best`.
    """
    logits, mask = _by_position(logits), _by_position(mask)
    first = starts + logits[0]
    arrays = (logits, mask)
    if ruled is not None:
        arrays = (*arrays, _by_position(ruled))

    def step(before, token):
        scores, real, *rest = token
        reached = total(ops.expand_dims(before, 2) + transitions, axis=1)
        if rest:
            apart = total(before, axis=1, keepdims=True)
            reached = ops.where(ops.expand_dims(rest[0], 1), reached, apart)
        return ops.where(ops.expand_dims(real, 1), reached + scores, before)

    return scan(step, first, arrays)


def backward(logits, mask, transitions, ends):
    """Returns the score of all sequences after a token by that token's label, `<float>[S, B, K]`.

    In padding it is the score of the end.
    """
    logits, mask = _by_position(logits), _by_position(mask)
    last = ends + ops.zeros_like(logits[0])

    def step(behind, token):
        scores, real = token
        through = ops.logsumexp(ops.expand_dims(scores + behind, 1) + transitions, axis=2)
        return ops.where(ops.expand_dims(real, 1), through, behind)

    return scan(step, last, (logits, mask), reverse=True)


def best_path(logits, mask, transitions, starts, ends):
    """Returns the labels of the best sequence, `<int32>[B, S]`, and its score, `<float>[B]`.

    In padding, the label is that of the last token.

    Reference:
        Viterbi, Error bounds for convolutional codes and an asymptotically optimum decoding
        algorithm, 1967.
    """
    scores = forward(logits, mask, transitions, starts, total=_best)
    final = scores[-1] + ends
    last = ops.cast(ops.argmax(final, axis=1), "int32")
    columns = ops.transpose(transitions)

    def step(label, token):
        before, real = token
        best = ops.argmax(before + ops.take(columns, label, axis=0), axis=1)
        return ops.where(real, ops.cast(best, "int32"), label)

    before = ops.roll(scores, 1, axis=0)
    labels = scan(step, last, (before, _by_position(mask)), reverse=True)
    return ops.transpose(labels), _best(final, axis=1)


def _best(values, axis, keepdims=False):
    """Returns the maximum. Keras refuses one of a batch without texts, unless it is told."""
    return ops.max(values, axis=axis, keepdims=keepdims, initial=float("-inf"))


def _by_position(values):
    return ops.swapaxes(values, 0, 1)
