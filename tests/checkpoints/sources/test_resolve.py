"""Which transport a source takes."""

import hashlib
import pathlib
import shutil
import types

import pytest

from keras_bert_zh.checkpoints import load_checkpoint, open_checkpoint
from keras_bert_zh.checkpoints.sources import published, tfhub_url
from keras_bert_zh.checkpoints.sources.found import Found, UnreachableError
from keras_bert_zh.checkpoints.sources.resolve import SOURCES, _key, resolve
from tests.checkpoints.loopback import Answer
from tests.process import DATA


@pytest.mark.parametrize("source", ["gs://bucket/module", "s3://b/c.zip", "file:///tmp/bert"])
def test_other_schemes(source):
    scheme = source.partition("/")[0]
    with pytest.raises(ValueError, match=f"{source} can't be loaded: {scheme}// is") as caught:
        resolve(source)
    message = str(caught.value)
    assert '"default", Google' in message
    assert tfhub_url.MODULE in message
    assert published.URL in message
    for form in (
        "a local path",
        "hf://ORGANISATION/NAME@REVISION",
        "kaggle://OWNER/MODEL/",
        "modelscope://OWNER/",
    ):
        assert form in message


@pytest.mark.parametrize(
    ("source", "by_hub"),
    [
        (tfhub_url.MODULE, True),
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
    assert (SOURCES[_key(source)] is tfhub_url) == by_hub


def test_a_local_path_is_left_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("~/bert", tmp_path / "bert", "relative/bert_model.ckpt"):
        found = pathlib.Path(path).expanduser()
        assert resolve(path) == Found(found, verified=False, cached=None)
    assert resolve(DATA / "tiny_original").path == DATA / "tiny_original"
    assert resolve(DATA / "tiny_original" / "vocab.txt").path.is_file()


def test_a_zip_archive_by_path_and_by_url(server, tmp_path, own_cache):
    path = shutil.make_archive(tmp_path / "tiny", "zip", DATA, "tiny_original")
    found = resolve(path)
    digest = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    folder = own_cache / "archives" / digest
    assert found == Found(folder, verified=True, cached=folder)
    assert load_checkpoint(folder).format == "google-research/bert checkpoint"

    server.routes["/tiny.zip"] = Answer(body=pathlib.Path(path).read_bytes())
    assert resolve(f"{server.url}/tiny.zip?token=1") == found
    assert server.requests == ["/tiny.zip?token=1"]


def test_a_path_that_looks_like_a_url_is_a_path():
    with pytest.raises(FileNotFoundError, match="hf:/org/name does not exist"):
        load_checkpoint(pathlib.Path("hf://org/name"))


def test_small_is_bundled_and_a_folder_of_that_name_is_another(monkeypatch, tmp_path, copy_to):
    copy_to(tmp_path / "small")
    monkeypatch.chdir(tmp_path)
    assert resolve("./small") == Found(pathlib.Path("small"), verified=False, cached=None)
    assert resolve("small") != resolve("./small")
    assert load_checkpoint("small").config != load_checkpoint("./small").config


@pytest.mark.parametrize("source", [None, 3, b"module", ["a"]])
def test_neither_path_nor_url(source):
    with pytest.raises(TypeError, match="checkpoint must be a path, a URL or a Checkpoint, got"):
        resolve(source)


@pytest.fixture
def shelf(monkeypatch, tmp_path):
    """A folder from which a source that this package does not know fetches checkpoints."""
    folder = tmp_path / "shelf"
    folder.mkdir()

    def fetch(source):
        found = folder / source.removeprefix("shelf://")
        if not found.is_dir():
            raise UnreachableError("it is on loan")
        return Found(found, verified=False, cached=found)

    made_up = types.SimpleNamespace(
        FORM="shelf://NAME, on the shelf", fetch=fetch, instead=lambda source: ["patience;"]
    )
    monkeypatch.setitem(SOURCES, "shelf", made_up)
    return folder


def test_a_new_source_is_a_module_and_a_line_in_the_table(shelf, copy_to):
    folder = copy_to(shelf / "bert")
    assert load_checkpoint("shelf://bert").config.vocab_size == 718
    # A copy that nothing was compared with is read whole.
    (weights,) = (folder / "variables").glob("*.data-*")
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match="can't be read") as caught:
        open_checkpoint("shelf://bert")
    assert caught.value.__notes__ == [f"Delete {folder} and load shelf://bert again."]


def test_what_is_said_of_a_new_source(shelf):
    lines = "lent could not be downloaded: it is on loan\nWhat works instead:\n- patience;\n- check"
    with pytest.raises(OSError, match=f"^shelf://{lines}"):
        load_checkpoint("shelf://lent")
    with pytest.raises(ValueError, match=r";\n- shelf://NAME, on the shelf\.$"):
        load_checkpoint("shelve://bert")
    with pytest.raises(
        FileNotFoundError, match='Did you mean the URL "shelf://bert", passed as a str'
    ):
        load_checkpoint("shelf:/bert")
