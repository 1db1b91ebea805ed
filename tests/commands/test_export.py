"""`keras-bert-zh export`: the model of a checkpoint, or of a .keras file."""

import re

from keras_bert_zh import BertEncoder, BertPreprocess, ExportedModel
from tests.encoder.common import difference
from tests.heads.text_models import TASKS, by_output, golden_of, text_model

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
    assert "--max-length is for checkpoints" in errors


def test_nothing_is_replaced_unasked(run, tiny_module, tmp_path):
    assert run("export", tiny_module, tmp_path / "new")[0] == 0
    status, _, errors = run("export", "nothing", tmp_path / "new")
    assert status == 2
    assert errors.startswith(f"keras-bert-zh: error: {tmp_path / 'new'} exists")
    assert (
        run("export", tiny_module, tmp_path / "new", "--overwrite", "--huggingface-names")[0] == 0
    )
