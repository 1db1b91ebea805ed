"""Models of texts that were saved, exported, written as checkpoints, or run on JAX."""

import json
import pickle
import shutil
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import (
    BertPreprocess,
    SpanReader,
    TextClassifier,
    TokenTagger,
    load_checkpoint,
    save_checkpoint,
)
from keras_bert_zh.checkpoints import Head
from keras_bert_zh.heads.batches import has_strings
from keras_bert_zh.layers import kernels
from tests.conformance.cases import INPUTS
from tests.encoder.common import difference
from tests.export.models import exported
from tests.heads.text_models import MODELS, TASKS, by_output, fresh, golden_of, text_model
from tests.process import run_python

TEXTS = ["a b c", "d"]


def assert_same_model(again, model):
    assert type(again) is type(model)
    assert again.head == model.head
    for name in ("vocabulary", "lowercase", "max_length"):
        assert getattr(again.preprocess, name) == getattr(model.preprocess, name)
    texts = (TEXTS, TEXTS[::-1]) if model.takes_pairs else TEXTS
    outputs, expected = (by_output(each(texts)) for each in (again, model))
    for key, value in expected.items():
        assert difference(outputs[key], value) == 0


@TASKS
def test_a_saved_model_needs_no_checkpoint(fine_tuned, tmp_path, task):
    folder = shutil.copytree(fine_tuned[task], tmp_path / "model")
    model = MODELS[task](folder, max_length=9, dropout=0.25, name="mine")
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    shutil.rmtree(folder)
    with warnings.catch_warnings(action="error"):
        again = keras.saving.load_model(tmp_path / "model.keras")
    assert_same_model(again, model)
    assert again.get_config() == model.get_config()
    config = json.loads(json.dumps(model.get_config()))
    fresh = MODELS[task].from_config(config)
    assert fresh.name == "mine"
    fresh.load_weights(tmp_path / "model.weights.h5")
    assert_same_model(fresh, model)
    if task != "question_answering":
        assert again.dropout.rate == fresh.dropout.rate == 0.25


def test_a_functional_model_of_texts(tiny_block):
    model = text_model(tiny_block, problem_type="multi_label_classification")
    texts = keras.Input((), dtype="string")
    whole = keras.Model(texts, keras.layers.Activation("sigmoid")(model(texts)))
    assert whole.output_shape == (None, 2)
    copy = pickle.loads(pickle.dumps(whole))
    assert_same_model(copy.layers[1], model)
    expected = 1 / (1 + np.exp(-np.asarray(model(TEXTS))))
    assert difference(copy(tf.constant(TEXTS)), expected) < 1e-6


@TASKS
def test_a_checkpoint_of_a_model(fine_tuned, tmp_path, task):
    source = load_checkpoint(fine_tuned[task])
    model = MODELS[task](source, max_length=9)
    with warnings.catch_warnings(action="error", category=UserWarning):
        folder = save_checkpoint(model, tmp_path / "new")
    again = load_checkpoint(folder)
    assert again.head == source.head
    assert again.vocabulary == source.vocabulary
    assert again.lowercase is model.preprocess.lowercase
    assert list(again.weights) == list(source.weights)
    for name, weight in source.weights.items():
        np.testing.assert_array_equal(again.weights[name], weight, err_msg=name)
    assert_same_model(MODELS[task](folder, max_length=9), model)


def test_a_checkpoint_of_a_fresh_head(tiny, tmp_path):
    """A tagger neither uses nor writes the pooler. Another preprocess is written where one is."""
    model = TokenTagger(tiny, ["O", "B"], dropout=0.3)
    tokens = (*tiny.vocabulary[:-1], "Ａ")
    other = BertPreprocess(vocabulary=tokens, lowercase=False, max_length=8)
    folder = save_checkpoint(model, tmp_path / "new", preprocess=other)
    again = load_checkpoint(folder)
    assert again.parts == ("classifier",)
    assert again.head == Head("token_classification", ("O", "B"))
    assert again.config.hidden_dropout_prob == 0.3
    assert again.vocabulary == tokens
    assert again.lowercase is False
    np.testing.assert_array_equal(again.weights["classifier.kernel"], model.classifier.kernel)


@pytest.mark.parametrize("route", ["call", "predict", "evaluate", "fit"])
def test_strings_on_jax(tiny_block, monkeypatch, route):
    """Where Keras would refuse them late, with the weights out of the model."""
    model = text_model(tiny_block)
    monkeypatch.setattr(kernels, "ON_TENSORFLOW", False)
    dataset = tf.data.Dataset.from_tensor_slices((TEXTS, [0, 1])).batch(2)
    inputs = (TEXTS, np.array(TEXTS), np.array(TEXTS, object), tf.constant(TEXTS), (TEXTS, TEXTS))
    for texts in (*inputs, {"text_a": TEXTS}, *([] if route == "call" else [dataset])):
        with pytest.raises(ValueError, match=r"can't take strings. .*map\(model.preprocess\) in"):
            getattr(model, "__call__" if route == "call" else route)(texts)
    assert not has_strings(model.preprocess(TEXTS))
    assert not has_strings(dataset.map(lambda text, label: (model.preprocess(text), label)))


def test_jax_backend(fine_tuned, tmp_path):
    """Without TensorFlow, which makes ids of texts alone."""
    pytest.importorskip("jax")
    data = [(load_checkpoint(fine_tuned[task]), *golden_of(task)) for task in MODELS]
    (tmp_path / "data.pickle").write_bytes(pickle.dumps(data))
    run_python(
        """
import pickle, sys, keras, numpy as np
from keras_bert_zh import BertEncoder, SpanReader, TextClassifier, TokenTagger
from keras_bert_zh.checkpoints import assign
assert keras.backend.backend() == "jax"
data = pickle.load(open(f"{sys.argv[1]}/data.pickle", "rb"))
for cls, (checkpoint, inputs, golden) in zip((TextClassifier, TokenTagger, SpanReader), data):
    encoder, labels = BertEncoder(None, config=checkpoint.config), checkpoint.head.labels
    model = cls(encoder, labels=labels) if labels else cls(encoder)
    assign(checkpoint.weights, model.named_variables())
    outputs = model.predict(inputs, verbose=0)
    outputs = outputs if isinstance(outputs, dict) else {"logits": outputs}
    for key, value in outputs.items():
        real = inputs["input_mask"] == 1 if value.shape != (3, 3) else slice(None)
        assert np.abs(value[real] - golden[key][real]).max() < 1e-5, cls
    if cls is TokenTagger:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss)
        labels = np.ones((3, 16), "int32")
        before = model.evaluate(inputs, labels, verbose=0)
        labels[inputs["input_mask"] == 0] = 3
        assert model.evaluate(inputs, labels, verbose=0) == before
        assert model.jit_compile
assert "tensorflow" not in sys.modules
""",
        tmp_path,
        KERAS_BACKEND="jax",
    )


@pytest.mark.slow
def test_exported_models_take_what_the_models_take(tiny_block, tmp_path):
    tagger, reader = text_model(tiny_block, TokenTagger), text_model(tiny_block, SpanReader)
    assert difference(exported(tagger, tmp_path / "model")(TEXTS), tagger(TEXTS)) < 1e-5
    pair = TEXTS, TEXTS[::-1]
    found = exported(reader, tmp_path / "model")(pair)
    for key, expected in reader(pair).items():
        assert difference(found[key], expected) < 1e-5
    of_ids = fresh(TextClassifier)
    ids = {"input_ids": INPUTS["input_ids"]}
    assert difference(exported(of_ids, tmp_path / "model")(ids), of_ids(ids)) < 1e-5
