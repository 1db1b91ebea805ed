"""A checkpoint is saved whole or not at all, and to where it was asked for."""

import dataclasses
import pathlib
import resource
import signal

import keras
import pytest

from keras_bert_zh import (
    BertPreprocess,
    load_checkpoint,
    save_checkpoint,
)
from keras_bert_zh.checkpoints.tensors import Tensor, Weights
from keras_bert_zh.export.checkpoint import FORMATS
from tests.checkpoints.writers.variants import assert_same, variant
from tests.folders import contents
from tests.process import fork_python

QUERY = "blocks.0.attention.query.kernel"
BOTH = ("huggingface", "original")


def test_arguments_that_are_something_else(tiny, encoder, folder):
    with pytest.raises(ValueError, match=r"format must be 'huggingface' or 'original'.*, got 'h5'"):
        save_checkpoint(tiny, folder, "h5")
    for source in ("path", keras.Sequential([encoder])):
        with pytest.raises(TypeError, match=r"must be a BertEncoder, a model on one .* From a lar"):
            save_checkpoint(source, folder)
    with pytest.raises(TypeError, match=r"preprocess must be a BertPreprocess, got \['a'\]"):
        save_checkpoint(tiny, folder, preprocess=["a"])
    with pytest.raises(ValueError, match="has 21128 tokens, but the word embeddings have 718 rows"):
        save_checkpoint(tiny, folder, preprocess=BertPreprocess(None))
    with pytest.raises(
        ValueError, match="hf://me/model is a URL, which can't be written to: pass the path of a fo"
    ):
        save_checkpoint(tiny, "hf://me/model")
    assert list(folder.parent.iterdir()) == []


def test_paths(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert save_checkpoint(tiny, "a/b") == pathlib.Path("a/b")
    assert save_checkpoint(tiny, "~/c") == tmp_path / "home" / "c"
    assert contents("a/b") == contents("home/c")


@pytest.mark.parametrize("format", BOTH)
def test_over_the_files_that_are_read(tiny, folder, format):
    save_checkpoint(variant(tiny, lowercase=False), folder, format)
    before = contents(folder)
    with pytest.raises(FileExistsError, match=r"Pass overwrite=True \(--overwrite\) to repl"):
        save_checkpoint(load_checkpoint(folder), folder, format)
    preprocess = BertPreprocess(tiny)
    save_checkpoint(load_checkpoint(folder), folder, format, preprocess=preprocess, overwrite=True)
    assert contents(folder) != before
    assert_same(load_checkpoint(folder), tiny)


@pytest.mark.filterwarnings("ignore:Keras Hub")
@pytest.mark.parametrize("format", FORMATS)
def test_permissions_are_those_of_any_new_file(tiny_block, folder, format):
    folder.with_name("file").touch()
    save_checkpoint(tiny_block, folder, format)
    modes = {path.stat().st_mode for path in folder.rglob("*") if path.is_file()}
    assert modes == {folder.with_name("file").stat().st_mode}


@pytest.mark.filterwarnings("ignore:Keras Hub")
def test_any_format_replaces_any_other(tiny_block, folder):
    for format in (*FORMATS, *reversed(FORMATS)):
        save_checkpoint(tiny_block, folder, format, overwrite=True)
        assert_same(load_checkpoint(folder), tiny_block)
    assert list(folder.parent.iterdir()) == [folder]


# Saves to a folder; the process is killed while a weight is read, or while one is written.
CODE = """
import dataclasses, os, resource, signal, sys
from keras_bert_zh import load_checkpoint, save_checkpoint

source, folder, format, fatal = sys.argv[1:]
checkpoint = load_checkpoint(source)
if fatal == "read":
    def die(name):
        if name == "pooler.dense.kernel":
            os.kill(os.getpid(), signal.SIGKILL)
    checkpoint = dataclasses.replace(checkpoint, weights=checkpoint.weights.watched(die))
elif fatal == "write":
    # The kernel kills whoever writes more than this into a file.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
save_checkpoint(checkpoint, folder, format, overwrite=True)
"""


KILLED_BY = {"read": signal.SIGKILL, "write": signal.SIGXFSZ}


@pytest.mark.parametrize("format", BOTH)
@pytest.mark.parametrize("fatal", KILLED_BY)
def test_a_killed_process_leaves_the_old_checkpoint(tiny, tiny_module, folder, format, fatal):
    save_checkpoint(variant(tiny, lowercase=False), folder, format)
    before = contents(folder)
    process = fork_python(CODE, tiny_module, folder, format, fatal)
    assert process.returncode == -KILLED_BY[fatal], process.stderr
    assert contents(folder) == before
    (debris,) = folder.parent.glob(".*")
    small = {"config.json", "tokenizer_config.json", "bert_config.json", "vocab.txt", "checkpoint"}
    assert any(path.name not in small for path in debris.iterdir()) == (fatal == "write")
    save_checkpoint(tiny, folder, format, overwrite=True)
    assert_same(load_checkpoint(folder), tiny)
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("format", BOTH)
def test_a_full_disk_leaves_the_old_checkpoint(tiny, folder, format):
    save_checkpoint(variant(tiny, lowercase=False), folder, format)
    before = contents(folder)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"/(model|bert_model)\.\w+ can't be written: "):
            save_checkpoint(tiny, folder, format, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(folder) == before
    assert list(folder.parent.iterdir()) == [folder]


def test_a_weight_that_can_not_be_read(tiny, folder):
    def fail():
        raise ValueError("bert.data-*: damaged")

    lazy = {name: Tensor(w.shape, "float32", lambda w=w: w) for name, w in tiny.weights.items()}
    lazy[QUERY] = lazy[QUERY]._replace(read=fail)
    with pytest.raises(ValueError, match=r"^bert.data-\*: damaged$"):
        save_checkpoint(dataclasses.replace(tiny, weights=Weights(lazy)), folder)
    assert list(folder.parent.iterdir()) == []
