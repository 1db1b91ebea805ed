"""From what `serve` is given to exported models."""

import dataclasses
import os
import shutil

import numpy as np
import pytest

from keras_bert_zh.serving import make as making
from keras_bert_zh.serving import prepare
from keras_bert_zh.serving.make import Order, make
from keras_bert_zh.serving.served_model import ServedModel


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BERT_ZH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def checkpoint(data, tmp_path):
    folder = data / "fine_tuned" / "sequence_classification"
    made = shutil.copytree(folder, tmp_path / "reviews")
    shutil.copy(data / "tiny_huggingface" / "vocab.txt", made)
    return made


@pytest.mark.slow
def test_a_checkpoint_is_exported_once(checkpoint, cache, monkeypatch):
    order = Order(os.fspath(checkpoint), "onnxruntime", max_length=16)
    (folder,) = prepare.prepared(order)
    assert folder.is_relative_to(cache)
    described = ServedModel(folder).described
    assert described.task == "sequence_classification"
    assert described.preprocess["max_length"] == 16
    monkeypatch.setattr(prepare, "_export", None)
    assert prepare.prepared(order) == [folder]


def test_changes_are_exported_again(checkpoint, cache, monkeypatch):
    made = []

    def export(order, folder):
        made.append(order)
        (folder / making.MODEL).mkdir(parents=True)

    monkeypatch.setattr(prepare, "_export", export)
    order = Order(os.fspath(checkpoint), "onnxruntime")
    first = prepare.prepared(order)
    assert prepare.prepared(order) == first
    longer = dataclasses.replace(order, max_length=64)
    assert prepare.prepared(longer) != first
    os.utime(checkpoint / "config.json", (0, 0))
    assert prepare.prepared(order) != first
    assert made == [order, longer, order]


@pytest.mark.parametrize(
    ("order", "error", "message"),
    [
        (Order("no/such/folder", "onnxruntime"), OSError, "no/such/folder does not exist"),
        pytest.param(
            *(Order("small", "tensorflow", dtype="int8"), ValueError, "int8"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_errors_of_the_other_process(order, error, message, cache):
    with pytest.raises(error, match=message):
        prepare.prepared(order)
    assert not [*cache.rglob("export.json")]


def test_an_exported_model_is_served_as_it_is(exported):
    folder = exported("predict")
    assert prepare.prepared(Order(os.fspath(folder), "openvino")) == [folder]
    for options in (
        {"dtype": "int8"},
        {"max_length": 9},
        {"pairs": True},
        {"pooling": "mean"},
        {"fill_mask": True},
    ):
        (name,) = options
        with pytest.raises(ValueError, match=f"leave out --{name.replace('_', '-')}"):
            prepare.prepared(Order(os.fspath(folder), "openvino", **options))


def test_what_is_made(data, tmp_path):
    """Of a checkpoint without a head its outputs, and tokens for [MASK]; or vectors."""
    order = Order(os.fspath(data / "tiny_huggingface"), "onnxruntime", fill_mask=True)
    make(order, tmp_path / "a")
    assert sorted(x.name for x in (tmp_path / "a").iterdir()) == [making.FILL_MASK, making.MODEL]
    outputs = ServedModel(tmp_path / "a" / making.MODEL).described
    assert (outputs.task, outputs.names) == (None, ["pooled_output", "sequence_output"])
    assert ServedModel(tmp_path / "a" / making.FILL_MASK).described.task == "masked_lm"
    order = Order(os.fspath(data / "tiny_huggingface"), "onnxruntime", pooling="mean")
    make(order, tmp_path / "b")
    assert ServedModel(tmp_path / "b" / making.MODEL).described.task == "sentence_embedding"


def test_a_checkpoint_without_a_head_for_masks(checkpoint, tmp_path):
    order = Order(os.fspath(checkpoint), "onnxruntime", fill_mask=True)
    with pytest.raises(ValueError, match="leave out --fill-mask"):
        make(order, tmp_path / "made")


def test_vectors_are_of_single_texts(data, tmp_path):
    order = Order(os.fspath(data / "tiny_huggingface"), "onnxruntime", pooling="mean", pairs=True)
    with pytest.raises(ValueError, match="leave out --pairs"):
        make(order, tmp_path / "made")


def test_a_keras_file(keras_models, tmp_path):
    model, _ = keras_models["predict"]
    path = tmp_path / "reviews.keras"
    model.save(path)
    make(Order(os.fspath(path), "onnxruntime"), tmp_path / "made")
    served = ServedModel(tmp_path / "made" / making.MODEL)
    (found,) = served.compute(served.rows("inputs[0]", "今天", truncate=False))
    np.testing.assert_allclose(found[0], model.predict(["今天"], verbose=0)[0], atol=1e-5)
    for option in ({"pooling": "mean"}, {"fill_mask": True}):
        (name,) = option
        with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} applies to checkpoints"):
            make(Order(os.fspath(path), "onnxruntime", **option), tmp_path / "made")
