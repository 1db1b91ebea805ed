"""ONNX Runtime on the exported graph; imported in processes of its own."""

import pathlib
import time

import numpy as np
import onnxruntime

from benchmarks.contest import cores
from benchmarks.contestants.encoder import Encoder, onnx_arguments
from benchmarks.workloads import INT8, ONNX


class OnnxRuntime(Encoder):
    """An `InferenceSession`; compiling is the optimisation of its graph."""

    def __init__(self, place: str, file: str):
        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores()
        start = time.perf_counter()
        path = str(pathlib.Path(place, file))
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._compiled = time.perf_counter() - start
        outputs = [node.name for node in self._session.get_outputs()]
        self.ways = {name.removesuffix("_output"): self._caller(name) for name in outputs}

    def _caller(self, output: str):
        return lambda inputs: self._session.run([output], onnx_arguments(inputs))[0]

    def trace(self, way: str, inputs: dict[str, np.ndarray]) -> dict[str, float]:
        return {"compile": self._compiled}


class Quantizer:
    """Writes the graph with weights in int8."""

    def __init__(self, place: str):
        # Slow to import, and of no use in the encoder's process.
        from onnxruntime.quantization import QuantType, quantize_dynamic

        source, target = pathlib.Path(place, ONNX), pathlib.Path(place, INT8)
        quantize_dynamic(source, target, weight_type=QuantType.QInt8)
