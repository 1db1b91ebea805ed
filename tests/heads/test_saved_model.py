"""Models of texts as SavedModels, which TensorFlow and tensorflow-text run without this package."""

import pickle
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder, SentenceEncoder, SpanReader, TextClassifier, TokenTagger
from keras_bert_zh.heads import saved_model
from tests.conformance.cases import CONFIG, INPUTS
from tests.encoder.common import difference
from tests.heads.rigged_tagger import rigged_tagger
from tests.heads.text_models import fresh, text_model
from tests.process import run_python

TEXTS = ["我在北京\U0001f600 天安门é" * 5, "a b", ""]


def test_without_this_package(tiny_block, tmp_path):
    """Elsewhere, from a folder that is only read, for texts and for none of them."""
    several = text_model(tiny_block, problem_type="multi_label_classification")
    several.takes_pairs = True
    models = {
        "several": several,
        "tagger": rigged_tagger(16, crf=True)[0],
        "reader": text_model(tiny_block, SpanReader),
        "vectors": SentenceEncoder(tiny_block, "mean", max_length=8),
    }
    plain = {}
    for name, model in models.items():
        model.export(tmp_path / "written" / name, verbose=False)
        outputs = model((TEXTS, TEXTS[::-1]) if model.takes_pairs else TEXTS)
        outputs = outputs if isinstance(outputs, dict) else {model.output_name: outputs}
        plain[name] = {key: np.asarray(value) for key, value in outputs.items()}
    entities = {key: x.to_list() for key, x in models["tagger"].entities(TEXTS).items()}
    labels = {"several": several.classify((TEXTS, TEXTS[::-1]))["label"].to_list()}
    answers = models["reader"].answers(TEXTS, TEXTS[::-1])
    answers = {key: x.numpy().tolist() for key, x in answers.items() if key[-5:] != "score"}
    (tmp_path / "expected.pickle").write_bytes(
        pickle.dumps((TEXTS, plain, labels, entities, answers))
    )
    shutil.move(tmp_path / "written", tmp_path / "moved 模型")
    for path in (tmp_path / "moved 模型").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    run_python(
        """
import pickle, sys
sys.modules["keras_bert_zh"] = None
import numpy as np, tensorflow as tf, tensorflow_text
texts, plain, labels, entities, answers = pickle.load(open(f"{sys.argv[1]}/expected.pickle", "rb"))
texts = tf.constant(texts)
def check(expected, found):
    for key, value in expected.items():
        assert np.abs(found[key] - value).max() < 1e-5, key
for name, expected in plain.items():
    model = tf.saved_model.load(f"{sys.argv[1]}/moved 模型/{name}")
    is_pair = name in ("several", "reader")
    inputs = (texts, texts[::-1]) if is_pair else texts
    served = model.serve(inputs)
    check(expected, served if isinstance(served, dict) else {[*expected][0]: served})
    named = {"text_a": texts, "text_b": texts[::-1]} if is_pair else {"text": texts}
    found = model.signatures["serving_default"](**named)
    check({key: value for key, value in expected.items() if key in found}, found)
    none = model.signatures["serving_default"](**{key: value[:0] for key, value in named.items()})
    assert {len(value) for value in none.values()} == {0}
    if name == "reader":
        for outputs in (found, model.answers(inputs)):
            assert {key: outputs[key].numpy().tolist() for key in answers} == answers
            assert outputs["score"].shape == outputs["null_score"].shape == (3,)
    assert ("labels" in model.signatures) == hasattr(model, "labels")
    if name in labels:
        assert model.classify(inputs)["label"].to_list() == labels[name]
        counts = found["count"].numpy()
        assert counts.tolist() == [len(row) for row in labels[name]]
        padded = found["label"].numpy().tolist()
        assert [row[:count] for row, count in zip(padded, counts)] == labels[name]
        assert model.labels().numpy().tolist() == [b"a", b"b"]
    if name == "tagger":
        assert {key: value.to_list() for key, value in model.entities(inputs).items()} == entities
        counts = found.pop("count").numpy()
        assert counts.sum() > 0
        assert found.keys() == entities.keys()
        for key, value in found.items():
            rows = zip(value.numpy().tolist(), counts)
            assert [row[:count] for row, count in rows] == entities[key], key
""",
        tmp_path,
    )


def test_of_ids(tmp_path):
    model = fresh(TextClassifier)
    model.export(tmp_path / "ids", verbose=False)
    exported = tf.saved_model.load(tmp_path / "ids")
    ids = {key: tf.constant(value) for key, value in INPUTS.items()}
    found = exported.signatures["serving_default"](**ids)
    for key, value in model.classify(ids).items():
        if key == "label":
            assert exported.classify(ids)[key].numpy().tolist() == value.numpy().tolist()
        else:
            assert difference(found[key], value) < 1e-6
    assert exported.signatures.keys() == {"serving_default", "labels"}


def test_ids_where_texts_are_taken(tiny_block, tmp_path):
    model = text_model(tiny_block, TokenTagger)
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    ids = model.preprocess(TEXTS)
    found = exported.signatures["tokens"](**ids)
    assert difference(found["logits"], model(ids)) < 1e-6
    layer = keras.layers.TFSMLayer(tmp_path / "exported")
    assert difference(layer(tf.constant(TEXTS)), model(TEXTS)) < 1e-6
    assert len(layer.trainable_weights) == len(model.trainable_weights)
    assert len(exported.trainable_variables) == len(model.trainable_variables)


def test_what_is_replaced(tmp_path, monkeypatch, capsys):
    """A SavedModel, as Keras does; nothing else."""
    module, model = tf.Module(), fresh(TextClassifier)
    module.labels = tf.function(lambda: tf.constant(["a"]), input_signature=[])
    monkeypatch.setattr(saved_model, "_module", lambda _: (module, {"labels": module.labels}))
    for _ in range(2):
        model.export(tmp_path / "model")
    assert capsys.readouterr().out.count("model, with the signatures labels.\n") == 2
    (tmp_path / "model" / "diary.txt").touch()
    with pytest.raises(ValueError, match=r"diary.txt in it is no file of a SavedModel\."):
        model.export(tmp_path / "model", verbose=False)
    (tmp_path / "other" / "variables").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"It is no SavedModel\."):
        model.export(tmp_path / "other", verbose=False)
    model.export("ram://model", verbose=False)
    assert tf.saved_model.load("ram://model").labels().shape == (1,)


def test_other_ways_to_export_are_those_of_keras(tmp_path):
    model = SentenceEncoder(BertEncoder(None, config=CONFIG), "mean")
    signature = [{"input_ids": keras.InputSpec("int32", (None, 5))}]
    model.export(tmp_path / "model", verbose=False, input_signature=signature)
    exported = tf.saved_model.load(tmp_path / "model")
    ids = INPUTS["input_ids"][:, :5]
    assert difference(exported.serve({"input_ids": ids}), model({"input_ids": ids})) < 1e-6
