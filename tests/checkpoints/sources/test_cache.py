"""What is kept in the package's cache is complete."""

import pathlib

import pytest

from keras_bert_zh.checkpoints.sources import cache


def test_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BERT_ZH_CACHE", "~/elsewhere")
    assert cache.folder() == tmp_path / "elsewhere"
    monkeypatch.setenv("KERAS_BERT_ZH_CACHE", "")
    assert cache.folder() == tmp_path / ".cache" / "keras_bert_zh"


def test_a_file_is_made_once(tmp_path):
    target = tmp_path / "a" / "b"
    made = []

    def make(path: pathlib.Path):
        assert not path.exists()
        assert path.parent.parent == target.parent
        made.append(path)
        path.write_text(f"{len(made)}")

    assert [cache.keep(target, make).read_text() for _ in range(2)] == ["1", "1"]
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_kept_of_what_fails(tmp_path, error):
    def make(path):
        path.mkdir()
        (path / "half").touch()
        raise error

    with pytest.raises(error):
        cache.keep(tmp_path / "target", make)
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_made_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="target"):
        cache.keep(tmp_path / "target", lambda path: None)


def test_whoever_is_first_is_kept(tmp_path):
    def make(path, text="second"):
        path.mkdir()
        (path / "file").write_text(text)
        if text == "second":
            make(tmp_path / "target", "first")

    assert (cache.keep(tmp_path / "target", make) / "file").read_text() == "first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]
