"""The tokens of a batch without padding, in the operators of ONNX.

What `layers/tensorflow/padding_free_layout.py` is in those of TensorFlow. B rows, S positions,
T tokens, N heads of size H. Indices are integers from end to end, so that no engine rounds them
where it computes in less than float32.
"""

import itertools
from typing import Any, NamedTuple

import onnx_ir as ir

from keras_bert_zh.layers.token_layout import GROUP_BOUNDS, MASKED_SCORE

# Attention of other lengths than multiples of this takes OpenVINO a fifth longer.
_BLOCK = 16


class Group(NamedTuple):
    """Rows that attention computes together, Bg of them, each Sg long.

    Heads of tokens, `[T * 3 N, H]`, are those of query, key and value of each token in turn.

    Args:
        penalty: `<float32>[Bg, 1, 1, Sg]`, what is added to scores.
        query, key, value: `<int64>[Bg, N, Sg]`, where among the heads of tokens they are.
        first: `<int64>[Bg, N, 1]`, `query` of the first tokens alone.
        back: `<int64>[Tg, N]`, where each token's heads are among those that attention returns,
            `[Bg * N * Sg, H]`.
    """

    penalty: Any
    query: Any
    key: Any
    value: Any
    first: Any
    back: Any


class Packing:
    """Which tokens a batch has, and where they are.

    Rows are in order of length, so that attention can compute groups of rows of about one length.
    A row's first position is computed even where it is masked, for the pooler.

    Args:
        op: `OpBuilder` of the graph.
        mask: `<int32>[B, S]`, 0 for positions that are left out.
        num_heads: int, N.
        flat: bool, whether values of tokens are `[T]`, and hidden states `[T, D]`, in place of
            `[T, 1]` and `[T, 1, D]`.

    Attributes:
        positions: `<int64>[T, 1]`, the place of each token in its row.
        first: `<int64>[B]`, the index of each row's first token.
        rank: `<int64>[B]`, the place of each row in order of length.
        groups: list of Group.
    """

    def __init__(self, op: Any, mask: Any, num_heads: int, *, flat: bool):
        self._op = op
        self._flat = flat
        self._num_heads = num_heads
        batch, length = op.Shape(mask, start=0, end=1), op.Shape(mask, start=1, end=2)
        self._mask = op.Cast(mask, to=ir.DataType.BOOL)
        kept = op.Or(self._mask, op.Equal(op.Range(0, op.Squeeze(length), 1), 0))
        ones = op.Cast(kept, to=ir.DataType.INT64)
        lengths, order = op.TopK(op.ReduceSum(ones, [1], keepdims=0), batch, _outputs=2)
        rows, columns = self._indices(op.Gather(kept, order))
        self.positions = columns if flat else op.Unsqueeze(columns, [1])
        self._places = op.Add(op.Mul(op.Gather(order, rows), length), columns)
        starts = op.CumSum(lengths, 0, exclusive=1)
        _, self.rank = op.TopK(order, batch, largest=0, _outputs=2)
        self.first = op.Gather(starts, self.rank)
        # In padding, that of the zeros behind all tokens.
        among_tokens = op.Add(op.Unsqueeze(self.first, [1]), op.Sub(op.CumSum(ones, 1), 1))
        self._padded = op.Where(self._mask, among_tokens, op.Shape(columns))
        looked_at = self._of_tokens(self._mask)
        bounds = [op.Div(op.Mul(batch, eighths), 8) for eighths in GROUP_BOUNDS]
        self.groups = [
            self._group(op.Slice(lengths, low, high), op.Slice(starts, low, high), looked_at)
            for low, high in itertools.pairwise(bounds)
        ]

    def gather(self, values: Any) -> Any:
        """Returns what tokens have, `[T, 1]`, of values `[B, S]`."""
        found = self._of_tokens(values)
        return found if self._flat else self._op.Unsqueeze(found, [1])

    def scatter(self, hidden: Any, size: int) -> Any:
        """Returns hidden states `[B, S, D]` of those of tokens, `[T, 1, D]`; zeros in padding."""
        op = self._op
        zeros = op.Expand(0.0, [1, size] if self._flat else [1, 1, size])
        hidden = op.Gather(op.Concat(hidden, zeros, axis=0), self._padded)
        return hidden if self._flat else op.Squeeze(hidden, [2])

    def _of_tokens(self, values):
        return self._op.Gather(self._op.Reshape(values, [-1]), self._places)

    def _indices(self, flags):
        """Returns rows and columns of what is set in flags `<bool>[B, S]`."""
        found = self._op.Split(self._op.NonZero(flags), axis=0, num_outputs=2, _outputs=2)
        return [self._op.Squeeze(indices, [0]) for indices in found]

    def _group(self, lengths, starts, looked_at):
        op, heads = self._op, self._num_heads
        longest = op.ReduceMax(op.Concat(lengths, [1], axis=0), keepdims=0)
        # Whole blocks of what engines multiply at once.
        longest = op.Mul(op.Div(op.Add(longest, _BLOCK - 1), _BLOCK), _BLOCK)
        columns = op.Range(0, longest, 1)
        lengths, starts = op.Unsqueeze(lengths, [1]), op.Unsqueeze(starts, [1])
        real = op.Less(columns, lengths)
        # What stands in padding is some token: nobody looks at it, or reads what it sees.
        tokens = op.Add(starts, op.Min(columns, op.Sub(lengths, 1)))
        seen = op.And(real, op.Gather(looked_at, tokens))
        # Twice for what is no token: where nobody is looked at, all look at the first position.
        penalty = op.Where(seen, 0.0, op.Where(real, MASKED_SCORE, 2 * MASKED_SCORE))
        head = op.Range(0, heads, 1)
        query = op.Add(op.Mul(op.Unsqueeze(tokens, [1]), 3 * heads), op.Unsqueeze(head, [1]))
        row, column = (op.Unsqueeze(indices, [1]) for indices in self._indices(real))
        return Group(
            penalty=op.Unsqueeze(penalty, [1, 2]),
            query=query,
            key=op.Add(query, heads),
            value=op.Add(query, 2 * heads),
            first=op.Slice(query, [0], [1], [2]),
            back=op.Add(op.Mul(op.Add(op.Mul(row, heads), head), longest), column),
        )
