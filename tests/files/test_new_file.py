"""A file appears whole or not at all, and replaces only what it may."""

import os
import signal
import subprocess
import sys

import pytest

from keras_bert_zh.files.new_file import new_file
from tests.checkpoints.bare import PRELUDE
from tests.folders import contents
from tests.process import ROOT

# Is killed in the middle of a file.
CODE = f"""{PRELUDE}
import os, signal
from keras_bert_zh.files.new_file import new_file

with new_file(sys.argv[1]) as new:
    new.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def keep(file):
    raise ValueError(f"{file.name} must stay")


def write_half(file):
    with new_file(file) as new:
        new.write_text("half")
        raise RuntimeError("stop")


def write_while_it_comes(file):
    with new_file(file, replaces=keep) as new:
        new.write_text("new")
        file.write_text("dear")


def test_it_replaces_the_file_when_the_block_ends(tmp_path):
    file = tmp_path / "deep" / "state.npz"
    with new_file(file) as new:
        assert new.name == "state.npz"
        new.write_text("first")
        assert not file.exists()
    with new_file(file) as new:
        new.write_text("second")
        assert contents(tmp_path)["deep/state.npz"] == b"first"
    assert contents(file.parent) == {"state.npz": b"second"}


def test_an_error_leaves_what_was_there(tmp_path, monkeypatch):
    file = tmp_path / "state"
    file.write_text("old")
    with pytest.raises(RuntimeError, match="stop"):
        write_half(file)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"), new_file(file) as new:
        new.write_text("new")
    assert contents(tmp_path) == {"state": b"old"}


def test_what_may_be_replaced_is_an_argument(tmp_path):
    file, begun = tmp_path / "state", []
    with new_file(file, replaces=keep) as new:  # Nothing is there that must stay.
        new.write_text("old")
    with pytest.raises(ValueError, match="state must stay"), new_file(file, replaces=keep):
        begun.append(True)
    assert not begun
    # Also of what has come in the meantime.
    with pytest.raises(ValueError, match="other must stay"):
        write_while_it_comes(tmp_path / "other")
    assert contents(tmp_path) == {"state": b"old", "other": b"dear"}


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "state").mkdir()
    with (
        pytest.raises(IsADirectoryError, match="state is a folder, but a file is written there"),
        new_file(tmp_path / "state"),
    ):
        pass
    (tmp_path / "file").write_text("dear")
    with (
        pytest.raises(NotADirectoryError, match=r"can't be created: .*/file is a file"),
        new_file(tmp_path / "file" / "state"),
    ):
        pass
    assert contents(tmp_path) == {"file": b"dear", "state": None}


def test_permissions_and_links_stay(tmp_path):
    (tmp_path / "data").mkdir()
    file, link = tmp_path / "data" / "state", tmp_path / "state"
    link.symlink_to(file)
    with new_file(link) as new:
        new.write_text("first")
        new.chmod(0o600)
    plain = tmp_path / "plain"
    plain.touch()
    assert file.stat().st_mode == plain.stat().st_mode
    file.chmod(0o640)
    with new_file(link) as new:
        new.write_text("second")
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.read_text() == "second"


def test_what_a_killed_process_left_is_removed(tmp_path):
    file = tmp_path / "state"
    file.write_text("old")
    process = subprocess.run(
        [sys.executable, "-c", CODE, str(file)], check=False, cwd=ROOT, timeout=300
    )
    assert process.returncode == -signal.SIGKILL
    assert file.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    with new_file(file) as new:
        new.write_text("new")
        with new_file(file) as other:  # One under way is no debris.
            other.write_text("other")
        assert new.read_text() == "new"
    assert contents(tmp_path) == {"state": b"new"}
