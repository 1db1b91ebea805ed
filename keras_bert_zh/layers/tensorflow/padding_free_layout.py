"""The layout without padding. TensorFlow only: its sizes depend on the mask."""

import functools
import itertools
from typing import Any

import tensorflow as tf

from keras_bert_zh.layers.token_layout import GROUP_BOUNDS, MASKED_SCORE, TokenLayout, Tokens


class PaddingFreeLayout(TokenLayout):
    """The tokens of all rows, one after another: hidden states are `[T, D]`.

    Rows are sorted by length, so that attention can compute groups of rows of similar length, each
    group as long as its longest row. The first position of a row is computed even if it is masked,
    for the pooler; then no other token attends to it.

    Args:
        mask: `<int32>[B, S]`, 0 for positions that are left out.
        num_heads: int, N.
    """

    def __init__(self, mask: tf.Tensor, num_heads: int):
        self._mask = mask > 0
        self._num_heads = num_heads
        self._kept = kept = self._mask | (tf.range(tf.shape(mask)[1]) == 0)
        lengths = tf.reduce_sum(tf.cast(kept, tf.int32), 1)
        self._order = tf.argsort(lengths, direction="DESCENDING", stable=True)
        rows_and_columns = tf.cast(tf.where(tf.gather(kept, self._order)), tf.int32)
        self.positions = rows_and_columns[:, 1]
        rows = tf.gather(self._order, rows_and_columns[:, 0])
        self._places = tf.stack([rows, self.positions], 1)

        lengths = tf.gather(lengths, self._order)
        starts = tf.cumsum(lengths, exclusive=True)
        self._rank = tf.argsort(self._order)
        self._first = tf.gather(starts, self._rank)
        looked_at = tf.gather_nd(self._mask, self._places)
        self._bounds = _bounds(mask)
        self._axis = tf.constant(0)
        self._groups = [
            _Group(lengths[low:high], starts[low:high], looked_at, num_heads)
            for low, high in self._bounds
        ]

    def gather(self, values):
        return tf.gather_nd(values, self._places)

    def scatter(self, hidden):
        """As `TokenLayout.scatter`, with zeros in padding positions."""
        shape = tf.concat([tf.shape(self._mask), tf.shape(hidden)[1:]], 0)
        padded = tf.ensure_shape(
            tf.scatter_nd(self._places, hidden, shape), (*self._mask.shape, hidden.shape[1])
        )
        return tf.where(self._mask[:, :, None], padded, tf.zeros([], hidden.dtype))

    def scatter_pairs(self, groups):
        """As `TokenLayout.scatter_pairs`."""
        length = tf.shape(self._mask)[1]
        rows = []
        for group in groups:
            missing = [0, length - tf.shape(group)[-1]]
            rows.append(tf.pad(group, [[0, 0], [0, 0], missing, missing]))
        pairs = tf.gather(tf.concat(rows, 0), self._rank)
        # Groups have no gaps where a mask has some.
        place = tf.maximum(tf.cumsum(tf.cast(self._kept, tf.int32), 1) - 1, 0)
        for axis in (2, 3):
            pairs = tf.gather(pairs, place, axis=axis, batch_dims=1)
        real = self._mask[:, None, :, None] & self._mask[:, None, None, :]
        return tf.where(real, pairs, tf.zeros([], pairs.dtype))

    def split(self, hidden):
        return _inverse_gradient(self._split, self._merge)(hidden)

    def merge(self, groups):
        return _inverse_gradient(self._merge, self._split_zero_padded)(*groups)

    def first_tokens(self):
        return _FirstTokens(self._first, self._order, self._rank, self._bounds, self._num_heads)

    def penalties(self, dtype, queries):
        if dtype == "float16" or (dtype == "bfloat16" and not _softmax_sums_in_float32()):
            dtype = "float32"
        return [tf.cast(group.penalty, dtype) for group in self._groups]

    # What stands in the padding of a group is some token: nobody looks at it, and nobody reads
    # what it sees. Only in gradients it would count.

    def _split(self, hidden):
        heads = tf.reshape(hidden, (-1, hidden.shape[1] // self._num_heads))
        return [tf.gather(heads, group.from_tokens, axis=self._axis) for group in self._groups]

    def _split_zero_padded(self, hidden):
        zero = tf.zeros([], hidden.dtype)
        rows = zip(self._split(hidden), self._groups, strict=True)
        return [tf.where(group.real, part, zero) for part, group in rows]

    def _merge(self, *groups):
        size = groups[0].shape[3]
        flat = tf.constant((-1, size))
        parts = [
            tf.gather(tf.reshape(part, flat), group.from_rows, axis=self._axis)
            for part, group in zip(groups, self._groups, strict=True)
        ]
        heads = tf.concat(parts, 0) if len(parts) > 1 else parts[0]
        return tf.reshape(heads, (-1, self._num_heads * size))


class _Group:
    """Rows that attention computes together.

    Args:
        lengths: `<int32>[Bg]`, the number of tokens of each row.
        starts: `<int32>[Bg]`, the index of each row's first token.
        looked_at: `<bool>[T]`, whether other tokens attend to a token.
        num_heads: int, N.

    Attributes:
        real: `<bool>[Bg, 1, Sg, 1]`, whether there is a token.
        penalty: `<float>[Bg, 1, 1, Sg]`, added to the scores.
        from_tokens: `<int32>[Bg, N, Sg]`, the index in `[T * N]` of each token's heads.
        from_rows: `<int32>[Tg, N]`, their index in `[Bg * N * Sg]`.
    """

    def __init__(self, lengths, starts, looked_at, num_heads):
        length = tf.reduce_max(tf.concat([lengths, [1]], 0))
        column = tf.range(length)
        real = column < lengths[:, None]
        tokens = starts[:, None] + tf.minimum(column, lengths[:, None] - 1)
        looked_at = real & tf.gather(looked_at, tokens)
        # Twice for what is no token: where nobody is looked at, all look at the first position.
        left_out = 2 - tf.cast(real, tf.float32) - tf.cast(looked_at, tf.float32)
        self.penalty = left_out[:, None, None] * MASKED_SCORE
        head = tf.range(num_heads)
        self.from_tokens = tokens[:, None] * num_heads + head[:, None]
        self.real = real[:, None, :, None]
        row, column = tf.unstack(tf.cast(tf.where(real), tf.int32)[:, :, None], axis=1)
        self.from_rows = (row * num_heads + head) * length + column


class _FirstTokens(Tokens):
    """The first token of each row, in the order of the batch; in groups, sorted by length.

    Args:
        first: `<int32>[B]`, the index of each row's first token.
        order: `<int32>[B]`, the rows sorted by length.
        rank: `<int32>[B]`, the index of each row in that order.
        bounds: the first row of each group, and the one after its last.
        num_heads: int, N.
    """

    def __init__(self, first, order, rank, bounds, num_heads):
        self._first = first
        self._order = order
        self._rank = rank
        self._bounds = bounds
        self._num_heads = num_heads

    def pick(self, hidden):
        def put_back(first):
            return tf.scatter_nd(self._first[:, None], first, tf.shape(hidden))

        return _inverse_gradient(lambda hidden: tf.gather(hidden, self._first), put_back)(hidden)

    def split(self, hidden):
        return _inverse_gradient(self._split, self._merge)(hidden)

    def merge(self, groups):
        return _inverse_gradient(self._merge, self._split)(*groups)

    def _split(self, first):
        heads = tf.reshape(first, (-1, self._num_heads, 1, first.shape[1] // self._num_heads))
        return [tf.gather(heads, self._order[low:high]) for low, high in self._bounds]

    def _merge(self, *groups):
        heads = tf.gather(tf.concat(groups, 0), self._rank)
        return tf.reshape(heads, (-1, self._num_heads * heads.shape[3]))


def _inverse_gradient(function, inverse):
    """Returns a function that moves numbers, with its inverse as its gradient.

    TensorFlow's own gradient would sum over indices on one core, or leave this to its receiver.
    """

    @tf.custom_gradient
    def moved(*tensors):
        return function(*tensors), inverse

    return moved


def _bounds(mask: tf.Tensor) -> list[tuple[Any, Any]]:
    """Returns the first row of each group, and the one after its last."""
    batch = mask.shape[0]
    if batch is None:
        batch = tf.shape(mask)[0]
        bounds = [batch * part // 8 for part in GROUP_BOUNDS]
    else:
        # No group without rows, but for a batch that has none.
        bounds = sorted({max(batch, 1) * part // 8 for part in GROUP_BOUNDS})
    return list(itertools.pairwise(bounds))


@functools.cache
def _softmax_sums_in_float32() -> bool:
    """Whether softmax in bfloat16 sums in float32: it does with oneDNN, not without."""
    with tf.init_scope(), tf.device("CPU"):
        scores = tf.cast(tf.linspace(-3.0, 3.0, 2000), tf.bfloat16)
        probabilities = tf.cast(tf.nn.softmax(scores), tf.float32)
        exact = tf.nn.softmax(tf.cast(scores, tf.float32))
        return bool(tf.reduce_max(tf.abs(probabilities / exact - 1)) < 2**-8)
