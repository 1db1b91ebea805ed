"""Which archives are not unpacked at all."""

import stat
import struct
import sys
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.checkpoints.sources import archive, archive_members


def entry(name, *, mode=0, system=3, compression=zipfile.ZIP_DEFLATED):
    """Returns a member of this exact name, which ZipInfo would tidy up."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    info.external_attr = mode << 16
    info.create_system = system
    info.compress_type = compression
    return info


def write_zip(path, *entries, content=b"content"):
    with zipfile.ZipFile(path, "w") as file:
        for info in entries:
            file.writestr(info, content)
    return path


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


UNSAFE = {
    "/etc/passwd": "outside",
    "../escaped": "outside",
    "bert/../../escaped": "outside",
    "bert/..": "outside",
    "bert//vocab.txt": "outside",
    "./vocab.txt": "outside",
    "..": "outside",
    "": "outside",
    "C:vocab.txt": "drive letter",
    "c:/vocab.txt": "drive letter",
    "..\\escaped": "backslash",
    "bert\\vocab.txt": "backslash",
    "vocab.txt\0.zip": "a NUL",
}


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_lead_elsewhere(tmp_path, own_cache, name):
    path = write_zip(tmp_path / "a.zip", entry("bert/good.txt"), entry(name))
    before = everything(tmp_path)
    with pytest.raises(
        ValueError, match=f"can't be unpacked: its member .*{UNSAFE[name]}"
    ) as caught:
        archive.unpack(path)
    assert str(caught.value).startswith(f"{path} ")
    assert repr(name) in str(caught.value)
    assert everything(tmp_path) == before
    assert list((own_cache / "archives").iterdir()) == []


def test_a_second_name_that_leads_elsewhere(tmp_path):
    name = b"../escaped"
    info = entry("bert/good.txt")
    field = struct.pack("<BL", 1, zlib.crc32(b"bert/good.txt")) + name
    info.extra = struct.pack("<HH", 0x7075, len(field)) + field
    path = write_zip(tmp_path / "a.zip", info)
    if sys.version_info < (3, 12):  # Knows only the first name.
        assert [file.name for file in everything(archive.unpack(path))] == ["good.txt"]
        info.orig_filename, info.filename = "bert/good.txt", name.decode()
        assert "outside" in archive_members._problem(info)
    else:
        with pytest.raises(ValueError, match="outside"):
            archive.unpack(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
@pytest.mark.parametrize("system", [0, 3])
def test_links_and_devices(tmp_path, kind, system):
    link = entry("bert/link", mode=kind | 0o777, system=system)
    path = write_zip(tmp_path / "a.zip", link, content=b"/etc/passwd")
    with pytest.raises(ValueError, match="its member 'bert/link' is a link or a device, not a"):
        archive.unpack(path)


def test_plain_files_and_folders_of_unix_are_fine(tmp_path):
    folder = entry("bert/", mode=stat.S_IFDIR | 0o755)
    file = entry("bert/run", mode=stat.S_IFREG | stat.S_ISUID | 0o777)
    unpacked = archive.unpack(write_zip(tmp_path / "a.zip", folder, file))
    assert (unpacked / "run").read_bytes() == b"content"
    assert not (unpacked / "run").stat().st_mode & (stat.S_ISUID | 0o111)


def test_encrypted_members(tmp_path):
    path = write_zip(tmp_path / "a.zip", entry("vocab.txt"))
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"its member 'vocab\.txt' is encrypted\."):
        archive.unpack(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression(tmp_path, compression):
    path = write_zip(tmp_path / "a.zip", entry("vocab.txt", compression=compression))
    with pytest.raises(ValueError, match="is compressed with a method other than deflate"):
        archive.unpack(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["bert/vocab.txt", "BERT/Vocab.txt", "bert/vocab.txt/"])
def test_duplicate_names(tmp_path, second):
    path = write_zip(tmp_path / "a.zip", entry("bert/vocab.txt"), entry(second), entry("x/y"))
    if second.endswith("/"):
        assert (archive.unpack(path) / "bert" / "vocab.txt").is_file()
        return
    with pytest.raises(ValueError, match=rf"its member '{second}' appears twice\."):
        archive.unpack(path)


def test_accents_that_some_disks_do_not_tell_apart(tmp_path):
    path = write_zip(tmp_path / "a.zip", entry("caf\u00e9"), entry("cafe\u0301"))
    with pytest.raises(ValueError, match="appears twice"):
        archive.unpack(path)


def test_a_file_that_is_a_folder_too(tmp_path):
    path = write_zip(tmp_path / "a.zip", entry("bert/a/b"), entry("bert/a"))
    with pytest.raises(ValueError, match="its member 'bert/a' is both a file and a folder"):
        archive.unpack(path)


def test_far_more_bytes_than_the_archive_has(tmp_path, own_cache):
    path = write_zip(tmp_path / "a.zip", entry("zeros"), content=bytes(3_000_000))
    size = path.stat().st_size
    with pytest.raises(
        ValueError, match=f"unpack to 3,000,000 bytes, more than 50 times the {size:,} bytes"
    ):
        archive.unpack(path)
    assert list((own_cache / "archives").iterdir()) == []


def test_as_many_bytes_as_a_graph_may_shrink_by(tmp_path):
    path = write_zip(tmp_path / "a.zip", entry("zeros"), content=bytes(3_000))
    assert 10 * path.stat().st_size < 3_000
    assert archive.unpack(path).is_dir()


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_members, "_MOST_MEMBERS", 3)
    path = write_zip(tmp_path / "a.zip", *(entry(str(number)) for number in range(4)))
    with pytest.raises(ValueError, match="it has 4 members, more than the limit of 3"):
        archive.unpack(path)


def test_a_model_that_keras_saved(tmp_path):
    names = ("metadata.json", "config.json", "model.weights.h5", "assets/")
    path = write_zip(tmp_path / "model.keras", *map(entry, names))
    with pytest.raises(ValueError, match=r"open it with keras\.saving\.load_model") as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


def test_a_pickle_of_pytorch(tmp_path):
    path = write_zip(tmp_path / "pytorch_model.bin", entry("archive/data.pkl"), entry("archive/0"))
    with pytest.raises(ValueError, match="pass the folder that contains this file and its"):
        load_checkpoint(path)


def attempt(path):
    """Returns the folder, or what the ValueError says."""
    try:
        return archive.unpack(path), None
    except ValueError as error:
        return None, str(error)


NAMES = st.text("ab.:/\\\0é\u0301AC", min_size=1, max_size=9)


@settings(max_examples=150, deadline=None)
@given(names=st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_nothing_is_ever_written_elsewhere(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("names")
    path = write_zip(folder / "a.zip", *map(entry, names))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BERT_ZH_CACHE", str(folder / "cache"))
        unpacked, message = attempt(path)
    if unpacked:
        found = {file.relative_to(unpacked).as_posix() for file in everything(unpacked)}
        plain = [name for name in names if not name.endswith("/")]
        assert len(found) == len(plain)
        assert all(any(name.endswith(file) for name in plain) for file in found)
    else:
        assert "can't be unpacked" in message
        assert everything(folder / "cache") == {}
    assert {file.name for file in folder.iterdir()} == {"a.zip", "cache"}
