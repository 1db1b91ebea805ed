"""Integers that stay integers."""

from typing import Any

import numpy as np
import onnx_ir as ir

_FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE)
_COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")


def keep_integers(graph: ir.Graph) -> None:
    """Lets a graph of tf2onnx compare integers as they are.

    tf2onnx makes floats of them before, and an engine that computes in bfloat16 then takes 256 and
    257 for one number.
    """
    for node in graph:
        if node.op_type not in _COMPARISONS:
            continue
        sources = [_integer_source(value) for value in node.inputs]
        kinds = {source.dtype for source in sources if isinstance(source, ir.Value)}
        if len(kinds) != 1 or any(source is None for source in sources):
            continue
        (kind,) = kinds
        for index, source in enumerate(sources):
            known = isinstance(source, ir.Value)
            node.replace_input_with(
                index, source if known else _constant(graph, node, source, kind)
            )


def _integer_source(value: Any) -> Any:
    """Returns the integers that a float was made of, or whole numbers that are a constant."""
    made = value.producer()
    if made is not None and made.op_type == "Cast":
        source, became = made.inputs[0], made.attributes["to"].as_int()
        whole = source.dtype in (ir.DataType.INT32, ir.DataType.INT64)
        return source if whole and became in _FLOATS else None
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is None:
        return None
    array = tensor.numpy()
    # No infinity, and nothing that an int32 does not hold.
    is_whole = array.dtype.kind in "fiu" and (abs(array) < 2**31).all()
    return array if is_whole and (array == np.round(array)).all() else None


def _constant(graph: ir.Graph, node: ir.Node, array: np.ndarray, kind: Any) -> ir.Value:
    array = array.astype(kind.numpy())
    constant = ir.node("Constant", [], {"value": ir.tensor(array)})
    graph.insert_before(node, constant)
    (value,) = constant.outputs
    value.dtype, value.shape = kind, ir.Shape(array.shape)
    return value
