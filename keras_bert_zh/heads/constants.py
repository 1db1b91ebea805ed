"""The weights of a model as constants of a SavedModel's graphs."""

import pathlib
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

# An attribute of the nodes that stand for weights, until their values are there.
_MARK = "_keras_bert_zh_weight"
# Protocol buffers hold no more.
_MOST = 2**31 - 1


class Constants:
    """Constants of one number each that replace the weights while a model is traced.

    TensorFlow copies a graph several times for each function that calls it, with all constants in
    it. Therefore the real values are written into the file after TensorFlow has saved it.

    Args:
        variables: Keras variables. Their current values are used.
    """

    def __init__(self, variables: Iterable[Any]):
        variables = list(variables)
        self._numbers = {id(variable): number for number, variable in enumerate(variables)}
        self._values = [variable.numpy() for variable in variables]

    def within(self, function: Callable) -> Callable:
        """Returns a function that uses the constants instead of the variables when traced."""

        def call(*args, **kwargs):
            with _Scope(self._numbers, self._values):
                return function(*args, **kwargs)

        return call

    def fill(self, folder: pathlib.Path) -> None:
        """Writes the values into a SavedModel that was traced with these constants.

        Raises:
            ValueError: if it is larger than 2 GB.
        """
        path = folder / "saved_model.pb"
        saved = SavedModel.FromString(path.read_bytes())
        for graph in saved.meta_graphs:
            for function in graph.graph_def.library.function:
                for node in function.node_def:
                    if _MARK in node.attr:
                        value = self._values[node.attr[_MARK].i]
                        node.attr["value"].tensor.CopyFrom(_proto(value))
                        del node.attr[_MARK]
        if saved.ByteSize() > _MOST:
            raise ValueError(
                f"The SavedModel would take {saved.ByteSize() / 1e9:.1f} GB, but such a file can "
                'have at most 2.1 GB: export the model with dtype="bfloat16".'
            )
        path.write_bytes(saved.SerializeToString())
        (folder / "fingerprint.pb").unlink(missing_ok=True)  # That of the file before.


class _Scope(keras.StatelessScope):
    def __init__(self, numbers: dict[int, int], values: list[np.ndarray]):
        super().__init__()
        self._numbers, self._values = numbers, values
        self._graph = tf.compat.v1.get_default_graph()
        self._made: dict[int, tf.Tensor] = {}

    def get_current_value(self, variable):
        number = self._numbers.get(id(variable))
        if number is None:
            return None
        if number not in self._made:
            value = self._values[number]
            # Of the function, also where a loop in it asks.
            with self._graph.as_default():
                self._made[number] = made = tf.constant(0, value.dtype, value.shape)
            made.op._set_attr(_MARK, tf.compat.v1.AttrValue(i=number))
        return self._made[number]


def _proto(value: np.ndarray) -> Any:
    shape = tf.TensorShape(value.shape).as_proto()
    dtype = tf.as_dtype(value.dtype).as_datatype_enum
    return TensorProto(dtype=dtype, tensor_shape=shape, tensor_content=value.tobytes())
