"""Weights of a graph in half precision."""

from typing import Any

import onnx_ir as ir

_HALVES = {"float16": ir.DataType.FLOAT16, "bfloat16": ir.DataType.BFLOAT16}
HALVES = tuple(_HALVES)


def store_in_half(graph: ir.Graph, dtype: str) -> None:
    """Stores matrices and tables of a graph in half precision, with half of the size.

    Each becomes float32 again before it is used, which engines do once, when they load it. What
    they compute in is for them to choose: ONNX Runtime has no products in half precision on a CPU,
    and OpenVINO makes products in bfloat16 of these where the CPU has them.

    Args:
        graph: a graph in float32.
        dtype: str, one of `HALVES`.
    """
    half = _HALVES[dtype]
    for value in list(graph.initializers.values()):
        if value.dtype != ir.DataType.FLOAT or len(value.shape or ()) < 2:
            continue
        uses = list(value.uses())
        stored = ir.Value(
            name=f"{value.name}.{dtype}",
            shape=value.shape,
            type=ir.TensorType(half),
            const_value=_in_half(value.const_value, half),
        )
        node = ir.node("Cast", [stored], {"to": ir.DataType.FLOAT}, name=f"{value.name}/cast")
        (wide,) = node.outputs
        wide.dtype, wide.shape = ir.DataType.FLOAT, value.shape
        graph.insert_before(next(iter(graph)), node)
        for user, index in uses:
            user.replace_input_with(index, wide)
        del graph.initializers[f"{value.name}"]
        graph.register_initializer(stored)


def _in_half(tensor: Any, half: ir.DataType) -> ir.LazyTensor:
    return ir.LazyTensor(
        lambda: ir.tensor(tensor.numpy().astype(half.numpy()), dtype=half),
        dtype=half,
        shape=ir.Shape(tensor.shape),
    )
