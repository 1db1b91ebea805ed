"""What save_checkpoint replaces: a checkpoint that is read, and nothing that only looks so."""

import json
import os
import re
import shutil
import warnings

import numpy as np
import pytest
from safetensors.numpy import save_file

from keras_bert_zh.checkpoints.writers.checkpoint_folder import CHECKPOINT
from tests.process import DATA

FORMATS = (*sorted(folder.name for folder in DATA.glob("tiny_*/")), "keras_hub_preset")


def copied(name, tmp_path):
    return shutil.copytree(DATA / name, tmp_path / name)


def reason(folder):
    try:
        CHECKPOINT.check(folder)
    except ValueError as error:
        return str(error)
    raise AssertionError("It may be replaced.")


@pytest.mark.parametrize("name", FORMATS)
def test_a_checkpoint(tmp_path, name):
    CHECKPOINT.check(copied(name, tmp_path))


@pytest.mark.parametrize("kind", ["tf_model.h5", "flax_model.msgpack", "pytorch_model.bin"])
@pytest.mark.parametrize("beside", [True, False])
def test_one_of_another_kind_of_weights(tmp_path, kind, beside):
    folder = copied("tiny_huggingface", tmp_path)
    shutil.copy(DATA / "weight_files" / kind, folder)
    if not beside:
        (folder / "model.safetensors").unlink()
    CHECKPOINT.check(folder)


def test_a_fine_tuned_one_without_a_word(tmp_path):
    """What it has beside its BERT is told of where it is read."""
    folder = copied("tiny_huggingface", tmp_path)
    (folder / "tokenizer_config.json").write_text('{"strip_accents": true, "do_lower_case": false}')
    with warnings.catch_warnings(action="error"):
        CHECKPOINT.check(folder)


@pytest.mark.parametrize(
    ("name", "path", "named"),
    [
        ("tiny_huggingface", "notes.txt", "notes.txt"),
        ("tiny_huggingface", ".git/config", ".git"),
        ("tiny_huggingface", "training_args.bin", "training_args.bin"),
        ("tiny_huggingface", "bert_config.json", "bert_config.json"),
        ("tiny_huggingface", "assets/vocab.txt", "assets"),
        ("tiny_original", "model.safetensors/vocab.txt", "model.safetensors"),
        ("tiny_tf2_hub", "variables/notes.txt", "variables/notes.txt"),
        ("tiny_tf2_hub", "variables/deep/variables.index", "variables/deep"),
        ("tiny_tf1_hub", "assets/bert_config.json", "assets/bert_config.json"),
        ("keras_hub_preset", "assets/notes.txt", "assets/notes.txt"),
        ("keras_hub_preset", "assets/audio/notes.txt", "assets/audio"),
        ("keras_hub_preset", "assets/tokenizer/merges.txt", "assets/tokenizer/merges.txt"),
    ],
)
def test_any_file_more(tmp_path, name, path, named):
    folder = copied(name, tmp_path)
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_bytes(b"dear")
    assert reason(folder).startswith(f"It contains {named}, which is not part of a ")


def test_a_link_to_another_folder(tmp_path):
    folder = copied("tiny_tf2_hub", tmp_path)
    shutil.rmtree(folder / "assets")
    (folder / "assets").symlink_to(tmp_path)
    assert reason(folder)


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "checkpoint", "saved_model.pb"])
def test_a_name_alone_is_none(tmp_path, name):
    (tmp_path / name).write_text('{"debug": true}')
    message = f"It must contain one checkpoint and nothing else, but it contains {name}."
    assert reason(tmp_path) == message


def test_two_checkpoints(tmp_path):
    folder = copied("tiny_huggingface", tmp_path)
    shutil.copytree(DATA / "tiny_original", folder, dirs_exist_ok=True)
    found = "it contains Hugging Face folder and google-research/bert checkpoint bert_model.ckpt."
    assert reason(folder).endswith(found)


def test_a_model_of_another_kind(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    save_file({"model.norm.weight": np.ones(3)}, tmp_path / "model.safetensors")
    assert re.search(
        "load_checkpoint can't open it: .* be 'bert' or .*, got 'llama'", reason(tmp_path)
    )


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_one(tmp_path, name):
    """Nobody knows what it is worth, or to whom."""
    folder = copied(name, tmp_path)
    patterns = ("*.data-*", "*.safetensors", "model.weights.h5")
    (file,) = [path for pattern in patterns for path in folder.rglob(pattern)]
    os.truncate(file, file.stat().st_size - 4)
    assert reason(folder).startswith(f"load_checkpoint can't open it: {file}")
