"""The format "savedmodel": weights as constants, texts and ids in, TensorFlow alone."""

import logging
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess, MaskedLM, SentenceEncoder, TokenTagger, export_model
from keras_bert_zh.checkpoints.pooling import Pooling
from tests.conformance.cases import INPUTS, POSITIONS
from tests.encoder.common import difference, randomized
from tests.export.models import TEXTS, classifier, encoder_of, exported
from tests.folders import move_and_lock
from tests.heads.text_models import text_model
from tests.process import run_python


@pytest.mark.parametrize(
    ("dtype", "asked"),
    [("float32", None), ("mixed_bfloat16", None), ("float32", "bfloat16"), ("bfloat16", "float16")],
)
def test_an_encoder(folder, dtype, asked):
    encoder = encoder_of(output_key=None, dtype=dtype)
    elsewhere = exported(encoder, folder, dtype=asked)
    is_exact = (dtype, asked) == ("float32", None)
    ids = {"input_ids": INPUTS["input_ids"][:2, :4]}  # Another shape, and what may be missing.
    for inputs in (INPUTS, ids):
        expected, outputs = encoder(inputs), elsewhere(inputs)
        assert outputs.keys() == expected.keys()
        for key, value in expected.items():
            assert outputs[key].dtype.name == asked or outputs[key].dtype == value.numpy().dtype
            off = np.abs(outputs[key].astype("float64") - np.asarray(value, "float64"))
            assert off.max() < 1e-5 if is_exact else off.mean() < 0.02


def test_weights_are_constants_that_stay(folder):
    encoder = encoder_of(jit_compile=True)
    encoder(INPUTS)  # Which XLA compiles, with variables.
    elsewhere = exported(encoder, folder)
    before = elsewhere(INPUTS)
    assert difference(before, encoder(INPUTS)) < 1e-5
    loaded = tf.saved_model.load(folder)
    assert loaded.signatures["tokens"].captured_inputs == []
    graph = loaded.signatures["tokens"].graph.as_graph_def()
    operations = [node.op for function in graph.library.function for node in function.node_def]
    assert not {"ReadVariableOp", "ResourceGather", "VarHandleOp"} & {*operations}
    # All signatures call one function: each weight is there once.
    assert (folder / "saved_model.pb").stat().st_size < 1.5 * 4 * encoder.count_params() + 200_000
    randomized(encoder, seed=1)
    assert difference(elsewhere(INPUTS), before) == 0
    assert difference(encoder(INPUTS), before) > 0.1


@pytest.mark.slow
def test_models_of_texts(folder):
    model, texts = classifier(), tf.constant(TEXTS)
    assert difference(exported(model, folder)(TEXTS), model(texts)) < 1e-5
    one, other = (keras.Input((), dtype="string", name=name) for name in ("one", "other"))
    model = classifier(one, other)
    expected = model([texts, texts[::-1]])
    assert difference(exported(model, folder)((TEXTS, TEXTS[::-1])), expected) < 1e-5
    served = tf.saved_model.load(folder).signatures["serving_default"]
    assert difference(served(text_a=texts, text_b=texts[::-1])["outputs"], expected) < 1e-5
    inner = classifier()
    nested = keras.Sequential([keras.Sequential([inner]), keras.layers.Softmax()])
    expected = tf.nn.softmax(inner(texts))
    assert difference(exported(nested, folder)(TEXTS), expected) < 1e-5


def test_a_masked_lm(folder):
    model = MaskedLM(encoder_of(), next_sentence=True)
    elsewhere = exported(model, folder)
    for inputs in (INPUTS | {"mlm_positions": POSITIONS.astype("int64")}, INPUTS):
        expected, outputs = model(inputs), elsewhere(inputs)
        assert outputs.keys() == expected.keys()
        for key, value in expected.items():
            assert difference(outputs[key], value) < 1e-5
    with pytest.raises(ValueError, match="positions must be in"):
        elsewhere(INPUTS | {"mlm_positions": POSITIONS + 7})


@pytest.mark.slow
def test_what_ids_do_not_tell(folder, tiny_block):
    """A prompt that is not pooled, and layers behind a model that reads by windows."""
    pooling = Pooling("mean", 8, prompts={"q": "好好"}, default_prompt="q", include_prompt=False)
    texts = ["今天天气很好" * 3, "很好", ""]
    model = SentenceEncoder(tiny_block, pooling)
    assert difference(exported(model, folder)(texts), model(texts)) < 1e-5
    with pytest.raises(ValueError, match=r"does not pool the tokens of its prompt.*savedmodel"):
        export_model(model, folder, "litert")
    model = text_model(tiny_block, stride=3)
    behind = keras.Sequential([model, keras.layers.Softmax()])
    assert difference(exported(behind, folder)(texts), tf.nn.softmax(model(texts))) < 1e-5
    model = SentenceEncoder(tiny_block, "mean", normalize=True, max_length=8, stride=3)
    behind = keras.Sequential([model, keras.layers.Dense(2)])
    for inputs in (tf.constant(texts), model.preprocess(texts)):
        expected = behind(inputs)
        assert difference(exported(behind, folder)(inputs), expected) < 1e-5


def test_tensors_of_its_own(folder):
    text, price = keras.Input((), dtype="string", name="text"), keras.Input((1,), name="price")
    hidden = text
    for layer in classifier(text).layers[1:]:
        hidden = layer(hidden)
    model = keras.Model([text, price], keras.layers.Concatenate()([hidden, price]))
    prices = np.array([[1.0], [2.0], [3.0]], "float32")
    expected = model([tf.constant(TEXTS), tf.constant(prices)])
    elsewhere = exported(model, folder)
    for inputs in ([TEXTS, prices], (TEXTS, prices.tolist()), {"price": prices, "text": TEXTS}):
        assert difference(elsewhere.predict(inputs, batch_size=2, verbose=0), expected) < 1e-5
    with pytest.raises(TypeError, match=r"takes text, price: .*; got \['text'\]"):
        elsewhere({"text": TEXTS})
    for other in ("litert", "savedmodel"):
        message = (
            "takes texts or other tensors already" if other == "litert" else "leave out preprocess"
        )
        with pytest.raises(ValueError, match=message):
            export_model(model, folder, other, preprocess=BertPreprocess(None), overwrite=True)


def test_layers_with_tables(folder):
    text, kind = (keras.Input((), dtype="string", name=name) for name in ("text", "kind"))
    hidden = text
    for layer in classifier(text).layers[1:]:
        hidden = layer(hidden)
    found = keras.layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(kind)
    model = keras.Model([text, kind], keras.layers.Concatenate()([hidden, found]))
    given = [np.array(TEXTS, object), np.array(["a", "b", "c"], object)]
    expected = model([tf.constant(TEXTS), tf.constant(["a", "b", "c"])])
    assert difference(exported(model, folder)(given), expected) < 1e-5


def test_words_are_refused(folder):
    preprocess = BertPreprocess(None, max_length=9, word_ids=True)
    model = keras.Sequential([preprocess, *classifier().layers[1:]])
    with pytest.raises(ValueError, match="This model takes words, but"):
        exported(model, folder)


def test_nothing_is_said_of_gradients(folder, caplog, monkeypatch):
    # Other packages may have silenced it.
    monkeypatch.setattr(logging.getLogger("absl"), "propagate", True)
    caplog.set_level(logging.WARNING, "absl")
    for format in ("savedmodel", "litert"):
        exported(encoder_of(), folder, format)
    assert "gradients" not in caplog.text
    logging.getLogger("absl").warning("ops with gradients")
    assert "gradients" in caplog.text


@pytest.mark.slow
def test_without_this_package(tiny_block, tmp_path):
    """Elsewhere, from a folder that is only read: signatures, and labels as strings."""
    model = text_model(tiny_block)
    tagger = text_model(tiny_block, TokenTagger, crf=True)
    export_model(model, tmp_path / "written" / "model", "savedmodel")
    export_model(tagger, tmp_path / "written" / "tagger", "savedmodel")
    found = {key: np.asarray(value) for key, value in model.classify(TEXTS).items()}
    ids = {key: np.asarray(value) for key, value in model.preprocess(TEXTS).items()}
    entities = tagger.entities(TEXTS)["text"].to_list()
    expected = TEXTS, ids, found, np.asarray(tagger(TEXTS)), entities
    (tmp_path / "expected.pickle").write_bytes(pickle.dumps(expected))
    move_and_lock(tmp_path / "written", tmp_path / "moved 模型")
    run_python(
        """
import pickle, sys
sys.modules["keras_bert_zh"] = None
import numpy as np, tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework import op_def_registry
for name in ("model", "tagger"):
    with open(f"{sys.argv[1]}/moved 模型/{name}/saved_model.pb", "rb") as file:
        library = SavedModel.FromString(file.read()).meta_graphs[0].graph_def.library
    operators = {node.op for function in library.function for node in function.node_def}
    # Those that TensorFlow does not have, TensorFlow Serving takes from tensorflow-text.
    others = {operator for operator in operators if op_def_registry.get(operator) is None}
    assert others == {"FastBertNormalize", "FastWordpieceTokenizeWithOffsets"}, others
import tensorflow_text
texts, ids, found, logits, entities = pickle.load(open(f"{sys.argv[1]}/expected.pickle", "rb"))
texts, ids = tf.constant(texts), {key: tf.constant(value) for key, value in ids.items()}
model = tf.saved_model.load(f"{sys.argv[1]}/moved 模型/model")
assert model.signatures.keys() == {"serving_default", "tokens", "labels"}
served = model.signatures["serving_default"](text=texts)
assert served.keys() == found.keys() == {"logits", "label", "score", "probabilities"}
assert served["label"].numpy().tolist() == found.pop("label").tolist()
for key, value in found.items():
    np.testing.assert_allclose(served[key], value, atol=1e-5)
np.testing.assert_allclose(model.signatures["tokens"](**ids)["logits"], found["logits"], atol=1e-5)
np.testing.assert_allclose(model.serve(texts), found["logits"], atol=1e-5)
assert model.signatures["labels"]()["labels"].numpy().tolist() == [b"a", b"b"]
none = model.signatures["serving_default"](text=texts[:0])
assert {len(value) for value in none.values()} == {0}
tagger = tf.saved_model.load(f"{sys.argv[1]}/moved 模型/tagger")
np.testing.assert_allclose(tagger.serve(texts), logits, atol=1e-5)
assert tagger.entities(texts)["text"].to_list() == entities
""",
        tmp_path,
    )


def test_jax_is_refused():
    run_python(
        """
from keras_bert_zh import BertEncoder, export_model
from tests.conformance.cases import CONFIG
try:
    export_model(BertEncoder(None, config=CONFIG), "model", "savedmodel")
except ValueError as error:
    assert "but Keras runs on jax: start Python with KERAS_BACKEND=tensorflow" in str(error)
else:
    raise AssertionError
""",
        KERAS_BACKEND="jax",
    )
