"""Layers that XLA compiles inside a model that is not compiled."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def compiled(function: Callable[..., Any], layer: keras.layers.Layer) -> Callable[..., Any]:
    """Returns the function, compiled by XLA; see `portable.compiled`."""
    return Compiled(function, layer)


class Compiled:
    """A function that XLA compiles, and compiles again when the layer has changed.

    Changes are new or removed variables, dtype policies and dropout rates, in sublayers too. There
    is one trace for each set of arguments that are not tensors, and XLA compiles it once for each
    shape.

    Args:
        function: the function.
        layer: the layer.
    """

    def __init__(self, function: Callable[..., Any], layer: keras.layers.Layer):
        self._function = function
        self._layer = layer
        self._state: tuple | None = None
        self.current: Any = None

    def __call__(self, *arguments: Any) -> Any:
        layers = list(self._layer._flatten_layers())
        state = (
            [id(variable) for variable in self._layer.variables],
            [layer.dtype_policy.name for layer in layers],
            [getattr(layer, "rate", None) for layer in layers],
        )
        if state != self._state:
            self.current = tf.function(
                self._function, jit_compile=True, autograph=False, reduce_retracing=True
            )
            self._state = state
        return self.current(*arguments)
