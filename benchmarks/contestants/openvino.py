"""OpenVINO on the exported graph; imported in processes of its own."""

import pathlib
import time

import numpy as np
import openvino

from benchmarks.contest import cores
from benchmarks.contestants.encoder import Encoder, onnx_arguments
from benchmarks.workloads import ONNX


class OpenVino(Encoder):
    """A compiled model, for all shapes."""

    def __init__(self, place: str, precision: str, file: str = ONNX):
        super().__init__()
        start = time.perf_counter()
        options = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": cores()}
        path = str(pathlib.Path(place, file))
        self._model = openvino.Core().compile_model(path, "CPU", options)
        self._compiled = time.perf_counter() - start
        self.ways = {}
        for index, port in enumerate(self._model.outputs):
            # A tensor may have several names.
            way = next(n.removesuffix("_output") for n in port.names if n.endswith("_output"))
            self.ways[way] = self._caller(index)

    def _caller(self, index: int):
        return lambda inputs: self._model(onnx_arguments(inputs))[index]

    def trace(self, way: str, inputs: dict[str, np.ndarray]) -> dict[str, float]:
        return {"compile": self._compiled}
