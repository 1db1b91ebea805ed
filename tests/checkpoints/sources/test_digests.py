"""Digests of files: the user's, and those that are remembered."""

import hashlib
import os
import shutil

import pytest

from keras_bert_zh.checkpoints import load_checkpoint, open_checkpoint
from keras_bert_zh.checkpoints.sources import digests
from tests.process import DATA


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


FILES = {
    "tiny_tf1_hub": ["variables/variables.index", "assets/vocab.txt", "saved_model.pb"],
    "tiny_original": ["bert_model.ckpt.data-00000-of-00001", "bert_config.json"],
    "tiny_huggingface": ["model.safetensors", "vocab.txt"],
}


@pytest.mark.parametrize("folder", FILES)
def test_files_that_are_as_expected(folder):
    expected = {name: sha256_of(DATA / folder / name) for name in FILES[folder]}
    assert load_checkpoint(DATA / folder, sha256=expected).config.hidden_size == 32
    upper = {name: digest.upper() for name, digest in expected.items()}
    assert load_checkpoint(DATA / folder, sha256=upper).config.hidden_size == 32


def test_a_prefix_means_its_folder():
    prefix = DATA / "tiny_original" / "bert_model.ckpt"
    expected = {"vocab.txt": sha256_of(prefix.with_name("vocab.txt"))}
    assert load_checkpoint(prefix, sha256=expected).config.hidden_size == 32
    with pytest.raises(ValueError, match=f"vocab.txt has sha256 .*, expected {'0' * 64}"):
        load_checkpoint(prefix, sha256={"vocab.txt": "0" * 64})


def test_an_archive(tmp_path, own_cache):
    path = shutil.make_archive(tmp_path / "tiny", "zip", DATA, "tiny_original")
    expected = {"vocab.txt": sha256_of(DATA / "tiny_original" / "vocab.txt")}
    assert load_checkpoint(path, sha256=expected).config.hidden_size == 32
    with pytest.raises(ValueError, match="do not match sha256") as caught:
        load_checkpoint(path, sha256={"vocab.txt": "0" * 64})
    (folder,) = (own_cache / "archives").iterdir()
    assert caught.value.__notes__ == [f"Delete {folder} and load {path} again."]


def test_another_digest_is_found_before_anything_is_read(tmp_path):
    folder = shutil.copytree(DATA / "tiny_huggingface", tmp_path / "model")
    for file in folder.iterdir():
        file.write_bytes(b"not a checkpoint at all")
    found = hashlib.sha256(b"not a checkpoint at all").hexdigest()
    expected = {"model.safetensors": "ab" * 32, "vocab.txt": found, "config.json": "cd" * 32}
    with pytest.raises(ValueError, match=f"^The files in {folder} do not match sha256") as caught:
        load_checkpoint(folder, sha256=expected)
    assert str(caught.value).endswith(
        f": model.safetensors has sha256 {found}, expected {'ab' * 32}; "
        f"config.json has sha256 {found}, expected {'cd' * 32}."
    )
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize("name", ["model-00001-of-00002.safetensors", ".", "", "vocab.txt/x"])
def test_a_file_that_is_not_there(name):
    with pytest.raises(ValueError, match=f": {name} is missing, expected sha256 {'0' * 64}"):
        load_checkpoint(DATA / "tiny_huggingface", sha256={name: "0" * 64})


@pytest.mark.parametrize("name", ["../tiny_original/vocab.txt", "/etc/passwd", "a/../../b"])
def test_a_name_that_leads_out_of_the_folder(name):
    with pytest.raises(ValueError, match=f"'{name}', which is outside .* digest {'0' * 64}"):
        load_checkpoint(DATA / "tiny_huggingface", sha256={name: "0" * 64})


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 65, "g" * 64, "sha256:" + "0" * 64])
def test_a_malformed_digest(digest):
    with pytest.raises(ValueError, match=f"'vocab.txt' must be 64 hexa.*, got '{digest}'"):
        load_checkpoint(DATA / "tiny_huggingface", sha256={"vocab.txt": digest})


def test_no_files_at_all():
    with pytest.raises(ValueError, match="sha256 is empty; leave it out"):
        load_checkpoint(DATA / "tiny_huggingface", sha256={})


@pytest.mark.parametrize("sha256", ["0" * 64, ["vocab.txt"], {"vocab.txt": 1}, {1: "0" * 64}])
def test_no_mapping_of_strings(sha256):
    with pytest.raises(TypeError, match="sha256 must map file names to digests, got"):
        load_checkpoint(DATA / "tiny_huggingface", sha256=sha256)


def test_a_path_that_does_not_exist_has_no_files_to_compare(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        load_checkpoint(tmp_path / "nowhere", sha256={"vocab.txt": "0" * 64})


def test_nothing_is_downloaded_for_a_malformed_digest(server):
    with pytest.raises(ValueError, match="must be 64 hexadecimal digits"):
        load_checkpoint(f"{server.url}/bert/1", sha256={"vocab.txt": "0"})
    assert server.requests == []


def test_an_open_checkpoint_has_no_files():
    checkpoint = open_checkpoint(DATA / "tiny_huggingface")
    with pytest.raises(
        ValueError, match="sha256 checks files, but this Checkpoint is already loaded"
    ):
        load_checkpoint(checkpoint, sha256={"vocab.txt": "0" * 64})


def test_what_matched_is_not_read_again_until_it_changes(tmp_path, own_cache, monkeypatch):
    file = tmp_path / "file"
    file.write_bytes(b"one")
    expected = sha256_of(file)
    read = []
    monkeypatch.setattr(digests, "sha256_of", lambda path: read.append(path) or sha256_of(path))
    for _ in range(3):
        assert digests.sha256_once(file, expected) == expected
    assert read == [file]
    assert [entry.name for entry in (own_cache / "checked").iterdir()] == [expected]

    status = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    for _ in range(2):
        assert digests.sha256_once(file, expected) == sha256_of(file) != expected
    assert read == [file] * 3


def test_a_cache_that_can_not_be_written_to_costs_only_time(tmp_path, own_cache):
    own_cache.write_text("a file where the folder would be")
    file = tmp_path / "file"
    file.write_bytes(b"one")
    for _ in range(2):
        assert digests.sha256_once(file, sha256_of(file)) == sha256_of(file)
