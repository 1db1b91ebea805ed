"""Zip archives: unpacked once, whole or not at all, and only into the cache."""

import concurrent.futures
import hashlib
import shutil
import threading
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.checkpoints.sources import archive, published
from tests.checkpoints.bare import run_bare
from tests.process import DATA


def write_zip(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def members_of(folder, top=""):
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {f"{top}{file.relative_to(folder).as_posix()}": file.read_bytes() for file in files}


@pytest.fixture(params=["", "bert/"], ids=["no top folder", "top folder"])
def zipped(request, tmp_path):
    """A google-research/bert checkpoint in an archive."""
    return write_zip(tmp_path / "tiny", members_of(DATA / "tiny_original", request.param))


def test_unpacks_once_under_its_digest(zipped, own_cache):
    folder = archive.unpack(zipped)
    assert folder == own_cache / "archives" / hashlib.sha256(zipped.read_bytes()).hexdigest()
    assert members_of(folder) == members_of(DATA / "tiny_original")
    (folder / "vocab.txt").write_text("mine")
    assert archive.unpack(zipped) == folder
    assert (folder / "vocab.txt").read_text() == "mine"
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", ["tiny_tf1_hub", "tiny_original", "tiny_huggingface"])
def test_every_format_may_lie_in_an_archive(tmp_path, tiny, name):
    path = write_zip(tmp_path / "weights.bin", members_of(DATA / name, "model/"))
    checkpoint = load_checkpoint(path)
    for key, weight in tiny.weights.items():
        assert (checkpoint.weights[key] == weight).all(), key


def test_more_than_one_top_folder(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"bert/a": "1", "other/b": "2", "empty/": ""})
    assert members_of(archive.unpack(path)) == {"bert/a": b"1", "other/b": b"2"}


def test_what_macos_adds_is_left_out(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"bert/a": "1", "__MACOSX/bert/._a": "2"})
    assert members_of(archive.unpack(path)) == {"a": b"1"}


def test_the_cache_is_in_the_home_folder_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_BERT_ZH_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = archive.unpack(write_zip(tmp_path / "a.zip", {"a": "1"}))
    assert folder.parent == tmp_path / ".cache" / "keras_bert_zh" / "archives"


def test_processes_that_unpack_at_once_do_each_other_no_harm(tmp_path):
    path = write_zip(tmp_path / "a.zip", members_of(DATA / "tiny_original"))
    code = (
        "import sys, pathlib\n"
        "from keras_bert_zh.checkpoints.sources import archive\n"
        "print(archive.unpack(pathlib.Path(sys.argv[1])))\n"
    )
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        printed = set(pool.map(lambda _: run_bare(code, path), range(2)))
    folder = archive.unpack(path)
    assert printed == {f"{folder}\n"}
    assert members_of(folder) == members_of(DATA / "tiny_original")
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]


def test_threads_that_unpack_at_once_keep_what_the_fastest_made(zipped, monkeypatch):
    barrier = threading.Barrier(4)
    write = archive._write

    def together(path, chunks):
        if path.name == "vocab.txt":
            barrier.wait(30)
        write(path, chunks)

    monkeypatch.setattr(archive, "_write", together)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        (folder,) = set(pool.map(archive.unpack, [zipped] * 4))
    assert members_of(folder) == members_of(DATA / "tiny_original")
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]


def test_nothing_is_left_of_an_interrupted_one(zipped, own_cache, monkeypatch):
    def interrupt(path, chunks):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(next(chunks))
        raise KeyboardInterrupt

    monkeypatch.setattr(archive, "_write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        archive.unpack(zipped)
    assert list((own_cache / "archives").iterdir()) == []


def test_a_damaged_member_is_named(tmp_path, own_cache):
    path = write_zip(tmp_path / "a.zip", {"bert/vocab.txt": "我" * 99}, zipfile.ZIP_STORED)
    content = path.read_bytes()
    path.write_bytes(content.replace("我我我".encode(), "我你我".encode(), 1))
    with pytest.raises(
        ValueError, match=rf"{path} is damaged: bert/vocab\.txt: Bad CRC-32"
    ) as caught:
        archive.unpack(path)
    assert caught.value.__cause__ is not None
    assert list((own_cache / "archives").iterdir()) == []


def test_a_member_with_more_bytes_than_it_says(tmp_path, own_cache, monkeypatch):
    path = write_zip(tmp_path / "a.zip", {"bomb": bytes(1_000_000)})
    said = (1_000_000).to_bytes(4, "little")
    assert path.read_bytes().count(said) == 2
    path.write_bytes(path.read_bytes().replace(said, (500).to_bytes(4, "little")))
    sizes = []
    monkeypatch.setattr(archive, "_write", lambda path, chunks: sizes.extend(map(len, chunks)))
    with pytest.raises(ValueError, match="is damaged: bomb: Bad CRC-32"):
        archive.unpack(path)
    assert sum(sizes) <= 500


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_archive_is_no_archive(zipped, share):
    content = zipped.read_bytes()
    zipped.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=f"{zipped} is damaged: File is not a zip file"):
        archive.unpack(zipped)
    with pytest.raises(NotADirectoryError, match=f"{zipped} is a file"):
        load_checkpoint(zipped)


def attempt(path):
    """Returns the folder, or what the ValueError says."""
    try:
        return archive.unpack(path), None
    except ValueError as error:
        return None, str(error)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_changed_bytes_are_harmless_or_found(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    members = {"top/config.json": b'{"a": 1}' * 9, "top/vocab.txt": "中文".encode() * 20}
    path = write_zip(folder / "a.zip", members)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BERT_ZH_CACHE", str(folder / "cache"))
        unpacked, message = attempt(path)
    if unpacked:
        assert set(members_of(unpacked).values()) <= set(members.values())
    else:
        assert str(path) in message
        assert members_of(folder / "cache") == {}
    assert {entry.name for entry in folder.iterdir()} == {"a.zip", "cache"}
    shutil.rmtree(folder)


@pytest.fixture
def google(monkeypatch):
    """Lets the tiny checkpoint stand for the one that Google published."""
    files = {
        name: content
        for name, content in members_of(DATA / "tiny_original").items()
        if name in published.SHA256
    }
    assert len(files) == 5
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(published, "SHA256", digests)
    return files


@pytest.mark.parametrize("beside", [{}, {"README.md": b"x"}], ids=["alone", "beside another file"])
def test_the_archive_of_google_must_be_theirs(tmp_path, google, own_cache, beside):
    files = {f"{published.FOLDER}/{name}": content for name, content in google.items()}
    assert archive.unpack(write_zip(tmp_path / "good.zip", files | beside)).is_dir()

    wrong = google["vocab.txt"] + b"\n"
    path = write_zip(
        tmp_path / "wrong.zip", files | beside | {f"{published.FOLDER}/vocab.txt": wrong}
    )
    with pytest.raises(ValueError, match=f"{path} is not the {published.FOLDER} that") as caught:
        archive.unpack(path)
    message = str(caught.value)
    found, expected = hashlib.sha256(wrong).hexdigest(), published.SHA256["vocab.txt"]
    assert f": vocab.txt has sha256 {found}, expected {expected}. Download it again" in message
    assert "unpack the archive and load the folder" in message
    assert len(list((own_cache / "archives").iterdir())) == 1


def test_a_file_of_google_is_missing(tmp_path, google):
    del google["bert_model.ckpt.meta"]
    files = {f"{published.FOLDER}/{name}": content for name, content in google.items()}
    # A good copy further down does not count.
    deeper = {f"{published.FOLDER}/{name}": content for name, content in files.items()}
    path = write_zip(tmp_path / "a.zip", files | deeper)
    with pytest.raises(ValueError, match=r"bert_model\.ckpt\.meta is missing, expected sha256"):
        archive.unpack(path)


def test_what_comes_from_their_url_must_be_theirs_whatever_its_folder(tmp_path, google):
    path = write_zip(tmp_path / "good.zip", google)
    assert archive.unpack(path, from_google=True).is_dir()
    path = write_zip(tmp_path / "wrong.zip", {f"other/{name}": b"" for name in google})
    with pytest.raises(ValueError, match="is not the chinese_L-12_H-768_A-12 that Google pub"):
        archive.unpack(path, from_google=True)
    assert archive.unpack(path).is_dir()


def test_the_digests_are_those_of_five_files():
    assert sorted(published.SHA256) == [
        "bert_config.json",
        "bert_model.ckpt.data-00000-of-00001",
        "bert_model.ckpt.index",
        "bert_model.ckpt.meta",
        "vocab.txt",
    ]
    assert all(len(bytes.fromhex(digest)) == 32 for digest in published.SHA256.values())
    assert published.URL.endswith(f"/{published.FOLDER}.zip")
