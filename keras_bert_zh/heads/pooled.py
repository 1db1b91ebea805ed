"""Pools the hidden states of a text into one vector."""

from keras import ops

# What torch.nn.functional.normalize divides by at least, squared.
_LEAST = 1e-24


def pooled(hidden, mask, mode: str):
    """Returns `<float>[B, D]`, zeros for a text without tokens.

    Args:
        hidden: `<float>[B, S, D]`, in a dtype that can represent the sum of S of them.
        mask: `<int32>[B, S]`, 1 for the tokens to pool.
        mode: `"cls"` for the first of these tokens, `"mean"` or `"max"` over all of them.

    Reference:
        `Pooling` in sentence-transformers 6.
    """
    weights = ops.cast(mask, hidden.dtype)
    count = ops.sum(weights, axis=1, keepdims=True)
    if mode == "max":
        highest = ops.max(
            ops.where(ops.expand_dims(weights > 0, -1), hidden, float("-inf")),
            axis=1,
            initial=float("-inf"),  # Keras refuses a batch without texts, unless it is told.
        )
        return ops.where(count > 0, highest, 0.0)
    if mode == "cls":
        weights = weights * ops.cast(ops.cumsum(weights, axis=1) == 1, hidden.dtype)
        count = 1.0
    total = ops.squeeze(ops.matmul(ops.expand_dims(weights, 1), hidden), 1)
    return total / ops.maximum(count, 1.0)


def normalized(vectors):
    """Returns vectors `<float>[B, D]` scaled to length 1; vectors of zeros do not change."""
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squares, _LEAST))
