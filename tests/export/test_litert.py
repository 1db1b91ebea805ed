"""The format "litert": the layer's numbers, for all lengths and masks, without Flex."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from keras_bert_zh import BertConfig, BertEncoder, MaskedLM, SentenceEncoder, SpanReader
from keras_bert_zh.checkpoints.pooling import MODES
from tests.conformance.cases import INPUTS, POSITIONS
from tests.encoder.common import difference, randomized
from tests.export.models import TEXTS, classifier, encoder_of, exported
from tests.heads.text_models import text_model

CONFIG = BertConfig(
    vocab_size=60,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=48,
    max_position_embeddings=512,
)


@pytest.fixture(scope="module")
def encoder():
    return randomized(BertEncoder(None, config=CONFIG, output_key=None), scale=0.1)


@pytest.fixture(scope="module")
def elsewhere(encoder, tmp_path_factory):
    return exported(encoder, tmp_path_factory.mktemp("litert") / "model", "litert")


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("length", [1, 2, 17, 512])
def test_all_lengths_and_masks(encoder, elsewhere, rows, length):
    rng = np.random.default_rng(length)
    masks = rng.integers(0, 2, (rows, length))
    if rows == 3:
        masks[0], masks[1, length // 2 + 1 :] = 0, 0  # Padding alone, and behind the tokens.
    inputs = {
        "input_ids": rng.integers(0, 60, (rows, length)),
        "input_mask": masks,
        "segment_ids": rng.integers(0, 2, (rows, length)),
    }
    outputs = elsewhere(inputs)
    assert outputs["sequence_output"].shape == (rows, length, 32)
    assert outputs["pooled_output"].shape == (rows, 32)
    if rows == 0:
        return
    expected = {key: np.array(value) for key, value in encoder(inputs).items()}
    # With padding, the first token of padding alone looks at all of it.
    encoder.padding_free = False
    alone = masks.sum(1) == 0
    expected["pooled_output"][alone] = np.asarray(encoder(inputs)["pooled_output"])[alone]
    encoder.padding_free = None
    for key, value in expected.items():
        assert difference(outputs[key], value) < 1e-4


def test_nothing_but_built_in_operators(elsewhere):
    interpreter = Interpreter(str(elsewhere.folder / "model.tflite"))
    names = {details["op_name"] for details in interpreter._get_ops_details()}
    assert "FULLY_CONNECTED" in names or "BATCH_MATMUL" in names
    assert not {name for name in names if "Flex" in name or "VAR_HANDLE" in name}
    (signature,) = interpreter.get_signature_list().values()
    assert signature["inputs"] == ["input_ids", "input_mask", "segment_ids"]
    assert signature["outputs"] == ["pooled_output", "sequence_output"]


@pytest.mark.slow
def test_models_on_it(folder, tiny_block):
    model = MaskedLM(encoder_of(), next_sentence=True)
    inputs = INPUTS | {"mlm_positions": POSITIONS}
    for key, value in exported(model, folder, "litert")(inputs).items():
        assert difference(value, model(inputs)[key]) < 1e-4
    model, texts = classifier(), tf.constant(TEXTS)
    assert difference(exported(model, folder, "litert")(TEXTS), model(texts)) < 1e-4
    model = text_model(tiny_block, SpanReader)
    found = exported(model, folder, "litert").predict((TEXTS, TEXTS[::-1]), verbose=0)
    for key, value in model((TEXTS, TEXTS[::-1])).items():
        assert difference(found[key], value) < 1e-4
    # Kept in bfloat16, it is written in float32.
    encoder = encoder_of(dtype="mixed_bfloat16")
    assert difference(exported(encoder, folder, "litert")(INPUTS), encoder(INPUTS)) < 0.06


@pytest.mark.parametrize("mode", MODES)
def test_windows_are_joined_before_vectors_are_scaled(folder, tiny_block, mode):
    model = SentenceEncoder(tiny_block, mode, normalize=True, max_length=8, stride=3)
    texts = [*TEXTS, "今天天气很好" * 6]
    found = exported(model, folder, "litert").predict(texts, batch_size=3, verbose=0)
    assert difference(found, model(texts)) < 1e-5


@pytest.mark.parametrize(("dtype", "bound"), [("float16", 5e-3), ("int8", 0.05)])
def test_dtypes(encoder, elsewhere, folder, dtype, bound):
    smaller = exported(encoder, folder, "litert", dtype=dtype)
    rng = np.random.default_rng(0)
    inputs = {"input_ids": rng.integers(0, 60, (3, 17))}
    off = difference(smaller(inputs)["pooled_output"], elsewhere(inputs)["pooled_output"])
    assert 0 < off < bound
    sizes = [(model.folder / "model.tflite").stat().st_size for model in (smaller, elsewhere)]
    assert sizes[0] < 0.8 * sizes[1]


def test_layers_that_it_has_no_operators_for(folder):
    layers = [encoder_of(output_key="sequence_output"), keras.layers.LSTM(2)]
    with pytest.raises(ValueError, match=r"no operator for TensorListReserve.*'savedmodel'"):
        exported(keras.Sequential(layers), folder, "litert")
