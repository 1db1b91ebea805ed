"""The functions that compute the layers on the current Keras backend.

This is the only place where layers, encoder and heads check the backend. On TensorFlow it chooses
special functions that save time and memory; on other backends, those of `portable.py`, which
document each function.
"""

import keras

from keras_bert_zh.layers.portable import probabilities

BACKEND = keras.backend.backend()
ON_TENSORFLOW = BACKEND == "tensorflow"

__all__ = [
    "BACKEND",
    "ON_TENSORFLOW",
    "add_in_training",
    "assert_positions",
    "assert_values",
    "attention",
    "compiled",
    "dropout",
    "dropout_algorithm",
    "floats_may_stand_in",
    "gelu_erf",
    "gelu_tanh",
    "layer_norm",
    "layout_of",
    "probabilities",
    "refuse_loss_scaling",
    "refuse_several_devices",
    "require_tensorflow",
    "rows",
    "scan",
    "unwritten",
]

if ON_TENSORFLOW:
    from keras_bert_zh.layers.tensorflow.add import add_in_training
    from keras_bert_zh.layers.tensorflow.assertions import (
        assert_positions,
        assert_values,
        floats_may_stand_in,
    )
    from keras_bert_zh.layers.tensorflow.attention import attention
    from keras_bert_zh.layers.tensorflow.compiled import compiled
    from keras_bert_zh.layers.tensorflow.devices import refuse_loss_scaling, refuse_several_devices
    from keras_bert_zh.layers.tensorflow.dropout import dropout, dropout_algorithm
    from keras_bert_zh.layers.tensorflow.empty import unwritten
    from keras_bert_zh.layers.tensorflow.gelu import gelu_erf, gelu_tanh
    from keras_bert_zh.layers.tensorflow.layer_norm import layer_norm
    from keras_bert_zh.layers.tensorflow.layout import layout_of
    from keras_bert_zh.layers.tensorflow.rows import rows
    from keras_bert_zh.layers.tensorflow.scan import scan
else:
    from keras_bert_zh.layers.portable import (
        add_in_training,
        assert_positions,
        assert_values,
        attention,
        compiled,
        dropout,
        dropout_algorithm,
        floats_may_stand_in,
        gelu_erf,
        gelu_tanh,
        layer_norm,
        layout_of,
        refuse_loss_scaling,
        refuse_several_devices,
        rows,
        scan,
        unwritten,
    )


def require_tensorflow(what: str) -> None:
    """Raises ValueError unless the backend is TensorFlow."""
    if not ON_TENSORFLOW:
        raise ValueError(
            f"{what} works only on the TensorFlow backend, but Keras runs on {BACKEND}: start "
            "Python with KERAS_BACKEND=tensorflow."
        )
