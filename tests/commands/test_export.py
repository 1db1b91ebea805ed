"""`keras-bert-zh export`: the model of a checkpoint, or of a .keras file."""

import os
import re
import subprocess
import sys

import keras
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess, ExportedModel, TextClassifier
from tests.encoder.common import difference
from tests.heads.text_models import TASKS, by_output, golden_of, text_model
from tests.process import ROOT

TEXTS = ["今天天气很好", ""]


@TASKS
def test_fine_tuned_checkpoints(run, data, tmp_path, task, fine_tuned):
    status, output, errors = run("export", fine_tuned[task], tmp_path / "new")
    assert (status, errors) == (0, "")
    assert re.fullmatch(r"Wrote .* \(onnx, 0\.\d MB\)\.\n", output)
    inputs, expected = golden_of(task)
    found = by_output(ExportedModel(tmp_path / "new")(inputs))
    mask = inputs["input_mask"] > 0
    for name, array in found.items():
        real = mask if array.shape[:2] == mask.shape else slice(None)
        assert difference(array[real], expected[name][real]) < 2e-5


def test_a_checkpoint_without_a_head(run, tiny_module, tiny, tmp_path):
    status, *_ = run(
        "export", tiny_module, tmp_path / "new", "--max-length", 8, "--output", "pooled_output"
    )
    assert status == 0
    expected = BertEncoder(tiny)(BertPreprocess(tiny, max_length=8)(TEXTS))
    assert difference(ExportedModel(tmp_path / "new").predict(TEXTS, verbose=0), expected) < 2e-5


def test_a_keras_file_in_int8(run, tiny_block, tmp_path):
    model = text_model(tiny_block)
    model.save(tmp_path / "model.keras")
    (tmp_path / "texts.txt").write_text("今天天气很好\n\n房间很干净\n", encoding="utf-8")
    arguments = ("export", tmp_path / "model.keras", tmp_path / "new", "--dtype", "int8")
    status, *_ = run(*arguments, "--calibration", tmp_path / "texts.txt")
    assert status == 0
    found = ExportedModel(tmp_path / "new").predict(TEXTS, verbose=0)
    assert 0 < difference(found, model.predict(TEXTS, verbose=0)) < 0.05
    status, _, errors = run(*arguments, "--overwrite", "--max-length", 8)
    assert status == 2
    assert "--max-length applies to checkpoints" in errors


@pytest.mark.slow
def test_as_a_program(tiny_block, tmp_path):
    """In a process that has imported nothing yet."""
    model = text_model(tiny_block)
    model.save(tmp_path / "model.keras")
    command = [sys.executable, "-m", "keras_bert_zh", "export", "model.keras", "new"]
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    found = ExportedModel(tmp_path / "new").predict(TEXTS, verbose=0)
    assert difference(found, model.predict(TEXTS, verbose=0)) < 2e-5


def test_pairs(run, fine_tuned, tmp_path):
    source = fine_tuned["sequence_classification"]
    (tmp_path / "pairs.txt").write_text("今天\t天气\n房间\n", encoding="utf-8")
    arguments = ("export", source, tmp_path / "new", "--pairs", "--max-length", 8)
    calibration = ("--dtype", "int8", "--calibration", tmp_path / "pairs.txt")
    status, _, errors = run(*arguments, *calibration)
    assert status == 2
    assert "pairs.txt, text 2: expected two texts with a tab between them" in errors
    assert run(*arguments)[0] == 0
    expected = TextClassifier(source, max_length=8).predict((TEXTS, TEXTS), verbose=0)
    found = ExportedModel(tmp_path / "new").predict((TEXTS, TEXTS), verbose=0)
    assert difference(found, expected) < 2e-5


def test_what_is_no_model_of_this_package_is_one_line(run, tmp_path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "dense.keras")
    status, _, errors = run("export", tmp_path / "dense.keras", tmp_path / "new")
    assert status == 2
    assert errors.startswith("keras-bert-zh: error:")
    assert errors.count("\n") == 1


def test_nothing_is_replaced_unasked(run, tiny_module, tmp_path):
    assert run("export", tiny_module, tmp_path / "new")[0] == 0
    status, _, errors = run("export", "nothing", tmp_path / "new")
    assert status == 2
    assert errors.startswith(f"keras-bert-zh: error: {tmp_path / 'new'} exists")
    assert (
        run("export", tiny_module, tmp_path / "new", "--overwrite", "--huggingface-names")[0] == 0
    )
