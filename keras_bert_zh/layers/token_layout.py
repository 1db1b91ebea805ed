"""How the tokens of a batch are arranged while the encoder computes on them."""

import abc
from typing import Any

import keras
from keras import ops

# What the original adds to the score of a padding position.
MASKED_SCORE = -10000.0
# Where groups of rows begin and end, in eighths of a batch whose longest rows come first: their
# lengths differ most. More groups waste less on padding, and call more operators on less.
GROUP_BOUNDS = (0, 1, 2, 4, 8)


class Tokens(abc.ABC):
    """Tokens that attend to those of a layout: all of them, or some."""

    @abc.abstractmethod
    def pick(self, hidden: Any) -> Any:
        """Returns the hidden states of these tokens, from those of the layout."""

    @abc.abstractmethod
    def split(self, hidden: Any) -> list[Any]:
        """Returns the rows of each group by heads, `<float>[Bg, N, Sg, H]`, of hidden states."""

    @abc.abstractmethod
    def merge(self, groups: list[Any]) -> Any:
        """Returns hidden states of each group's rows by heads: the inverse of `split`."""


class TokenLayout(Tokens):
    """The arrangement of tokens, which only attention has to know.

    All other layers take hidden states of any shape `[..., D]` and compute each token separately.
    Attention needs rows of tokens, which the layout splits by heads, in groups of equal length.

    Attributes:
        positions: `<int32>[...]`, the position of each token in its row.
    """

    positions: Any

    def pick(self, hidden):
        return hidden

    @abc.abstractmethod
    def gather(self, values: Any) -> Any:
        """Returns values `[B, S]` in the shape on which the layers compute."""

    @abc.abstractmethod
    def scatter(self, hidden: Any) -> Any:
        """Returns hidden states as `[B, S, D]`."""

    @abc.abstractmethod
    def scatter_pairs(self, groups: list[Any]) -> Any:
        """Returns the values of all groups for pairs of tokens as `[B, N, S, S]`.

        The groups have `[Bg, N, Sg, Sg]`. Pairs with padding get zeros.
        """

    @abc.abstractmethod
    def first_tokens(self) -> Tokens:
        """Returns the first token of each row, whose hidden states are `[B, D]`."""

    @abc.abstractmethod
    def penalties(self, dtype: str, queries: Tokens) -> list[Any]:
        """Returns the values that each group adds to the attention scores.

        They are `[Bg, 1, 1, Sg]`, or `[Bg, 1, Qg, Sg]` if not all queries attend to the same
        tokens, in the dtype of the softmax.
        """


class PaddedLayout(TokenLayout):
    """Rows of equal length, padding included: hidden states are `[B, S, D]`, in one group.

    Args:
        mask: `<int32>[B, S]`, 0 for tokens that are not attended to.
        num_heads: int, N.
        keep_padding: bool, whether `scatter` returns computed values for padding, not zeros.
    """

    def __init__(self, mask: Any, num_heads: int, *, keep_padding: bool = True):
        self._mask = mask
        self._keep_padding = keep_padding
        self._num_heads = num_heads
        self.positions = ops.arange(ops.shape(mask)[1], dtype="int32")

    def gather(self, values):
        return values

    def scatter(self, hidden):
        if self._keep_padding:
            return hidden
        return ops.where(ops.expand_dims(self._mask > 0, -1), hidden, ops.zeros((), hidden.dtype))

    def scatter_pairs(self, groups):
        (pairs,) = groups
        mask = self._mask > 0
        real = ops.expand_dims(mask, (1, 2)) & ops.expand_dims(mask, (1, 3))
        return ops.where(real, pairs, ops.zeros((), pairs.dtype))

    def split(self, hidden):
        batch, length, size = ops.shape(hidden)
        heads = ops.reshape(hidden, (batch, length, self._num_heads, size // self._num_heads))
        return [ops.transpose(heads, (0, 2, 1, 3))]

    def merge(self, groups):
        (heads,) = groups
        batch, num_heads, length, size = ops.shape(heads)
        merged = ops.transpose(heads, (0, 2, 1, 3))
        return ops.reshape(merged, (batch, length, num_heads * size))

    def first_tokens(self):
        return _FirstTokens(self._num_heads)

    def penalties(self, dtype, queries):
        dtype = keras.backend.result_type(dtype, "float32")
        penalty = (1 - ops.cast(self._mask, dtype)) * MASKED_SCORE
        return [ops.expand_dims(penalty, (1, 2))]


class _FirstTokens(Tokens):
    def __init__(self, num_heads: int):
        self._num_heads = num_heads

    def pick(self, hidden):
        # Not hidden[:, 0]: a strided slice of a dynamic length is no LiteRT built-in.
        return ops.take(hidden, 0, axis=1)

    def split(self, hidden):
        batch, size = ops.shape(hidden)
        return [ops.reshape(hidden, (batch, self._num_heads, 1, size // self._num_heads))]

    def merge(self, groups):
        (heads,) = groups
        batch, num_heads, _, size = ops.shape(heads)
        return ops.reshape(heads, (batch, num_heads * size))


def as_layout(mask: Any, num_heads: int) -> TokenLayout:
    """Returns the layout of rows with that mask, or the given layout."""
    return mask if isinstance(mask, TokenLayout) else PaddedLayout(mask, num_heads)
