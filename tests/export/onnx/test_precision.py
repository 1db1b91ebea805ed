"""Weights in half precision, and products in int8."""

import keras
import numpy as np
import onnx_ir as ir
import pytest

from keras_bert_zh import BertEncoder, ExportedModel, TextClassifier, export_model
from keras_bert_zh.export.onnx.names import WEIGHTS
from tests.conformance.cases import INPUTS
from tests.encoder.common import SMALL, difference, randomized
from tests.export.onnx.common import exported, graph_of, largest
from tests.export.onnx.test_encoder import LONG, encoder_of
from tests.heads.text_models import text_model

TEXTS = ["今天天气很好", "房间", "", "Keras"]


def size_of(folder):
    return (folder / WEIGHTS).stat().st_size


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_of_the_size(dtype, tiny_block, tmp_path):
    model = text_model(tiny_block)
    export_model(model, tmp_path / "whole")
    engines, graph = exported(model, tmp_path / "half", dtype=dtype)
    expected = model.predict(TEXTS, verbose=0)
    for engine in engines:
        assert 0 < largest(engine.predict(TEXTS, verbose=0), expected) < 0.01
    matrices = [value for value in graph.initializers.values() if len(value.shape) == 2]
    assert {value.dtype for value in matrices} == {ir.DataType[dtype.upper()]}
    assert size_of(tmp_path / "half") < 0.6 * size_of(tmp_path / "whole")


def test_indices_beyond_256_where_openvino_computes_in_bfloat16(tmp_path):
    encoder = encoder_of(LONG)
    lengths = np.array([[512], [511], [300], [257], [256], [3]])
    inputs = {"input_ids": np.random.default_rng(0).integers(0, 53, (6, 512))}
    inputs["input_mask"] = (np.arange(512) < lengths).astype("int32")
    model = ExportedModel(export_model(encoder, tmp_path / "bert", dtype="bfloat16"), "openvino")
    found, expected = model(inputs)["sequence_output"], encoder(inputs)["sequence_output"]
    # A wrong index is another token, 1 and more away.
    assert difference(found, expected) < 0.1


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "bfloat16", "float64"])
def test_models_of_other_dtypes_are_written_in_float32(dtype, tmp_path):
    encoder = randomized(BertEncoder(None, config=SMALL, dtype=dtype, dropout=0.0), scale=0.2)
    model = keras.Sequential([encoder, keras.layers.Dense(2, dtype=dtype)])
    expected = model(INPUTS)
    engine = ExportedModel(export_model(model, tmp_path / "model"))
    found = engine(INPUTS)
    assert found.dtype == "float32"
    assert largest(found, expected) < (0.05 if "bfloat16" in dtype else 1e-5)
    assert encoder.compute_dtype == keras.DTypePolicy(dtype).compute_dtype


def test_int8_by_the_range_of_each_batch(tiny_block, tmp_path):
    model = text_model(tiny_block)
    engines, graph = exported(model, tmp_path / "int8", dtype="int8")
    expected = model.predict(TEXTS, verbose=0)
    for engine in engines:
        assert 0 < largest(engine.predict(TEXTS, verbose=0), expected) < 0.02
    operators = [node.op_type for node in graph]
    # All products with weights, and none of attention.
    assert operators.count("MatMulInteger") == 6
    assert operators.count("MatMul") == 8


@pytest.mark.slow
def test_int8_by_the_ranges_of_texts(tiny_block, tmp_path):
    model = text_model(tiny_block)
    engines, graph = exported(model, tmp_path / "int8", dtype="int8", calibration=TEXTS)
    expected = model.predict(TEXTS, verbose=0)
    for engine in engines:
        assert 0 < largest(engine.predict(TEXTS, verbose=0), expected) < 0.05
    quantized = {
        value.name for value in graph.initializers.values() if value.dtype == ir.DataType.INT8
    }
    for name in ("query_key_value", "projection", "inner", "outer"):
        assert any(name in each for each in quantized), quantized
    assert not any("pooler" in each for each in quantized)


def test_ids_calibrate_too(tmp_path):
    model = TextClassifier(encoder_of(), ["a", "b"])
    with pytest.raises(ValueError, match=r"This model takes ids: pass a dict of .* as calibration"):
        export_model(model, tmp_path / "int8", dtype="int8", calibration=TEXTS)
    for wrong, message in (
        ({"input_ids": [[1, 53]]}, "input_ids"),
        ({"input_ids": np.ones((1, 2), "float32")}, "input_ids must be integers"),
        ("texts.txt", "not a single text or a path"),
    ):
        with pytest.raises(ValueError, match=message):
            export_model(model, tmp_path / "int8", dtype="int8", calibration=wrong)
    folder = export_model(
        model, tmp_path / "int8", dtype="int8", calibration={"input_ids": INPUTS["input_ids"]}
    )
    assert "QuantizeLinear" in {node.op_type for node in graph_of(folder)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "int4"}, "dtype must be"),
        ({"calibration": TEXTS}, 'calibration works only with dtype="int8"'),
        ({"dtype": "int8", "calibration": []}, "calibration is empty"),
        (
            {"format": "savedmodel", "calibration": TEXTS},
            "calibration works only with format='onnx'",
        ),
        (
            {"format": "savedmodel", "huggingface_names": True},
            "huggingface_names works only with format='onnx'",
        ),
    ],
)
def test_what_does_not_go_together(arguments, message, tiny_block, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_model(text_model(tiny_block), tmp_path / "model", **arguments)
    assert not list(tmp_path.iterdir())
