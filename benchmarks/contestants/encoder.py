"""What all encoders that are timed have in common."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

# A turn of a fast call takes so many seconds at least.
_TURN = 0.3
# So long a call is its own warm-up.
_LONG = 1.0


class Encoder:
    """An encoder that is called in one or several ways, from NumPy arrays to one.

    Attributes:
        ways: dict of functions by name, each of inputs, returning an array.
    """

    ways: dict[str, Callable[[Any], np.ndarray]]

    def __init__(self):
        self._inputs = {}

    def prepare(self, way: str, case: str, inputs: Any) -> tuple[dict[str, float], np.ndarray]:
        """Keeps the inputs, calls with them twice, and returns seconds by phase and the output."""
        self._inputs[case] = inputs
        phases = self.trace(way, inputs)
        phases["first call"] = _seconds(self.ways[way], inputs)
        phases["second call"] = _seconds(self.ways[way], inputs)
        return phases, self.output(way, inputs)

    def warm_up(self, way: str, case: str, inputs: Any) -> None:
        """Keeps the inputs and calls with them once."""
        self._inputs[case] = inputs
        self.ways[way](inputs)

    def trace(self, way: str, inputs: Any) -> dict[str, float]:
        """Does what comes before the first call, and returns its seconds by phase."""
        return {}

    def run(self, way: str, case: str) -> float:
        """Returns the median seconds of a call, over as many as make a turn."""
        function, inputs = self.ways[way], self._inputs[case]
        seconds = [_seconds(function, inputs)]
        if seconds[0] < _LONG:
            seconds = [_seconds(function, inputs)]
            while sum(seconds) < _TURN:
                seconds.append(_seconds(function, inputs))
        return statistics.median(seconds)

    def output(self, way: str, inputs: Any) -> np.ndarray:
        return self.ways[way](inputs)


def onnx_arguments(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the inputs of the exported graph."""
    return {
        "input_ids": inputs["input_ids"].astype(np.int64),
        "attention_mask": inputs["input_mask"].astype(np.int64),
        "token_type_ids": inputs["segment_ids"].astype(np.int64),
    }


def _seconds(function: Callable[[Any], np.ndarray], inputs: Any) -> float:
    start = time.perf_counter()
    function(inputs)
    return time.perf_counter() - start
