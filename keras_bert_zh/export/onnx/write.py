"""The format "onnx", which ONNX Runtime, OpenVINO and many others run."""

import pathlib
import tempfile
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import onnx_ir as ir

from keras_bert_zh.export.formats import Written
from keras_bert_zh.export.of_ids import OfIds, encoders_in
from keras_bert_zh.export.onnx.graph import model_graph
from keras_bert_zh.export.onnx.names import GRAPH, WEIGHTS
from keras_bert_zh.export.onnx.precision import HALVES, store_in_half
from keras_bert_zh.export.onnx.quantize import Products, quantize_dynamic, quantize_static
from keras_bert_zh.files.freed_memory import give_back


def write(
    source: OfIds,
    folder: pathlib.Path,
    dtype: str | None,
    *,
    calibration: Sequence[Mapping[str, np.ndarray]] | None = None,
    huggingface_names: bool = False,
) -> Written:
    """Writes the graph, and its weights in a file next to it.

    Args:
        source: the part of the model that computes on ids.
        folder: an existing folder.
        dtype: `None` for float32, `"float16"` or `"bfloat16"` for the weights only, or `"int8"`.
        calibration: batches of ids, on which the value ranges for int8 are measured.
        huggingface_names: bool, whether inputs are int64 and have the names of Hugging Face.
    """
    products = Products.FLOAT
    if dtype == "int8":
        products = Products.INT8_BY_RANGES if calibration else Products.INT8_BY_BATCH
    model = _model(source, products, huggingface_names=huggingface_names)
    names = dict(zip(source.takes, (f"{value.name}" for value in model.graph.inputs), strict=True))
    if dtype in HALVES:
        store_in_half(model.graph, dtype)
    if dtype == "int8":
        wide = np.int64 if huggingface_names else np.int32
        batches = calibration and [
            {names[key]: ids.astype(wide) for key, ids in batch.items() if key in names}
            for batch in calibration
        ]
        model = _quantized(model, batches, folder)
    _save(model, folder)
    give_back()
    return Written(names, dtype or "float32")


def _model(source: OfIds, products: Products, *, huggingface_names: bool) -> ir.Model:
    return model_graph(
        lambda ids: source.named(source(ids)),
        encoders_in(source.layers),
        source.specs(),
        list(keras.tree.flatten(source.outputs)),
        huggingface_names=huggingface_names,
        products=products,
    )


def _quantized(
    model: ir.Model, batches: Sequence[Mapping[str, np.ndarray]] | None, folder: pathlib.Path
) -> ir.Model:
    # Where there has to be room anyway.
    with tempfile.TemporaryDirectory(dir=folder) as place:
        before, after = pathlib.Path(place, GRAPH), pathlib.Path(place, "int8.onnx")
        _save(model, before.parent)
        if batches is None:
            quantize_dynamic(before, after)
        else:
            quantize_static(before, after, batches)
        return ir.load(after)


def _save(model: ir.Model, folder: pathlib.Path) -> None:
    # Apart, weights are not copied where they are written and read.
    ir.save(model, folder / GRAPH, external_data=WEIGHTS)
