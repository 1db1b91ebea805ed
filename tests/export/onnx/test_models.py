"""Whole models as ONNX: heads, layers of Keras behind the encoder, and more than one call of it."""

import dataclasses

import keras
import numpy as np
import onnx_ir as ir
import pytest
from keras import layers

from keras_bert_zh import (
    BertEncoder,
    BertPreprocess,
    MaskedLM,
    SentenceEncoder,
    SpanReader,
    TextClassifier,
    TokenTagger,
    export_model,
)
from tests.conformance.cases import CASES, INPUTS, ONE_BLOCK
from tests.encoder.common import randomized
from tests.export.onnx.common import TOLERANCE, exported, largest
from tests.heads.text_models import text_model

HEADS = (MaskedLM, SentenceEncoder, SpanReader, TextClassifier, TokenTagger)
ROWS = {key: value.copy() for key, value in INPUTS.items()}
ROWS["input_mask"][1] = 0
TEXTS = ["今天天气很好", "房间", ""]


def encoder_of(**kwargs):
    return randomized(BertEncoder(None, config=ONE_BLOCK, dropout=0.0, **kwargs), scale=0.2)


def inputs_of():
    return {key: keras.Input((None,), dtype="int32", name=key) for key in INPUTS}


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.__name__)
def test_heads(head, tmp_path):
    case = CASES[head]
    model = case.make()
    randomized(model, scale=0.2)
    inputs = {**case.arguments[0], "input_mask": ROWS["input_mask"]}
    engines, _ = exported(model, tmp_path / "model")
    for engine in engines:
        assert largest(engine(inputs), model(inputs)) < TOLERANCE


@pytest.mark.parametrize("activation", ["gelu_erf", "gelu_tanh"])
def test_activations_of_heads(activation, tmp_path):
    config = dataclasses.replace(ONE_BLOCK, hidden_act=activation)
    model = randomized(MaskedLM(BertEncoder(None, config=config)), scale=0.2)
    places = np.tile(np.array([0, 2]), (len(ROWS["input_ids"]), 1))
    inputs = ROWS | {"mlm_positions": places}
    engines, _ = exported(model, tmp_path / "model")
    for engine in engines:
        assert largest(engine(inputs), model(inputs)) < TOLERANCE


@pytest.mark.parametrize("pooling", ["cls", "max", "pooled_output"])
def test_poolings(pooling, tmp_path):
    model = SentenceEncoder(encoder_of(), pooling)
    engines, _ = exported(model, tmp_path / "model")
    for engine in engines:
        assert largest(engine(ROWS), model(ROWS)) < TOLERANCE


@pytest.mark.parametrize("head", [TextClassifier, TokenTagger], ids=lambda head: head.__name__)
def test_texts(head, tiny_block, tmp_path):
    model = text_model(tiny_block, head)
    engines, _ = exported(model, tmp_path / "model")
    expected = model.predict(TEXTS, verbose=0)
    for engine in engines:
        assert largest(engine.predict(TEXTS, batch_size=2, verbose=0), expected) < TOLERANCE
        assert engine.labels == ("a", "b")


def test_pairs_and_windows(tiny_block, tmp_path):
    model = text_model(tiny_block, stride=2)
    model.takes_pairs = True
    pairs = (TEXTS, ["今天是晴天，房间很干净", "好", "不"])
    engines, _ = exported(model, tmp_path / "model")
    expected = model.predict(pairs, verbose=0)
    for engine in engines:
        assert largest(engine.predict(pairs, verbose=0), expected) < TOLERANCE


def test_vectors_of_windows_are_scaled_after_their_mean(tiny_block, tmp_path):
    model = SentenceEncoder(tiny_block, "mean", normalize=True, max_length=6, stride=2)
    engines, _ = exported(model, tmp_path / "model")
    expected = model.predict(TEXTS, verbose=0)
    for engine in engines:
        assert largest(engine.predict(TEXTS, verbose=0), expected) < TOLERANCE


def test_a_sequential_of_texts(tiny_block, tmp_path):
    preprocess = BertPreprocess(tiny_block, max_length=8)
    encoder = BertEncoder(tiny_block, output_key="sequence_output")
    behind = [layers.GlobalAveragePooling1D(), layers.Dropout(0.1), layers.Dense(3, "softmax")]
    model = keras.Sequential([preprocess, encoder, *behind])
    expected = model.predict(np.array(TEXTS, object), verbose=0)
    engines, _ = exported(model, tmp_path / "model")
    for engine in engines:
        assert largest(engine.predict(TEXTS, verbose=0), expected) < TOLERANCE


def test_two_calls_share_their_weights(tmp_path):
    encoder, inputs = encoder_of(), inputs_of()
    others = {**inputs, "segment_ids": 1 - inputs["segment_ids"]}
    both = layers.Concatenate()([encoder(inputs), encoder(others)])
    model = keras.Model(inputs, {"far": layers.Dense(2)(both), "near": both})
    engines, graph = exported(model, tmp_path / "model")
    for engine in engines:
        assert largest(engine(ROWS), model(ROWS)) < TOLERANCE
    tables = [name for name in graph.initializers if name.endswith("word.embeddings")]
    assert tables == ["encoder.embeddings.word.embeddings"]


def test_two_encoders(tmp_path):
    inputs = inputs_of()
    one, other = encoder_of(), randomized(encoder_of(output_key="sequence_output"), seed=1)
    model = keras.Model(inputs, [one(inputs), layers.GlobalMaxPooling1D()(other(inputs))])
    engines, graph = exported(model, tmp_path / "model")
    for engine in engines:
        assert largest(engine(ROWS), model(ROWS)) < TOLERANCE
    assert {name.split(".")[0] for name in graph.initializers if "word.emb" in name} == {
        "encoder_0",
        "encoder_1",
    }


def test_recurrent_and_convolutional_layers(tmp_path):
    inputs, encoder = inputs_of(), encoder_of()
    hidden = layers.Conv1D(4, 3, padding="same")(encoder(inputs, output_key="sequence_output"))
    model = keras.Model(inputs, layers.Bidirectional(layers.GRU(3))(hidden, mask=None))
    # OpenVINO does not take the loops of Keras's recurrent layers.
    from keras_bert_zh import ExportedModel

    engine = ExportedModel(export_model(model, tmp_path / "model"))
    rows = ROWS | {"input_mask": INPUTS["input_mask"]}
    assert largest(engine(rows), model(rows)) < TOLERANCE


def test_names_of_hugging_face(tmp_path):
    model = TextClassifier(encoder_of(), ["a", "b"])
    engines, graph = exported(model, tmp_path / "model", huggingface_names=True)
    given = {value.name: value.dtype for value in graph.inputs}
    names = ("input_ids", "attention_mask", "token_type_ids")
    assert given == dict.fromkeys(names, ir.DataType.INT64)
    assert [str(axis) for axis in graph.inputs[0].shape] == ["batch", "length"]
    assert [value.name for value in graph.outputs] == ["logits"]
    for engine in engines:
        assert largest(engine(ROWS), model(ROWS)) < TOLERANCE


def test_lora_is_merged_and_a_compiled_encoder_taken(tmp_path):
    encoder = encoder_of(jit_compile=True)
    for block in encoder.blocks:
        block.attention.query.enable_lora(2)
        block.attention.query.lora_kernel_b.assign(np.ones((2, 12)))
    encoder.embeddings.word.enable_lora(2)
    encoder.embeddings.word.lora_embeddings_b.assign(np.ones((2, 12)))
    engines, _ = exported(encoder, tmp_path / "model")
    for engine in engines:
        assert largest(engine(INPUTS), encoder(INPUTS)) < TOLERANCE


def test_comparisons_of_other_things_than_integers(tmp_path):
    encoder, inputs = encoder_of(), inputs_of()
    ids, mask = (keras.ops.cast(inputs[key], "bool") for key in ("input_ids", "input_mask"))
    same = keras.ops.cast(keras.ops.equal(ids, mask), "float32")
    far = keras.ops.cast(inputs["input_ids"] > 2, "float32")
    model = keras.Model(inputs, {"far": far, "pooled": encoder(inputs), "same": same})
    engines, _ = exported(model, tmp_path / "model")
    for engine in engines:
        assert largest(engine(ROWS), model(ROWS)) < TOLERANCE


def test_other_outputs_are_refused(tmp_path):
    inputs = inputs_of()
    found = encoder_of()(inputs, as_dict=True, all_layers=True)
    model = keras.Model(inputs, found["encoder_outputs"][0])
    with pytest.raises(ValueError, match="outputs of all layers and of attention"):
        export_model(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_weights_that_keras_has_quantised_are_refused(tmp_path):
    model = keras.Sequential([encoder_of(), layers.Dense(2)])
    model(INPUTS)
    model.quantize("int8")
    with pytest.raises(
        ValueError, match=r"Keras has quantised .* to int8.*before you call model.quantize"
    ):
        export_model(model, tmp_path / "model")
