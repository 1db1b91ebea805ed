"""Chooses a token layout with or without padding."""

import contextlib
import contextvars
from collections.abc import Iterator

import tensorflow as tf

from keras_bert_zh.input_keys import TEXT_STARTS
from keras_bert_zh.layers import portable
from keras_bert_zh.layers.tensorflow.padding_free_layout import PaddingFreeLayout
from keras_bert_zh.layers.tensorflow.placement import in_xla, on_cpu
from keras_bert_zh.layers.token_layout import TokenLayout
from keras_bert_zh.messages import says_it_all

_WITH_PADDING = contextvars.ContextVar("with_padding", default=False)


@contextlib.contextmanager
def with_padding() -> Iterator[None]:
    """Context in which padding is computed, for engines whose shapes can't depend on the mask."""
    token = _WITH_PADDING.set(True)
    try:
        yield
    finally:
        _WITH_PADDING.reset(token)


@says_it_all
def layout_of(
    inputs: dict[str, tf.Tensor], num_heads: int, padding_free: bool | None
) -> TokenLayout:
    """Returns the layout of rows with these inputs for the current device or trace.

    Raises:
        ValueError: if `padding_free` is set and XLA compiles, or rows have several texts.
    """
    is_packed = TEXT_STARTS in inputs
    if padding_free and is_packed:
        raise ValueError(
            f"BertEncoder(padding_free=True) takes one text in each row, but {TEXT_STARTS} are "
            "for rows of several texts. Pass padding_free=None."
        )
    if padding_free and in_xla():
        raise ValueError(
            "BertEncoder(padding_free=True) can't be compiled by XLA, which needs shapes that "
            "don't depend on the mask. Pass padding_free=None, or compile the model with "
            "jit_compile=False."
        )
    padding_free_here = padding_free or (padding_free is None and on_cpu())
    if padding_free_here and not is_packed and not _WITH_PADDING.get():
        return PaddingFreeLayout(inputs["input_mask"], num_heads)
    return portable.layout_of(inputs, num_heads, padding_free)
