"""Graphs with products in int8."""

import contextlib
import enum
import logging
import os
import pathlib
import re
import sys
from collections.abc import Iterable, Mapping

import numpy as np
import onnx

# The products of a block with weights. Those of attention take OpenVINO no longer in float.
_QUANTIZED = re.compile(r"/(query_key_value|projection|inner|outer)$")


class Products(enum.Enum):
    """The dtype of the products with weights in a graph."""

    FLOAT = enum.auto()
    INT8_BY_BATCH = enum.auto()
    INT8_BY_RANGES = enum.auto()


def quantize_dynamic(source: pathlib.Path, target: pathlib.Path) -> None:
    """Writes a graph with weights in int8, for ONNX Runtime.

    The other operand is converted to int8 at run time, by its value range in each batch.

    Args:
        source: the file of a graph.
        target: the file to write.

    Reference:
        https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization import quantize_dynamic as quantize

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # It advises what has been done.
    try:
        quantize(
            source,
            target,
            op_types_to_quantize=["MatMul"],
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
    finally:
        logging.disable(before)


def quantize_static(
    source: pathlib.Path, target: pathlib.Path, batches: Iterable[Mapping[str, np.ndarray]]
) -> None:
    """Writes a graph with weights and products in int8, for ONNX Runtime and OpenVINO.

    The value ranges of the other operands are measured on some texts of the user.

    Args:
        source: the file of a graph.
        target: the file to write.
        batches: inputs of the graph.

    Reference:
        `nncf.quantize`, with SmoothQuant (Xiao et al., 2022, https://arxiv.org/abs/2211.10438).
    """
    # Without it, NNCF tells its makers of each call.
    os.environ.setdefault("NNCF_CI", "1")
    import nncf

    nncf.set_log_level(logging.ERROR)
    model = onnx.load(source)
    batches = list(batches)
    others = [
        node.name
        for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm") and not _QUANTIZED.search(node.name)
    ]
    with contextlib.redirect_stdout(sys.stderr):  # Where progress belongs.
        quantized = nncf.quantize(
            model,
            nncf.Dataset(batches),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(batches),
            ignored_scope=nncf.IgnoredScope(names=others),
        )
    onnx.save(quantized, target)
