"""Processes that are killed while they save: what they leave, and what the next save does."""

import signal
import subprocess
import sys

import pytest

from keras_bert_zh.files.new_folder import new_folder
from keras_bert_zh.files.replaceable import Replaceable
from tests.checkpoints.bare import PRELUDE
from tests.folders import contents
from tests.process import ROOT

# Replaces a folder, and is killed when `os.rename` or the removal of the old folder comes up.
CODE = f"""{PRELUDE}
import os, pathlib, shutil, signal
from keras_bert_zh.files.new_folder import new_folder
from keras_bert_zh.files.replaceable import Replaceable

folder, fatal = pathlib.Path(sys.argv[1]), sys.argv[2]
rename = os.rename

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

def rename_or_die(source, target):
    die() if fatal == "second rename" and ".new-" in str(source) else rename(source, target)

os.rename = rename_or_die
anything = Replaceable("thing", lambda folder: None)
with new_folder(folder, replaces=anything, overwrite=True) as new:
    (new / "config.json").write_text("new")
    if fatal == "removal":
        shutil.rmtree = die
    elif fatal == "writing":
        die()
"""

ANYTHING = Replaceable("thing", lambda folder: None)


@pytest.fixture
def old(tmp_path):
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text("old")
    return tmp_path / "bert"


def kill(folder, moment):
    process = subprocess.run(
        [sys.executable, "-c", CODE, str(folder), moment],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=300,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    return sorted(path.name.rpartition("-")[0] for path in folder.parent.glob(".*"))


def save(folder, *, overwrite):
    with new_folder(folder, replaces=ANYTHING, overwrite=overwrite) as new:
        (new / "config.json").write_text("newer")


def test_killed_while_writing(old):
    assert kill(old, "writing") == [".bert.new"]
    assert contents(old) == {"config.json": b"old"}
    save(old, overwrite=True)
    assert contents(old) == {"config.json": b"newer"}
    assert list(old.parent.iterdir()) == [old]


def test_killed_while_replacing(old):
    """No folder is there for an instant. A process killed in it leaves both beside the place."""
    assert kill(old, "second rename") == [".bert.new", ".bert.old"]
    assert not old.exists()
    with pytest.raises(FileExistsError, match="is not empty"):
        save(old, overwrite=False)
    assert contents(old) == {"config.json": b"old"}
    assert list(old.parent.iterdir()) == [old]


def test_killed_before_the_old_folder_was_removed(old):
    assert kill(old, "removal") == [".bert.old"]
    assert contents(old) == {"config.json": b"new"}
    with pytest.raises(FileExistsError, match="is not empty"):
        save(old, overwrite=False)
    assert contents(old) == {"config.json": b"new"}
    assert list(old.parent.iterdir()) == [old]


def test_a_save_under_way_is_no_debris(old):
    with new_folder(old, replaces=ANYTHING, overwrite=True) as new:
        (new / "config.json").write_text("slow")
        save(old, overwrite=True)
        assert contents(new) == {"config.json": b"slow"}
        assert contents(old) == {"config.json": b"newer"}
    assert contents(old) == {"config.json": b"slow"}
    assert list(old.parent.iterdir()) == [old]


def test_other_hidden_files_are_left_alone(old):
    others = [old.with_name(name) for name in (".bert.new-1", ".bert", ".bertx.new-0123abcd")]
    for path in others:
        path.mkdir()
    file, link = old.with_name(".bert.new-01234567"), old.with_name(".bert.old-01234567")
    file.write_text("dear")
    link.symlink_to(others[0])
    save(old, overwrite=True)
    assert sorted(old.parent.iterdir()) == sorted([*others, file, link, old])
