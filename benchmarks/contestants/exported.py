"""Our exports, and NNCF on the usual one; imported in processes of their own."""

import pathlib
import resource
import time
from typing import Any

import numpy as np
import onnx

from benchmarks.workloads import (
    HUGGINGFACE,
    ONNX,
    REVIEW_LENGTH,
    STATIC_INT8,
    draw_reviews,
)
from keras_bert_zh import BertEncoder, BertPreprocess, export_model
from keras_bert_zh.export.onnx.names import GRAPH

_SAMPLES = 96


class Export:
    """Writes one of our exports, and keeps what that took.

    Args:
        place: the folder of all files.
        name: str, the folder to write there.
        output_key: str, the output of the encoder, or `None` for both.
        dtype: str, or `None`.
        static: bool, whether int8 is calibrated.
    """

    def __init__(
        self, place: str, name: str, output_key: str | None, dtype: str | None, static: bool
    ):
        checkpoint = pathlib.Path(place, HUGGINGFACE)
        encoder = BertEncoder(checkpoint, output_key=output_key)
        preprocess = BertPreprocess(checkpoint, max_length=REVIEW_LENGTH)
        weights = sum(4 * variable.value.shape.num_elements() for variable in encoder.variables)
        calibration = draw_reviews(_SAMPLES) if static else None
        before, start = _peak(), time.perf_counter()
        folder = export_model(
            encoder,
            pathlib.Path(place, name),
            dtype=dtype,
            calibration=calibration,
            preprocess=preprocess,
            huggingface_names=True,
        )
        seconds, added = time.perf_counter() - start, _peak() - before
        nodes = [
            node.name for node in onnx.load(folder / GRAPH, load_external_data=False).graph.node
        ]
        self._facts = {
            "seconds": seconds,
            "memory over weights": added / weights,
            "MB": sum(file.stat().st_size for file in folder.glob(f"{GRAPH}*")) / 1e6,
            "operators": len(nodes),
            "of a block": sum("block_0/" in name for name in nodes),
        }

    def facts(self) -> dict[str, Any]:
        return self._facts


class StaticQuantizer:
    """Writes the usual graph quantised by NNCF, as its documentation shows it for Transformers."""

    def __init__(self, place: str):
        import nncf

        preprocess = BertPreprocess(pathlib.Path(place, HUGGINGFACE), max_length=REVIEW_LENGTH)
        texts = draw_reviews(_SAMPLES)
        batches = []
        for first in range(0, len(texts), 8):
            ids = preprocess(texts[first : first + 8])
            arrays = {name: np.asarray(value, "int64") for name, value in ids.items()}
            batches.append(
                {
                    "input_ids": arrays["input_ids"],
                    "attention_mask": arrays["input_mask"],
                    "token_type_ids": arrays["segment_ids"],
                }
            )
        quantized = nncf.quantize(
            onnx.load(pathlib.Path(place, ONNX)),
            nncf.Dataset(batches),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(batches),
        )
        onnx.save(quantized, pathlib.Path(place, STATIC_INT8))


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
