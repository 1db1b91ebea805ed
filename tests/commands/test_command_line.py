import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import keras_bert_zh
from keras_bert_zh.__main__ import main
from tests.commands.shown import shown
from tests.process import ROOT
from tests.tensors import read_tensors, write_tensors


@pytest.mark.filterwarnings("default::UserWarning:keras_bert_zh")
def test_warnings_are_one_line(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_huggingface", tmp_path / "model")
    (folder / "tokenizer_config.json").write_text('{"strip_accents": true}')
    status, _, errors = run("inspect", folder)
    assert status == 0
    assert errors.startswith(f"keras-bert-zh: warning: {folder}: its tokenizer has strip_accents")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("command", ["inspect", "convert", "verify"])
def test_errors_are_one_line(run, tmp_path, command):
    rest = {"inspect": (), "convert": (tmp_path / "b", "--format", "original"), "verify": ("b",)}
    (tmp_path / "empty").mkdir()
    status, output, errors = run(command, tmp_path / "empty", *rest[command])
    assert status == 2
    assert output == ""
    said = f"{tmp_path / 'empty'} does not contain a checkpoint: it"
    assert errors.startswith(f"keras-bert-zh: error: {said}")
    assert errors.endswith("is empty. ... (7 more lines with --debug)\n")
    assert errors.count("\n") == 1
    status, _, errors = run(command, tmp_path / "empty", *rest[command], "--debug")
    assert status == 2
    assert "Traceback" in errors
    assert "Supported formats:\n" in errors


def test_an_error_shows_what_to_do(run, data, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BERT_ZH_CACHE", str(tmp_path / "cache"))
    _, _, errors = run("inspect", "Small")
    assert errors == (
        'keras-bert-zh: error: Small does not exist. Did you mean "small", the checkpoint that '
        "comes with the package?\n"
    )
    damaged = tmp_path / "damaged.zip"
    shutil.make_archive(tmp_path / "damaged", "zip", data, "tiny_tf2_hub/variables")
    _, _, errors = run("inspect", damaged)
    assert "more lines with --debug) Delete " in errors
    assert errors.endswith(f" and load {damaged} again.\n")


def test_an_error_names_the_first_tensor(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    tensors = read_tensors(folder / "bert_model.ckpt")
    kept = {name: tensor for name, tensor in tensors.items() if "layer_1" not in name}
    write_tensors(folder / "bert_model.ckpt", kept)
    _, _, errors = run("inspect", folder)
    assert "16 found: missing: bert/encoder/layer_1/attention/self/query/kernel ... (15" in errors


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["convert", "a", "b"], ["inspect"]])
def test_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: keras-bert-zh" in capsys.readouterr().err


def as_a_program(*arguments, python=()):
    return subprocess.run(
        [sys.executable, *python, "-m", "keras_bert_zh", *map(str, arguments)],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("TF_CPP")},
        text=True,
    )


@pytest.mark.slow
def test_as_a_program(data):
    """Nothing but the answer is printed, not even by TensorFlow."""
    result = as_a_program("inspect", data / "tiny_huggingface", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["format"] == "Hugging Face folder (model.safetensors)"
    result = as_a_program("verify", data / "tiny_original", data / "tiny_huggingface")
    assert (result.returncode, result.stderr) == (0, "")
    assert shown(result.stdout)["next_sentence"].endswith("same")


@pytest.mark.parametrize(
    ("arguments", "status", "printed"),
    [
        (["--help"], 0, "show what a checkpoint contains"),
        (["convert", "small", "new", "--format", "other"], 2, "invalid choice: 'other'"),
        (["inspect", "bert-base-chinese"], 2, "mean hf://google-bert/bert-base-chinese?"),
        (["verify", "small", "nothing"], 2, "nothing does not exist."),
        (["convert", "small", "tests", "--format", "original"], 2, "tests exists and is not empty"),
        (["inspect", "small"], 0, "Hugging Face folder"),
    ],
)
def test_nobody_waits_for_tensorflow_without_need(arguments, status, printed):
    result = as_a_program(*arguments, python=["-X", "importtime"])
    assert result.returncode == status
    assert printed in result.stdout + result.stderr
    imported = re.findall(r"^import time: .*\| +(\S+)$", result.stderr, re.MULTILINE)
    assert "keras_bert_zh" in imported
    assert not {"keras", "tensorflow", "tensorflow_hub"} & set(imported)


def test_it_is_installed_under_its_own_name():
    lines = (ROOT / "setup.cfg").read_text().splitlines()
    assert "    keras-bert-zh = keras_bert_zh.__main__:main" in lines
    assert callable(main)
    assert pathlib.Path(keras_bert_zh.__file__).with_name("__main__.py").is_file()
