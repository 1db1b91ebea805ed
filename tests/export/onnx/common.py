"""What the tests of ONNX share."""

import keras
import numpy as np
import onnx_ir as ir

from keras_bert_zh import ExportedModel, export_model
from keras_bert_zh.export.onnx.names import GRAPH
from tests.encoder.common import difference

ENGINES = ("onnxruntime", "openvino")
# What float32 may differ by from the layer.
TOLERANCE = 2e-5


def exported(model, folder, **kwargs):
    """Returns the exported model in every engine, and its graph."""
    export_model(model, folder, **kwargs)
    return [ExportedModel(folder, engine) for engine in ENGINES], graph_of(folder)


def graph_of(folder):
    return ir.load(folder / GRAPH).graph


def largest(found, expected):
    """The largest difference between two structures of arrays of the same shapes."""
    found, expected = keras.tree.flatten(found), keras.tree.flatten(expected)
    assert [np.shape(a) for a in found] == [np.shape(b) for b in expected]
    return max(difference(a, b) for a, b in zip(found, expected, strict=True))
