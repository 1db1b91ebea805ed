import pathlib

import numpy as np
import pytest

from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.export.checkpoint import FORMATS, WRITERS
from tests.commands.shown import shown


@pytest.mark.filterwarnings("ignore:Keras Hub")
@pytest.mark.parametrize("format", FORMATS)
def test_convert_and_verify(run, data, tmp_path, format):
    status, output, errors = run(
        "convert", data / "tiny_tf1_hub", tmp_path / "new", "--format", format
    )
    assert status == 0
    assert output == f"Wrote {tmp_path / 'new'} (TF1 Hub module -> {format}).\n"
    assert "tensors written" in errors
    assert "44/44" in errors
    status, output, _ = run("verify", data / "tiny_tf1_hub", tmp_path / "new")
    assert status == 0
    rows = shown(output)
    assert rows["pooled_output"].endswith("same")
    assert rows["vocabulary"] == rows["lowercase"] == "same"
    original, new = load_checkpoint(data / "tiny_tf1_hub"), load_checkpoint(tmp_path / "new")
    assert original.config == new.config
    for name, weight in original.weights.items():
        np.testing.assert_array_equal(new.weights[name], weight)


def test_convert_replaces_nothing_unasked(run, data, tmp_path):
    arguments = ("convert", data / "tiny_tf1_hub", tmp_path / "new", "--format", "huggingface")
    assert run(*arguments)[0] == 0
    status, _, errors = run(*arguments)
    assert status == 2
    assert errors.startswith(f"keras-bert-zh: error: {tmp_path / 'new'} exists")
    assert errors.count("\n") == 1
    assert run(*arguments, "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("file/new", "file is a file, not a folder."),
        ("file", "file is a file, but a folder is written there: choose another path."),
        (
            "hf://org/name",
            "is a URL, which can't be written to: pass the path of a folder on this machine.",
        ),
    ],
)
def test_convert_looks_at_the_place_first(run, monkeypatch, tmp_path, folder, message):
    """Before the source, which may be large and far away."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    status, _, errors = run("convert", "nothing", folder, "--format", "original")
    assert status == 2
    assert message in errors
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_place_that_can_not_be_written_to(run, monkeypatch, tmp_path):
    def mkdir(path, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(pathlib.Path, "mkdir", mkdir)
    _, _, errors = run("convert", "nothing", tmp_path / "a" / "b", "--format", "original")
    assert "Permission denied" in errors


def test_the_formats_are_those_that_are_written():
    assert tuple(WRITERS) == FORMATS
