"""The graph of an encoder in ONNX Runtime and OpenVINO: that of the layer, without padding."""

import dataclasses
import re
import sys

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder
from keras_bert_zh.engines.onnxruntime import ONNXRuntime
from keras_bert_zh.export.onnx.graph import model_graph
from keras_bert_zh.export.onnx.quantize import Products
from tests.conformance.cases import ELECTRA, ERNIE
from tests.encoder.common import SMALL, SMALL_BLOCK, randomized
from tests.encoder.masks import MASKS, inputs_of
from tests.export.onnx.common import ENGINES, TOLERANCE, exported, largest

LONG = dataclasses.replace(SMALL_BLOCK, max_position_embeddings=512)
OUTPUTS = ("pooled_output", "sequence_output")


def encoder_of(config=SMALL, **kwargs):
    arguments = {"output_key": None, "dropout": 0.0} | kwargs
    return randomized(BertEncoder(None, config=config, **arguments), scale=0.2)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """An encoder with both outputs, and its export in every engine."""
    encoder = encoder_of()
    engines, _ = exported(encoder, tmp_path_factory.mktemp("both") / "bert")
    return encoder, engines


@MASKS
def test_every_mask(pair, mask):
    encoder, engines = pair
    inputs = inputs_of(mask)
    expected = encoder(inputs)
    for model in engines:
        assert largest(model(inputs), expected) < TOLERANCE


@pytest.mark.parametrize("batch", [0, 1, 2, 5])
@pytest.mark.parametrize("length", [1, 2, 16, 17, 512])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_size(engine, length, batch, of_length):
    encoder, engines = of_length
    rng = np.random.default_rng(length + batch)
    inputs = {
        "input_ids": rng.integers(0, 53, (batch, length)),
        "input_mask": rng.integers(0, 2, (batch, length)),
    }
    inputs["input_mask"][1:2] = 0  # A row of padding alone.
    found = engines[ENGINES.index(engine)](inputs)
    assert found["sequence_output"].shape == (batch, length, 12)
    if batch:
        assert largest(found, encoder(inputs)) < TOLERANCE


@pytest.fixture(scope="module")
def of_length(tmp_path_factory):
    encoder = encoder_of(LONG)
    engines, _ = exported(encoder, tmp_path_factory.mktemp("long") / "bert")
    return encoder, engines


@pytest.mark.parametrize("config", [ERNIE, ELECTRA], ids=["ernie", "electra"])
def test_relatives(config, tmp_path):
    encoder = encoder_of(config)
    rng = np.random.default_rng(0)
    inputs = {
        key: rng.integers(0, size, (3, 7)) for key, size in encoder.config.input_sizes.items()
    }
    engines, _ = exported(encoder, tmp_path / "bert")
    for model in engines:
        assert largest(model(inputs), encoder(inputs)) < TOLERANCE


@pytest.mark.parametrize("activation", ["gelu_erf", "relu"])
def test_activations_and_the_pooled_output_alone(activation, tmp_path):
    config = dataclasses.replace(SMALL, hidden_act=activation)
    encoder = encoder_of(config, output_key="pooled_output")
    inputs = inputs_of(np.tril(np.ones((5, 7), "int32")))
    engines, graph = exported(encoder, tmp_path / "bert")
    for model in engines:
        assert largest(model(inputs), encoder(inputs)) < TOLERANCE
    # The last block computes queries and all that follows for the first tokens alone.
    assert [value.name for value in graph.outputs] == ["pooled_output"]
    operators = [node.op_type for node in graph if node.name.startswith("encoder/block_1")]
    assert operators.count("Reshape") == 2


@pytest.mark.parametrize("products", Products)
def test_the_forms_that_are_quantised(products):
    encoder = encoder_of()
    takes = {key: tf.TensorSpec((None, None), tf.int32, key) for key in encoder.config.input_sizes}
    model = model_graph(encoder, [encoder], takes, OUTPUTS, products=products)
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())
    inputs = inputs_of(np.tril(np.ones((5, 7), "int32")))
    found = dict(zip(OUTPUTS, session.run(OUTPUTS, inputs), strict=True))
    assert largest(found, encoder(inputs)) < TOLERANCE


def test_a_block_is_small_and_can_be_read(tmp_path):
    _, graph = exported(encoder_of(), tmp_path / "bert")
    scopes = [re.match(r"encoder/(\w+)", node.name) for node in graph]
    names = [scope[1] for scope in scopes if scope]
    assert len(names) == len(scopes)
    assert set(names) == {"packing", "embeddings", "block_0", "block_1", "pooler", "padding"}
    assert names.count("block_0") <= 60
    operators = {node.op_type for node in graph}
    assert {"LayerNormalization", "Gelu", "Softmax"} <= operators
    assert "encoder.block_0.attention.query_key_value.kernel" in graph.initializers


def test_indices_stay_integers(tmp_path):
    """No engine can round what no operator makes a float of."""
    _, graph = exported(encoder_of(), tmp_path / "bert")
    casts = [node for node in graph if node.op_type == "Cast"]
    assert casts
    assert not [node.name for node in casts if node.attributes["to"].value == ir.DataType.FLOAT]


@pytest.mark.parametrize("engine", ENGINES)
def test_bad_ids_get_the_error_of_the_layer(engine, pair):
    encoder, engines = pair
    model = engines[ENGINES.index(engine)]
    for wrong in (53, -1):
        inputs = {"input_ids": np.array([[1, wrong]])}
        with pytest.raises(ValueError, match="input_ids") as of_layer:
            encoder(inputs)
        with pytest.raises(ValueError, match="input_ids") as of_engine:
            model.predict(inputs, verbose=0)
        assert str(of_engine.value) == str(of_layer.value)


def test_a_missing_engine_is_named_with_its_extra(pair, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-bert-zh\[onnxruntime\]'"):
        ONNXRuntime(tmp_path, None, None)
