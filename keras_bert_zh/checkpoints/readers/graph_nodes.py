"""Reads the settings of a BERT from the nodes of a TensorFlow graph, without running it."""

import pathlib
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

# The operations in the feed-forward layer that tell one activation from another.
_ACTIVATIONS = {
    frozenset({"Tanh", "Pow"}): "gelu_tanh",
    frozenset({"Erf"}): "gelu_erf",
    frozenset({"Relu"}): "relu",
}

# What a dropout's rate is called, under the name of the dropout: by TF 1.13 to 2.1, and since.
DROPOUT_RATES = ("rate", "GreaterEqual/y")


class Nodes(NamedTuple):
    """The nodes of a graph.

    Attributes:
        where: the name of the graph in error messages.
        by_name: `NodeDef` by name.
    """

    where: str
    by_name: Mapping[str, Any]


def parse(path: pathlib.Path) -> saved_model_pb2.SavedModel:
    """Returns the content of a `saved_model.pb`.

    Raises:
        ValueError: if it is damaged.
    """
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ValueError(f"{path} is damaged or is not a SavedModel: {error}.") from error
    return saved_model


def count_blocks(nodes: Nodes, pattern: re.Pattern, first: str) -> int:
    """Returns the number of transformer blocks.

    Args:
        nodes: the graph.
        pattern: matches the number of the block in the name of a node.
        first: the scope of the first block, for the error message.

    Raises:
        ValueError: if there are none, or the numbers are not 0, 1, 2 and so on.
    """
    blocks = {int(match[1]) for match in map(pattern.search, nodes.by_name) if match}
    if not blocks or blocks != set(range(len(blocks))):
        raise ValueError(
            f"{nodes.where}: num_hidden_layers can't be found; expected nodes under {first}, "
            f"layer_1/ and so on, got nodes of the layers {sorted(blocks)}."
        )
    return len(blocks)


def activation(where: str, operations: Mapping[str, Collection[str]]) -> str:
    """Returns the activation of all feed-forward layers, by its name in BertConfig.

    Args:
        where: the name of the graph in error messages.
        operations: the operations in a feed-forward layer, by the name of its scope.

    Raises:
        ValueError: if they show no known activation, or more than one.
    """
    telling = frozenset().union(*_ACTIVATIONS)
    found = {_ACTIVATIONS.get(telling.intersection(ops)) for ops in operations.values()}
    name = found.pop() if len(found) == 1 else None
    if name is None:
        raise ValueError(
            f"{where}: hidden_act can't be found; expected the operations "
            f"{' or '.join('+'.join(sorted(ops)) for ops in _ACTIVATIONS)} in each feed-forward "
            f"layer, got { {scope: sorted(ops) for scope, ops in operations.items()} }."
        )
    return name


def agreed(nodes: Nodes, what: str, kind: type, names: Collection[str]) -> Any:
    """Returns the value that all of these scalar constants share.

    Args:
        nodes: the graph.
        what: the name of the value, for the error message.
        kind: bool, int or float, the type of the value.
        names: the names of the constants.

    Raises:
        ValueError: if a constant is missing or has another type, or if the values differ.
    """
    values = {name: _scalar(nodes.by_name.get(name)) for name in names}
    odd = [name for name, value in values.items() if type(value) is not kind]
    if odd:
        raise ValueError(
            f"{nodes.where}: {what} can't be found; expected a constant {kind.__name__} scalar "
            f"in {', '.join(odd)}."
        )
    examples = {value: name for name, value in values.items()}
    if len(examples) > 1:
        got = " and ".join(f"{value} in {name}" for value, name in examples.items())
        raise ValueError(f"{nodes.where}: {what} must be the same everywhere, got {got}.")
    return next(iter(examples))


def the_file(where: str, owner: str, files: Collection[str]) -> str:
    """Returns the file name of the vocabulary under assets/.

    Args:
        where: the name of the graph in error messages.
        owner: the object that names the file, for the error message.
        files: the names found.

    Raises:
        ValueError: if there is not exactly one name, or the name is a path.
    """
    if len(files) != 1 or any(pathlib.PurePath(file).name != (file or None) for file in files):
        raise ValueError(
            f"{where}: the vocabulary can't be found; expected the name of one file for {owner}, "
            f"got {sorted(files)}."
        )
    return next(iter(files))


def constant(node: Any) -> np.ndarray | None:
    """Returns the scalar or short vector of a constant node, None for any other node."""
    tensor = node.attr["value"].tensor if node is not None and node.op == "Const" else None
    # A damaged file may claim any size.
    axes = [] if tensor is None else [axis.size for axis in tensor.tensor_shape.dim]
    if tensor is None or len(axes) > 1 or any(size not in range(9) for size in axes):
        return None
    try:
        return tf.make_ndarray(tensor)
    except (TypeError, ValueError):
        return None


def _scalar(node: Any) -> bool | int | float | None:
    array = constant(node)
    if array is None or array.ndim or array.dtype == object:
        return None
    value = array[()]
    # Through text, so that the float32 nearest to 0.1 is read as 0.1.
    return float(str(value)) if isinstance(value, np.floating) else value.item()
