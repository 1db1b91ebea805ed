"""Whether tokens are laid out with padding or without."""

import tensorflow as tf

from keras_bert_zh.layers import portable
from keras_bert_zh.layers.tensorflow.padding_free_layout import PaddingFreeLayout
from keras_bert_zh.layers.tensorflow.placement import in_xla, on_cpu
from keras_bert_zh.layers.token_layout import TokenLayout
from keras_bert_zh.messages import says_it_all


@says_it_all
def layout_of(mask: tf.Tensor, num_heads: int, padding_free: bool | None) -> TokenLayout:
    """Returns the layout of rows with that mask, `<int32>[B, S]`, where this is computed or traced.

    Raises:
        ValueError: if `padding_free` is set and XLA compiles.
    """
    if padding_free and in_xla():
        raise ValueError(
            "BertEncoder(padding_free=True) can't be compiled by XLA, which needs shapes that "
            "don't depend on the mask. Pass padding_free=None, or compile the model with "
            "jit_compile=False."
        )
    if padding_free or (padding_free is None and on_cpu()):
        return PaddingFreeLayout(mask, num_heads)
    return portable.layout_of(mask, num_heads, padding_free)
