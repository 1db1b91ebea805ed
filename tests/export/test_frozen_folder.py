"""The folder of a frozen model: what runs from it, and what it replaces."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import (
    FrozenModel,
    save_checkpoint,
)
from tests.export.models import TEXTS, classifier
from tests.folders import contents
from tests.process import DATA, run_python


def test_a_saved_one_runs_without_this_package(tmp_path):
    model = classifier()
    frozen = FrozenModel(model)
    expected = frozen(TEXTS)
    folder = frozen.save(tmp_path / "frozen")
    np.save(tmp_path / "expected.npy", expected)
    run_python(
        f"""
import sys, numpy as np, tensorflow as tf, tensorflow_text
model = tf.saved_model.load({str(folder)!r})
outputs = model.serve(tf.constant({TEXTS!r}))
assert np.abs(outputs - np.load({str(tmp_path / "expected.npy")!r})).max() < 1e-6
named = model.signatures["serving_default"](tf.constant({TEXTS!r}))
assert [value.shape for value in named.values()] == [(3, 2)], named
assert "keras_bert_zh" not in sys.modules
"""
    )
    with pytest.raises(FileExistsError, match="overwrite=True"):
        frozen.save(folder)
    assert frozen.save(folder, overwrite=True) == folder


@pytest.fixture
def saved(small, tmp_path):
    return small.save(tmp_path / "frozen")


def test_it_replaces_what_it_has_written(small, saved):
    before = contents(saved)
    small.save(saved, overwrite=True)
    assert contents(saved).keys() == before.keys()
    assert list(saved.parent.iterdir()) == [saved]


def unmarked(folder):
    module = tf.Module()
    module.serve = tf.function(lambda x: x, input_signature=[tf.TensorSpec([None])])
    tf.saved_model.save(module, str(folder))


def marked_with_variables(folder):
    module = tf.Module()
    module.frozen_model_of_keras_bert_zh = tf.Module()
    module.variable = tf.Variable(1.0)
    tf.saved_model.save(module, str(folder))


def of_text(folder):
    folder.mkdir()
    (folder / "saved_model.pb").write_text("dear")


OTHERS = [
    (
        lambda folder: shutil.copytree(DATA / "tiny_huggingface", folder),
        "config.json in it is no f",
    ),
    (
        lambda folder: shutil.copytree(DATA / "tiny_original", folder),
        "bert_config.json in it is no",
    ),
    (
        lambda folder: shutil.copytree(DATA / "tiny_tf1_hub", folder),
        "tfhub_module.pb in it is no f",
    ),
    (
        lambda folder: shutil.copytree(DATA / "tiny_tf2_hub", folder),
        "keras_metadata.pb in it is no",
    ),
    (unmarked, r"holds assets/, fingerprint.pb, saved_model.pb, variables/, without the mark"),
    (marked_with_variables, "without the mark"),
    (of_text, "It holds saved_model.pb, without the mark"),
]


@pytest.mark.parametrize(("make", "message"), OTHERS)
def test_it_replaces_nothing_else(small, tmp_path, make, message):
    folder = tmp_path / "model"
    make(folder)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        small.save(folder, overwrite=True)
    assert f"{folder} is replaced as a whole or not at all, and was left" in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("notes.txt", "notes.txt in it is no file of a frozen model"),
        ("assets/vocab.txt", "assets/vocab.txt in it is no file of a frozen model"),
        ("variables/variables.data-00000-of-00001", "or a damaged one: .* has 4 bytes, expected"),
    ],
)
def test_a_file_more_or_a_damaged_one(small, saved, path, message):
    (saved / path).write_bytes(b"dear")
    before = contents(saved)
    with pytest.raises(ValueError, match=message):
        small.save(saved, overwrite=True)
    assert contents(saved) == before


def test_save_checkpoint_does_not_replace_one(tiny, saved):
    before = contents(saved)
    with pytest.raises(ValueError, match="load_checkpoint does not open what is in it"):
        save_checkpoint(tiny, saved, overwrite=True)
    assert contents(saved) == before
