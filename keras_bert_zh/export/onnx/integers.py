"""Integers that stay integers."""

from typing import Any

import numpy as np
import onnx_ir as ir

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
        known = [source.dtype for source in sources if isinstance(source, ir.Value)]
        if None in sources or not known or len(set(known)) > 1:
            continue
        for index, source in enumerate(sources):
            of_kind = source
            if not isinstance(source, ir.Value):
                of_kind = _constant(graph, node, source.astype(known[0].numpy()))
            node.replace_input_with(index, of_kind)


def _integer_source(value: Any) -> ir.Value | np.ndarray | None:
    """Returns the integers that a float was made of, or whole numbers that are a constant."""
    made = value.producer()
    if made is not None and made.op_type == "Cast":
        source = made.inputs[0]
        return source if source.dtype in (ir.DataType.INT32, ir.DataType.INT64) else None
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is None:
        return None
    array = tensor.numpy()
    whole = array.dtype.kind in "fiu" and np.array_equal(array, np.round(array))
    return array if whole else None


def _constant(graph: ir.Graph, node: ir.Node, array: np.ndarray) -> ir.Value:
    constant = ir.node("Constant", [], {"value": ir.tensor(array)})
    graph.insert_before(node, constant)
    (value,) = constant.outputs
    value.dtype, value.shape = ir.DataType.from_numpy(array.dtype), ir.Shape(array.shape)
    return value
