"""Models of texts as SavedModels, which TensorFlow and tensorflow-text run without this package."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import SpanReader, TextClassifier
from keras_bert_zh.heads import saved_model
from keras_bert_zh.layers import kernels
from tests.conformance.cases import INPUTS
from tests.encoder.common import difference
from tests.folders import move_and_lock
from tests.heads.rigged_tagger import rigged_tagger
from tests.heads.text_models import fresh, text_model
from tests.process import run_python

TEXTS = ["我在北京\U0001f600 天安门é" * 5, "a b", ""]


def lists(value):
    """Tensors of all kinds as lists."""
    if isinstance(value, dict):
        return {key: lists(part) for key, part in value.items()}
    return value.to_list() if isinstance(value, tf.RaggedTensor) else np.asarray(value).tolist()


@pytest.mark.slow
def test_without_this_package(tiny_block, tmp_path):
    """Elsewhere, from a folder that is only read, for texts and for none of them."""
    tagger, _ = rigged_tagger(16, crf=True)
    reader = text_model(tiny_block, SpanReader)
    pair = (TEXTS, TEXTS[::-1])
    # The model, what it is called with, and its endpoint.
    cases = {
        "tagger": (tagger, TEXTS, "entities", tagger.entities(TEXTS)),
        "reader": (reader, pair, "answers", reader.answers(*pair)),
    }
    expected = {}
    for name, (model, inputs, endpoint, found) in cases.items():
        model.export(tmp_path / "written" / name, verbose=False)
        ids = {key: np.asarray(value) for key, value in model.preprocess(inputs).items()}
        variables = len(model.trainable_variables)
        outputs = lists(model(inputs)), lists(found)
        expected[name] = (inputs, ids, *outputs, endpoint, variables)
    (tmp_path / "expected.pickle").write_bytes(pickle.dumps(expected))
    move_and_lock(tmp_path / "written", tmp_path / "moved 模型")
    run_python(
        """
import pickle, sys
sys.modules["keras_bert_zh"] = None
import numpy as np, tensorflow as tf, tensorflow_text
def check(found, expected):
    if isinstance(expected, dict):
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            check(found[key], value)
    elif isinstance(found, tf.RaggedTensor):
        check(found.flat_values, sum(expected, []))
        assert found.row_lengths().numpy().tolist() == [*map(len, expected)]
    elif found.dtype.is_floating:
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    else:
        assert found.numpy().tolist() == expected
expected = pickle.load(open(f"{sys.argv[1]}/expected.pickle", "rb"))
for name, (inputs, ids, outputs, found, endpoint, variables) in expected.items():
    model = tf.saved_model.load(f"{sys.argv[1]}/moved 模型/{name}")
    if isinstance(inputs, tuple):
        inputs = tuple(map(tf.constant, inputs))
        named = {"text_a": inputs[0], "text_b": inputs[1]}
    else:
        inputs = tf.constant(inputs)
        named = {"text": inputs}
    check(model.serve(inputs), outputs)
    tokens = model.signatures["tokens"](**{key: tf.constant(value) for key, value in ids.items()})
    check(tokens, outputs if isinstance(outputs, dict) else {"logits": outputs})
    check(getattr(model, endpoint)(inputs), found)
    default = model.signatures["serving_default"](**named)
    counts = default.pop("count", None)
    ragged = [key for key in found if isinstance(found[key][0], list)]
    for key in ragged:
        default[key] = tf.RaggedTensor.from_tensor(default[key], counts)
    assert bool(ragged) == (counts is not None)
    check(default, found)
    none = model.signatures["serving_default"](**{key: value[:0] for key, value in named.items()})
    assert {len(value) for value in none.values()} == {0}
    assert len(model.trainable_variables) == variables
    assert ("labels" in model.signatures) == hasattr(model, "labels") == (name == "tagger")
assert model.signatures.keys() == {"serving_default", "tokens"}
""",
        tmp_path,
    )


def test_of_ids():
    model = fresh(TextClassifier)
    module, signatures = saved_model.saved_module(model)
    assert signatures.keys() == {"serving_default", "tokens", "labels"}
    ids = {key: tf.constant(value) for key, value in INPUTS.items()}
    found = signatures["serving_default"](**ids)
    for key, value in model.classify(ids).items():
        if key == "label":
            assert module.classify(ids)[key].numpy().tolist() == value.numpy().tolist()
        else:
            assert difference(found[key], value) < 1e-6


def test_several_labels_of_pairs(tiny_block):
    model = text_model(tiny_block, problem_type="multi_label_classification")
    model.takes_pairs = True
    pair = tuple(map(tf.constant, (TEXTS, TEXTS[::-1])))
    # One label that some of them have, and one for all.
    model.classifier.bias.assign([-np.mean(model(pair)[:, 0]), 9])
    _, signatures = saved_model.saved_module(model)
    found = lists(signatures["serving_default"](text_a=pair[0], text_b=pair[1]))
    expected = lists(model.classify(pair))
    assert found["count"] == [*map(len, expected["label"])]
    assert {*found["count"]} == {1, 2}
    label, score = (
        [row[:count] for row, count in zip(found[key], found["count"], strict=True)]
        for key in ("label", "score")
    )
    assert label == expected["label"]
    assert difference(np.concatenate(score), np.concatenate(expected["score"])) < 1e-6
    assert difference(found["probabilities"], expected["probabilities"]) < 1e-6
    assert lists(signatures["labels"]()) == {"labels": [b"a", b"b"]}


def test_what_is_replaced(tmp_path, monkeypatch, capsys):
    """A SavedModel, as Keras does; nothing else."""
    module, model = tf.Module(), fresh(TextClassifier)
    module.labels = tf.function(lambda: tf.constant(["a"]), input_signature=[])
    monkeypatch.setattr(saved_model, "saved_module", lambda _: (module, {"labels": module.labels}))
    for _ in range(2):
        model.export(tmp_path / "model")
    assert capsys.readouterr().out.count("model, with the signatures labels.\n") == 2
    (tmp_path / "model" / "diary.txt").touch()
    with pytest.raises(
        ValueError, match=r"It contains diary.txt, which is not part of a SavedModel\."
    ):
        model.export(tmp_path / "model", verbose=False)
    (tmp_path / "other" / "variables").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"It is not a SavedModel\."):
        model.export(tmp_path / "other", verbose=False)
    model.export("ram://model", verbose=False)
    assert tf.saved_model.load("ram://model").labels().shape == (1,)


def test_other_ways_to_export_are_those_of_keras(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        keras.Model, "export", lambda _, *args, **kwargs: asked.append((args, kwargs))
    )
    model = fresh(TextClassifier)
    signature = [{"input_ids": keras.InputSpec("int32", (None, 5))}]
    model.export(tmp_path / "model", verbose=False, input_signature=signature)
    assert asked.pop() == ((tmp_path / "model", "tf_saved_model", False, signature), {})
    model.export(tmp_path / "model", format="onnx", opset_version=18)
    (_, form, verbose, (takes,)), others = asked.pop()
    assert (form, verbose, others) == ("onnx", None, {"opset_version": 18})
    assert takes.keys() == INPUTS.keys()
    monkeypatch.setattr(kernels, "ON_TENSORFLOW", False)
    model.export(tmp_path / "model")
    assert len(asked) == 1
