"""Checks of an encoder's arguments."""

from keras_bert_zh.arguments import is_int
from keras_bert_zh.layers import kernels


def check_computing(jit_compile: bool, padding_free: bool | None) -> None:
    """Raises ValueError if an encoder's arguments can't be combined, or need TensorFlow."""
    if jit_compile and padding_free:
        raise ValueError(
            "jit_compile=True can't be combined with padding_free=True: XLA needs shapes that "
            "don't depend on the mask."
        )
    for name, value in (("jit_compile", jit_compile), ("padding_free", padding_free)):
        if value and not kernels.ON_TENSORFLOW:
            raise ValueError(
                f"{name}=True works only on the TensorFlow backend. On the {kernels.BACKEND} "
                "backend, compile the whole model, with padding: model.compile(jit_compile=True)."
            )


def check_blocks(count: int | None, blocks: int) -> None:
    """Raises ValueError unless this is a number of blocks that can be frozen, or None."""
    if count is not None and not (is_int(count) and 0 <= count <= blocks):
        raise ValueError(
            f"freeze_layers takes a number of blocks from 0 to {blocks}, or None to freeze "
            f"nothing; got {count!r}."
        )
