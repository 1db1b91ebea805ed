import concurrent.futures
import errno
import os
import pathlib
import re

import pytest

from keras_bert_zh.files.new_folder import new_folder
from keras_bert_zh.files.replaceable import Replaceable
from tests.folders import contents

OLD = {"config.json": b"old", "variables": None, "variables/variables.index": b"old"}


@pytest.fixture
def folder(tmp_path):
    """The path of a folder that is not there yet."""
    return tmp_path / "模型 [1]"


@pytest.fixture
def old(folder):
    """A folder that holds a checkpoint."""
    (folder / "variables").mkdir(parents=True)
    for name in ("config.json", "variables/variables.index"):
        (folder / name).write_bytes(b"old")
    return folder


def check(folder):
    """As the doors do: whether there is anything else."""
    for name in contents(folder):
        if name not in OLD:
            raise ValueError(f"{name} in it is mine.")


THING = Replaceable("thing", check)


def save(folder, text="new", *, replaces=THING, overwrite=False):
    with new_folder(folder, replaces=replaces, overwrite=overwrite) as new:
        (new / "config.json").write_text(text)


def fail(folder, error, *, overwrite=False):
    """Raises an error when one file has been written."""
    with new_folder(folder, replaces=THING, overwrite=overwrite) as new:
        (new / "config.json").write_text("half")
        raise error


def test_a_folder_appears_when_the_block_ends(folder):
    with new_folder(folder) as new:
        (new / "config.json").write_text("new")
        assert new.parent == folder.parent
        assert not folder.exists()
    assert contents(folder.parent) == {folder.name: None, f"{folder.name}/config.json": b"new"}


def test_missing_parents_are_made(folder):
    save(folder / "a" / "b")
    assert contents(folder / "a" / "b") == {"config.json": b"new"}


def test_permissions_are_those_of_any_new_folder(folder):
    folder.with_name("other").mkdir()
    save(folder)
    assert folder.stat().st_mode == folder.with_name("other").stat().st_mode


def test_an_empty_folder_is_filled_and_keeps_its_permissions(folder):
    folder.mkdir(mode=0o711)
    save(folder)
    assert contents(folder) == {"config.json": b"new"}
    assert folder.stat().st_mode & 0o777 == 0o711


def test_an_error_leaves_nothing(folder):
    with pytest.raises(KeyboardInterrupt):
        fail(folder, KeyboardInterrupt())
    assert contents(folder.parent) == {}


def test_an_error_leaves_what_was_there(old):
    with pytest.raises(OSError, match="full"):
        fail(old, OSError(errno.ENOSPC, "full"), overwrite=True)
    assert contents(old) == OLD
    assert list(old.parent.iterdir()) == [old]


def test_a_folder_is_replaced_only_on_request(old):
    with pytest.raises(FileExistsError, match=r"Pass overwrite=True .* the thing in it") as caught:
        save(old)
    assert str(old) in str(caught.value)
    assert contents(old) == OLD
    mode = old.stat().st_mode
    save(old, overwrite=True)
    assert contents(old) == {"config.json": b"new"}
    assert old.stat().st_mode == mode
    assert list(old.parent.iterdir()) == [old]


def test_a_folder_of_something_else_is_not_replaced(old):
    (old / "notes.txt").write_bytes(b"dear")
    before = contents(old.parent)
    message = rf"{re.escape(str(old))} was not replaced: .* notes\.txt in it is mine\."
    with pytest.raises(ValueError, match=message):
        save(old, overwrite=True)
    assert contents(old.parent) == before


def test_where_nothing_is_replaced(old):
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="is not empty: choose another folder"):
            save(old, replaces=None, overwrite=overwrite)
    assert contents(old) == OLD


def test_what_comes_into_the_folder_meanwhile_is_safe(old):
    save = new_folder(old, replaces=THING, overwrite=True)
    with pytest.raises(ValueError, match=r"notes\.txt in it is mine"), save:
        (old / "notes.txt").write_bytes(b"dear")
    assert contents(old) == OLD | {"notes.txt": b"dear"}
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_in_the_way(folder, overwrite):
    folder.write_text("dear")
    with pytest.raises(NotADirectoryError, match=r"is a file, but a folder is written there:"):
        save(folder, overwrite=overwrite)
    for path in (folder / "a", folder / "a" / "b"):
        with pytest.raises(
            NotADirectoryError, match=r"can't be created: .* is a file, not a folder"
        ):
            save(path, overwrite=overwrite)
    assert folder.read_text() == "dear"


def test_a_link_to_a_folder_is_followed_and_stays(old):
    link = old.with_name("link")
    link.symlink_to(old)
    save(link, overwrite=True)
    assert link.readlink() == old
    assert contents(old) == {"config.json": b"new"}


def test_a_link_to_nothing_is_followed(folder):
    link = folder.with_name("link")
    link.symlink_to(folder)
    save(link)
    assert contents(folder) == {"config.json": b"new"}


def test_a_link_to_itself(folder):
    folder.symlink_to(folder)
    with pytest.raises(NotADirectoryError, match="is a file, but a folder is written there"):
        save(folder)


def test_folders_that_can_not_be_renamed(folder, monkeypatch):
    folder.mkdir()
    monkeypatch.chdir(folder)
    for path in (".", "..", "", pathlib.Path.cwd().anchor):
        with pytest.raises(
            ValueError, match=r"is or contains a mount point or the working directory"
        ):
            save(pathlib.Path(path))
    save(pathlib.Path("inner"))
    assert contents(folder) == {"inner": None, "inner/config.json": b"new"}


def test_the_old_folder_comes_back_if_the_new_one_can_not_be_renamed(old, monkeypatch):
    rename = os.rename

    def fail(source, target):
        if target == old and ".new-" in str(source):
            raise OSError(errno.EIO, "broken disk")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match="broken disk"):
        save(old, overwrite=True)
    assert contents(old) == OLD
    assert list(old.parent.iterdir()) == [old]


def test_everything_is_on_the_disk_before_it_is_in_place(old, monkeypatch):
    events = []
    fsync, rename = os.fsync, os.rename

    def recorded_fsync(descriptor):
        events.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def recorded_rename(source, target):
        events.append(pathlib.Path(target))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "rename", recorded_rename)
    with new_folder(old, replaces=THING, overwrite=True) as new:
        (new / "assets").mkdir()
        (new / "assets" / "vocab.txt").write_text("new")
        written = {path.stat().st_ino for path in (new, *new.rglob("*"))}
    place = events.index(old)
    assert len(written) == 3
    assert written <= set(events[:place])
    assert old.parent.stat().st_ino in events[place:]


def test_saves_at_the_same_time_follow_one_another(old):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: save(old, str(i), overwrite=True), range(24)))
    assert int(contents(old)["config.json"]) in range(24)
    assert list(old.parent.iterdir()) == [old]


def test_the_first_of_two_saves_wins_without_overwrite(folder):
    with pytest.raises(FileExistsError, match="is not empty"), new_folder(folder):
        save(folder)
    assert contents(folder) == {"config.json": b"new"}
    assert list(folder.parent.iterdir()) == [folder]
