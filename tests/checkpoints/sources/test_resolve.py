"""Which transport a source takes."""

import pathlib
import shutil

import pytest

from keras_bert_zh.checkpoints import DEFAULT, load_checkpoint
from keras_bert_zh.checkpoints.sources import published, resolve
from tests.checkpoints.loopback import Answer
from tests.process import DATA


@pytest.mark.parametrize("source", ["gs://bucket/module", "s3://b/c.zip", "file:///tmp/bert"])
def test_other_schemes(source):
    scheme = source.partition("/")[0]
    with pytest.raises(ValueError, match=f"{source} can't be loaded: {scheme}// is") as caught:
        resolve.resolve(source)
    message = str(caught.value)
    assert DEFAULT in message
    assert published.URL in message
    for form in ("a local path", "hf://ORGANISATION/NAME@REVISION", "kaggle://OWNER/MODEL/"):
        assert form in message


@pytest.mark.parametrize(
    ("source", "by_hub"),
    [
        (DEFAULT, True),
        ("HTTP://example.com/bert/1?format=.zip", True),
        ("https://example.com/bert.zip/1", True),
        (published.URL, False),
        ("http://example.com/bert.ZIP?token=a#b", False),
        ("hf://org/name", False),
        ("bert.zip", False),
        (pathlib.Path("https://tfhub.dev/1"), False),
    ],
)
def test_what_tensorflow_hub_resolves(source, by_hub):
    assert resolve.is_handle(source) == by_hub
    assert resolve.arrives_unchecked(source) == by_hub


def test_a_local_path_is_left_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("~/bert", tmp_path / "bert", "relative/bert_model.ckpt"):
        assert resolve.resolve(path) == pathlib.Path(path).expanduser()
    assert resolve.resolve(DATA / "tiny_original") == DATA / "tiny_original"
    assert resolve.resolve(DATA / "tiny_original" / "vocab.txt").is_file()


def test_a_zip_archive_by_path_and_by_url(server, tmp_path, own_cache):
    path = shutil.make_archive(tmp_path / "tiny", "zip", DATA, "tiny_original")
    folder = resolve.resolve(path)
    assert folder.is_relative_to(own_cache)
    assert load_checkpoint(folder).format == "google-research/bert checkpoint"

    server.routes["/tiny.zip"] = Answer(body=pathlib.Path(path).read_bytes())
    assert resolve.resolve(f"{server.url}/tiny.zip?token=1") == folder
    assert server.requests == ["/tiny.zip?token=1"]


def test_a_path_that_looks_like_a_url_is_a_path():
    with pytest.raises(FileNotFoundError, match="hf:/org/name does not exist"):
        load_checkpoint(pathlib.Path("hf://org/name"))


def test_small_is_bundled_and_a_folder_of_that_name_is_another(monkeypatch, tmp_path, copy_to):
    copy_to(tmp_path / "small")
    monkeypatch.chdir(tmp_path)
    assert resolve.resolve("small") != resolve.resolve("./small") == pathlib.Path("small")
    assert load_checkpoint("small").config != load_checkpoint("./small").config


@pytest.mark.parametrize("source", [None, 3, b"module", ["a"]])
def test_neither_path_nor_url(source):
    with pytest.raises(TypeError, match="checkpoint must be a path, a URL or a Checkpoint, got"):
        resolve.resolve(source)
