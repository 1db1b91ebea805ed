import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import keras_bert_zh
from keras_bert_zh.__main__ import main
from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.export.checkpoint import FORMATS, WRITERS
from tests.process import ROOT
from tests.tensors import read_tensors, write_tensors


@pytest.fixture
def run(capsys):
    """A function that runs a command and returns its status, output and errors."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def shown(output):
    """Returns the rows of a table as a dict, whatever the width of the terminal."""
    rows = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in output.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}


def test_inspect(run, data):
    status, output, _ = run("inspect", data / "tiny_original")
    rows = shown(output)
    assert status == 0
    assert rows["format"] == "google-research/bert checkpoint"
    assert rows["hidden_size"] == "32"
    assert rows["hidden_act"] == "gelu_tanh"
    assert rows["heads"] == "pooler, masked_lm, next_sentence"
    assert rows["vocabulary"] == "718 tokens"
    assert rows["lowercase"] == "not said"
    assert rows["missing"] == "lowercase"
    assert rows["tensors"] == "46 of float32"
    assert rows["not of BERT"] == "nothing"
    assert rows["parameters"] == "53,520"


def test_inspect_as_json(run, data):
    status, output, _ = run("inspect", data / "tiny_tf1_hub", "--json")
    found = json.loads(output)
    checkpoint = load_checkpoint(data / "tiny_tf1_hub")
    assert status == 0
    assert found["source"] == str(data / "tiny_tf1_hub")
    assert found["config"] == checkpoint.config.to_dict()
    assert found["missing"] == ["next_sentence"]
    assert found["lowercase"] is True
    assert {tensor["name"]: tuple(tensor["shape"]) for tensor in found["tensors"]} == (
        checkpoint.weights.shapes
    )
    assert found["parameters"] == sum(weight.size for weight in checkpoint.weights.values())


def test_inspect_names_what_is_beside_bert(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    tensors = read_tensors(folder / "bert_model.ckpt")
    slots = {f"{name}/adam_m": tensor for name, tensor in tensors.items()}
    write_tensors(folder / "bert_model.ckpt", tensors | slots)
    (folder / "vocab.txt").unlink()
    _, output, _ = run("inspect", folder)
    assert re.search(r"not of BERT .*adam_m,(.|\n)* and 40\s+more", output)
    assert shown(output)["vocabulary"] == "not there"
    assert shown(output)["missing"] == "vocabulary, lowercase"


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
        ("file", "file is a file, and a folder is written. Name another."),
        ("hf://org/name", "can't be written to: name a folder on this machine."),
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


def change(folder, name, amount):
    prefix = folder / "bert_model.ckpt"
    tensors = read_tensors(prefix)
    tensors[name] = tensors[name] + np.float32(amount)
    write_tensors(prefix, tensors)


def test_verify_finds_a_difference(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    change(folder, "bert/pooler/dense/bias", 0.001)
    status, output, _ = run("verify", data / "tiny_original", folder)
    assert status == 1
    assert shown(output)["pooled_output"].endswith("DIFFERENT")
    assert shown(output)["sequence_output"].endswith("same")
    assert run("verify", data / "tiny_original", folder, "--tolerance", 0.01)[0] == 0


def test_verify_compares_vocabularies(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    lines = (folder / "vocab.txt").read_text().split("\n")
    lines[200], lines[201] = lines[201], lines[200]
    (folder / "vocab.txt").write_text("\n".join(lines))
    status, output, _ = run("verify", data / "tiny_original", folder)
    assert status == 1
    assert shown(output)["vocabulary"] == "DIFFERENT"


def test_verify_is_not_fooled_by_numbers_that_are_none(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    change(folder, "bert/embeddings/LayerNorm/beta", np.nan)
    assert run("verify", data / "tiny_original", folder)[0] == 1


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--seed", "-1", "--seed must be an int of at least 0, got -1."),
        ("--tolerance", "nan", "--tolerance must be a number from 0 on, got nan."),
    ],
)
def test_verify_looks_at_its_options_first(run, option, value, message):
    """Before the checkpoints, which may be far away."""
    status, _, errors = run("verify", "nothing", "nothing", f"{option}={value}")
    assert (status, errors) == (2, f"keras-bert-zh: error: {message}\n")


def test_verify_compares_heads(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    change(folder, "cls/predictions/output_bias", 1)
    status, output, _ = run("verify", data / "tiny_original", folder)
    assert status == 1
    assert shown(output)["masked_lm"].endswith("DIFFERENT")
    assert shown(output)["next_sentence"].endswith("same")


def test_verify_says_what_only_one_of_them_has(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    (folder / "vocab.txt").unlink()
    status, output, _ = run("verify", data / "tiny_original", folder)
    assert status == 1
    assert shown(output)["vocabulary"] == "only in A"
    status, output, _ = run("verify", data / "tiny_huggingface", data / "tiny_tf1_hub")
    assert status == 1
    assert shown(output)["next_sentence"] == "only in A"
    assert shown(output)["lowercase"] == "only in B"


def test_brackets_are_no_markup(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "q[" / "b]")
    status, output, _ = run("inspect", folder)
    assert status == 2  # TensorFlow takes them for a pattern.
    folder = shutil.copytree(data / "tiny_huggingface", tmp_path / "[red]q[" / "b]")
    status, output, _ = run("inspect", folder)
    assert status == 0
    assert "[red]q[" in output.replace("\n", "")


@pytest.mark.filterwarnings("default::UserWarning:keras_bert_zh")
def test_warnings_are_one_line(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_huggingface", tmp_path / "model")
    (folder / "tokenizer_config.json").write_text('{"strip_accents": true}')
    status, _, errors = run("inspect", folder)
    assert status == 0
    assert errors.startswith(f"keras-bert-zh: warning: {folder}: its tokenizer has strip_accents")
    assert errors.count("\n") == 1


def test_verify_refuses_models_of_different_sizes(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    tensors = read_tensors(folder / "bert_model.ckpt")
    name = "bert/embeddings/position_embeddings"
    write_tensors(folder / "bert_model.ckpt", tensors | {name: tensors[name][:48]})
    config = folder / "bert_config.json"
    config.write_text(config.read_text().replace("64", "48"))
    status, _, errors = run("verify", data / "tiny_original", folder)
    assert status == 2
    assert "has max_position_embeddings=64 and" in errors
    assert "has max_position_embeddings=48" in errors


@pytest.mark.parametrize("command", ["inspect", "convert", "verify"])
def test_errors_are_one_line(run, tmp_path, command):
    rest = {"inspect": (), "convert": (tmp_path / "b", "--format", "original"), "verify": ("b",)}
    (tmp_path / "empty").mkdir()
    status, output, errors = run(command, tmp_path / "empty", *rest[command])
    assert status == 2
    assert output == ""
    assert errors.startswith(f"keras-bert-zh: error: {tmp_path / 'empty'} holds no checkpoint: it")
    assert errors.endswith("is empty. ... (6 more lines with --debug)\n")
    assert errors.count("\n") == 1
    status, _, errors = run(command, tmp_path / "empty", *rest[command], "--debug")
    assert status == 2
    assert "Traceback" in errors
    assert "Formats that are read:\n" in errors


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


def test_as_a_program(data):
    """Nothing but the answer is printed, not even by TensorFlow."""
    result = as_a_program("inspect", data / "tiny_huggingface", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["format"] == "Hugging Face folder"
    result = as_a_program("verify", data / "tiny_original", data / "tiny_huggingface")
    assert (result.returncode, result.stderr) == (0, "")
    assert shown(result.stdout)["next_sentence"].endswith("same")


@pytest.mark.parametrize(
    ("arguments", "status", "printed"),
    [
        (["--help"], 0, "show what a checkpoint holds"),
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
