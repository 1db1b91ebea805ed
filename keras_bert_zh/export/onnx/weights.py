"""Weights of layers as ONNX tensors, which are only read when they are written."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import onnx_ir as ir

from keras_bert_zh.layers.adapted import Adapted, to_float32


def weight(layer: keras.layers.Layer, name: str) -> ir.LazyTensor:
    """Returns a layer's weight of that name, `<float32>`, with LoRA merged into it.

    Raises:
        ValueError: if Keras has quantised it.
    """
    _check(layer)
    return _lazy(lambda: _read(layer, name), getattr(layer, name).shape)


def joined(
    layers: Sequence[keras.layers.Layer], name: str, scales: Sequence[float]
) -> ir.LazyTensor:
    """Returns the weights of some layers as one, side by side along the last axis.

    Args:
        layers: layers of one shape.
        name: str, the name of their weight.
        scales: what each is multiplied by.
    """
    for layer in layers:
        _check(layer)

    def read():
        parts = [_read(layer, name) for layer in layers]
        return np.concatenate([p * np.float32(s) for p, s in zip(parts, scales, strict=True)], -1)

    *rows, columns = getattr(layers[0], name).shape
    return _lazy(read, (*rows, columns * len(layers)))


def _lazy(read: Callable[[], np.ndarray], shape: Sequence[int]) -> ir.LazyTensor:
    def tensor():
        return ir.tensor(np.ascontiguousarray(read()))

    return ir.LazyTensor(tensor, dtype=ir.DataType.FLOAT, shape=ir.Shape(shape))


def _read(layer: Any, name: str) -> np.ndarray:
    if isinstance(layer, Adapted) and name == layer.adapted:
        return layer.merged()
    return to_float32(getattr(layer, name))


def _check(layer: Any) -> None:
    if getattr(layer, "quantization_mode", None) is not None:
        raise ValueError(
            f"Keras has quantised {layer.path} to {layer.quantization_mode}, which other engines "
            "can't read. Export the model before you call model.quantize(...), with "
            'dtype="int8".'
        )
