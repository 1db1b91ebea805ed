"""The layout of rows with several texts, for XLA, whose shapes can't depend on the texts."""

from typing import Any

import keras
from keras import ops

from keras_bert_zh.layers.token_layout import MASKED_SCORE, PaddedLayout, Tokens


class PackedLayout(PaddedLayout):
    """Rows of equal length, each with several texts one after another.

    Hidden states are `[B, S, D]`, in one group. A token attends only to tokens of its own text, and
    positions restart with each text. Padding attends to padding.

    Args:
        mask: `<int32>[B, S]`, 0 for tokens that are not attended to.
        starts: `<int32>[B, T]`, the position in its row where each text begins. S, or any other
            number that is not a position in the row, means no text.
        num_heads: int, N.
        keep_padding: bool, whether `scatter` returns computed values for padding, not zeros.

    Reference:
        Krell et al., Efficient Sequence Packing without Cross-contamination, 2021
        (https://arxiv.org/abs/2107.02027).
    """

    def __init__(self, mask: Any, starts: Any, num_heads: int, *, keep_padding: bool):
        super().__init__(mask, num_heads, keep_padding=keep_padding)
        length = ops.shape(mask)[1]
        starts = ops.where(starts < 0, length, starts)
        self._starts = ops.minimum(starts, length - 1)
        starts = ops.expand_dims(starts, 1)
        begun = starts <= ops.expand_dims(self.positions, 1)  # [B, S, T]
        # The number of its text for each token; 0 for padding.
        self._texts = ops.sum(ops.cast(begun, "int32"), axis=-1) * mask
        self.positions = self.positions - ops.max(ops.where(begun, starts, 0), axis=-1)

    def scatter_pairs(self, groups):
        (pairs,) = groups
        real = self._same_text(self) & ops.expand_dims(self._texts > 0, (1, 3))
        return ops.where(real, pairs, ops.zeros((), pairs.dtype))

    def first_tokens(self):
        """Returns the first token of each text, whose hidden states are `[B, T, D]`."""
        return _FirstTokens(self, self._starts)

    def penalties(self, dtype, queries):
        dtype = keras.backend.result_type(dtype, "float32")
        others = 1 - ops.cast(self._same_text(queries), dtype)
        return [others * MASKED_SCORE]

    def _same_text(self, queries):
        """Returns whether two tokens belong to the same text, `<bool>[B, 1, Q, S]`."""
        looking = queries.pick(ops.expand_dims(self._texts, -1))
        return ops.expand_dims(looking == ops.expand_dims(self._texts, 1), 1)


class _FirstTokens(Tokens):
    """The first tokens of the texts; an arbitrary token if there is no text.

    Args:
        layout: PackedLayout.
        starts: `<int32>[B, T]`, each in `[0, S)`.
    """

    def __init__(self, layout: PackedLayout, starts: Any):
        self._layout = layout
        self._starts = starts

    def pick(self, hidden):
        return ops.take_along_axis(hidden, ops.expand_dims(self._starts, -1), axis=1)

    def split(self, hidden):
        return self._layout.split(hidden)

    def merge(self, groups):
        return self._layout.merge(groups)
