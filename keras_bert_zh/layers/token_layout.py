"""Where the tokens of a batch lie while the encoder computes on them."""

import abc
from typing import Any

import keras
from keras import ops

# What the original adds to the score of a padding position.
MASKED_SCORE = -10000.0


class TokenLayout(abc.ABC):
    """What attention has to know, and all other layers ignore.

    These take hidden states of any shape `[..., D]` and look at each token on its own. Attention
    needs rows of tokens, which the layout hands out by heads, in groups of rows of one length.

    Attributes:
        positions: `<int32>[...]`, the place of each token in its row.
        recomputes_attention: bool, whether training computes attention again for the gradients,
            which takes little time, rather than keep the probabilities, which take much memory.
    """

    positions: Any
    recomputes_attention = False

    @abc.abstractmethod
    def pack(self, values: Any) -> Any:
        """Returns what the layers compute on, of values `[B, S]`."""

    @abc.abstractmethod
    def unpack(self, hidden: Any) -> Any:
        """Returns hidden states as `[B, S, D]`."""

    @abc.abstractmethod
    def first(self, hidden: Any) -> Any:
        """Returns the hidden states of each row's first position, `[B, D]`."""

    @abc.abstractmethod
    def split(self, hidden: Any) -> list[Any]:
        """Returns each group's rows by heads, `<float>[Bg, N, Sg, H]`, of hidden states."""

    @abc.abstractmethod
    def merge(self, groups: list[Any]) -> Any:
        """Returns hidden states of each group's rows by heads: the inverse of `split`."""

    @abc.abstractmethod
    def split_first(self, first: Any) -> list[Any]:
        """Returns what `first` gave by groups and heads, `<float>[Bg, N, 1, H]`."""

    @abc.abstractmethod
    def merge_first(self, groups: list[Any]) -> Any:
        """The inverse of `split_first`."""

    @abc.abstractmethod
    def penalties(self, dtype: str) -> list[Any]:
        """Returns what each group adds to its scores, `[Bg, 1, 1, Sg]`, in the softmax's dtype."""


class PaddedLayout(TokenLayout):
    """Rows of equal length, padding included: hidden states are `[B, S, D]`, in one group.

    Args:
        mask: `<int32>[B, S]`, 0 where nobody looks.
        num_heads: int, N.
        keep_padding: bool, whether `unpack` leaves what was computed for padding, not zeros.
    """

    def __init__(self, mask: Any, num_heads: int, *, keep_padding: bool = True):
        self._mask = mask
        self._keep_padding = keep_padding
        self._num_heads = num_heads
        self.positions = ops.arange(ops.shape(mask)[1], dtype="int32")

    def pack(self, values):
        return values

    def unpack(self, hidden):
        if self._keep_padding:
            return hidden
        return ops.where(ops.expand_dims(self._mask > 0, -1), hidden, ops.zeros((), hidden.dtype))

    def first(self, hidden):
        # Not hidden[:, 0]: a strided slice of a dynamic length is no LiteRT built-in.
        return ops.take(hidden, 0, axis=1)

    def split(self, hidden):
        batch, length, size = ops.shape(hidden)
        heads = ops.reshape(hidden, (batch, length, self._num_heads, size // self._num_heads))
        return [ops.transpose(heads, (0, 2, 1, 3))]

    def merge(self, groups):
        (heads,) = groups
        batch, num_heads, length, size = ops.shape(heads)
        merged = ops.transpose(heads, (0, 2, 1, 3))
        return ops.reshape(merged, (batch, length, num_heads * size))

    def split_first(self, first):
        batch, size = ops.shape(first)
        return [ops.reshape(first, (batch, self._num_heads, 1, size // self._num_heads))]

    def merge_first(self, groups):
        (heads,) = groups
        batch, num_heads, _, size = ops.shape(heads)
        return ops.reshape(heads, (batch, num_heads * size))

    def penalties(self, dtype):
        dtype = keras.backend.result_type(dtype, "float32")
        penalty = (1 - ops.cast(self._mask, dtype)) * MASKED_SCORE
        return [ops.expand_dims(penalty, (1, 2))]


def as_layout(mask: Any, num_heads: int) -> TokenLayout:
    """Returns the layout of rows with that mask; a layout as it is."""
    return mask if isinstance(mask, TokenLayout) else PaddedLayout(mask, num_heads)
