import dataclasses
import doctest
import pathlib
import pickle

import numpy as np
import pytest

from keras_bert_zh.checkpoints import Checkpoint, load, load_checkpoint
from keras_bert_zh.checkpoints.sources import tfhub_url
from tests.checkpoints.bare import run_bare


@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_reads_a_folder(tiny_module, kind):
    checkpoint = load_checkpoint(kind(tiny_module))
    assert isinstance(checkpoint, Checkpoint)
    assert checkpoint.config.hidden_size == 32


def test_a_relative_path_with_a_home_directory(module, monkeypatch):
    monkeypatch.setenv("HOME", str(module.parent))
    assert len(load_checkpoint("~/module").vocabulary) == 718


def test_the_format_is_told_from_the_files(copy_to, tmp_path):
    folder = copy_to(tmp_path / "pytorch_model.safetensors")
    assert load_checkpoint(folder).config.num_hidden_layers == 2


def test_returns_a_checkpoint_unchanged(tiny_module):
    checkpoint = load_checkpoint(tiny_module)
    assert load_checkpoint(checkpoint) is checkpoint


def test_a_checkpoint_is_frozen_short_to_print_and_can_be_pickled(tiny_module):
    checkpoint = load_checkpoint(tiny_module)
    with pytest.raises(dataclasses.FrozenInstanceError):
        checkpoint.lowercase = False
    assert "BertConfig(vocab_size=718" in repr(checkpoint)
    assert len(repr(checkpoint)) < 600
    again = pickle.loads(pickle.dumps(checkpoint))
    assert again.config == checkpoint.config
    for name, weight in checkpoint.weights.items():
        np.testing.assert_array_equal(again.weights[name], weight)


def test_damage_in_the_cache_says_what_to_delete(copy_to, monkeypatch):
    handle = "https://example.invalid/bert/1"
    folder = copy_to(tfhub_url.cache_folder(handle))
    (folder / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match="is damaged") as caught:
        load_checkpoint(handle)
    assert caught.value.__notes__ == [f"Delete {folder} and load {handle} again."]


def test_damage_in_a_folder_of_the_user_is_not_to_be_deleted(module):
    (module / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match="is damaged") as caught:
        load_checkpoint(module)
    assert not hasattr(caught.value, "__notes__")


def test_the_example_runs(monkeypatch):
    monkeypatch.chdir(pathlib.Path(__file__).parents[2])
    result = doctest.testmod(load)
    assert result.attempted >= 4
    assert result.failed == 0


def test_importing_needs_no_package_that_only_some_checkpoints_need():
    code = """
packages = ["tensorflow", "tensorflow_hub", "keras", "huggingface_hub", "kagglehub", "safetensors"]
sys.modules.update(dict.fromkeys(packages + ["rich"]))  # Importing them is an error from now on.
from keras_bert_zh.checkpoints import DEFAULT, load_checkpoint
try:
    load_checkpoint("gs://a/b")
except ValueError as error:
    print(all(scheme in str(error) for scheme in (DEFAULT, ".zip", "hf://", "modelscope://")))
"""
    assert run_bare(code) == "True\n"


def test_a_checkpoint_has_one_row_for_each_token(tiny):
    with pytest.raises(ValueError, match="has 200 tokens, but the word embeddings have 718 rows"):
        dataclasses.replace(tiny, vocabulary=tiny.vocabulary[:200])
