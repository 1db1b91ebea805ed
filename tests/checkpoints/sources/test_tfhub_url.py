"""Modules of TensorFlow Hub: downloaded once, checked, and what is said when that fails."""

import hashlib
import pathlib
import re
import shutil
import socket
import sys
import warnings

import numpy as np
import pytest
import tensorflow_hub

from keras_bert_zh import BertPreprocess
from keras_bert_zh.checkpoints import load_checkpoint, open_checkpoint
from keras_bert_zh.checkpoints.sources import tfhub_url
from keras_bert_zh.checkpoints.sources.found import Found
from keras_bert_zh.checkpoints.sources.resolve import resolve
from keras_bert_zh.checkpoints.sources.tfhub_url import MODULE
from tests.checkpoints.loopback import Answer, redirect, tar_gz


@pytest.fixture
def hub(server, tiny_module):
    """A server with a good module, and some others."""
    content = tar_gz(folder=tiny_module)
    server.routes = {
        "/ok/1": Answer(200, content),
        "/google/bert/1": redirect("/ok/1"),
        "/truncated/1": Answer(200, content[: len(content) // 2]),
        "/html/1": Answer(200, b"<html>Sign in</html>"),
        "/forbidden/1": redirect("/models/bert?tfhub-redirect=true"),
        "/models/bert": Answer(403),
        "/round/1": redirect("/round/1"),
        "/outside/1": Answer(200, tar_gz(("../../escaped.txt", b"x"))),
        "/empty/1": Answer(200, tar_gz()),
        "/other/1": Answer(200, tar_gz(("README.md", b"x"), ("saved_model.pb", b"x"))),
    }
    return server


@pytest.mark.parametrize("path", ["/ok/1", "/google/bert/1"])
def test_downloads_once(hub, hub_cache, tiny_module, path):
    handle = hub.url + path
    folder = hub_cache / hashlib.sha1(handle.encode()).hexdigest()
    assert resolve(handle) == Found(folder, verified=False, cached=folder)
    asked = list(hub.requests)
    assert asked[0] == f"{path}?tf-hub-format=compressed"

    downloaded = load_checkpoint(handle)
    assert hub.requests == asked
    original = load_checkpoint(tiny_module)
    assert downloaded.config == original.config
    assert downloaded.vocabulary == original.vocabulary
    for name, weight in original.weights.items():
        np.testing.assert_array_equal(downloaded.weights[name], weight)


def test_what_tensorflow_hub_imports_is_no_warning_of_ours(tmp_path, monkeypatch):
    """With setuptools 80 and 81 its import warns."""
    (tmp_path / "tensorflow_hub.py").write_text(
        "import warnings\n"
        "warnings.warn('pkg_resources is deprecated as an API.', UserWarning, stacklevel=2)\n"
        "def resolve(handle): return '/folder'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorflow_hub")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve("https://example.com/bert/1").path == pathlib.Path("/folder")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/truncated/1", "does not appear to be a valid module|end of"),
        ("/html/1", "does not appear to be a valid module"),
        ("/missing/1", "HTTP Error 404"),
        ("/forbidden/1", "HTTP Error 403"),
        ("/round/1", "redirect error that would lead to an infinite loop"),
        ("/outside/1", "Relative path .* is invalid"),
    ],
)
def test_a_failed_download_says_what_works_offline(hub, hub_cache, tmp_path, path, reason):
    handle = hub.url + path
    with pytest.raises(OSError, match=reason) as caught:
        resolve(handle)
    message = str(caught.value)
    assert message.startswith(f"{handle} could not be downloaded")
    assert str(hub_cache / hashlib.sha1(handle.encode()).hexdigest()) in message
    assert "the path of a module" in message
    assert "checkpoint=None with config=BertConfig(...)" in message
    assert caught.value.__cause__ is not None
    assert not list(tmp_path.rglob("escaped*"))
    assert not list(hub_cache.glob("*"))


def flip(folder):
    """Changes one byte of the last tensor, which only reading it can show."""
    (file,) = (folder / "variables").glob("*.data-*")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def test_a_download_is_checked_whole_even_where_no_tensor_is_asked_for(hub, module):
    flip(module)
    hub.routes["/damaged/1"] = Answer(200, tar_gz(folder=module))
    handle = f"{hub.url}/damaged/1"
    folder = tfhub_url.cache_folder(handle)
    with pytest.raises(ValueError, match=f"{folder}/variables/.* can't be read") as caught:
        open_checkpoint(handle)
    assert caught.value.__notes__ == [f"Delete {folder} and load {handle} again."]


def test_what_lay_in_the_cache_is_checked_whole_even_for_its_vocabulary(copy_to):
    flip(copy_to(tfhub_url.cache_folder(MODULE)))
    for load in (open_checkpoint, load_checkpoint, BertPreprocess):
        with pytest.raises(ValueError, match="can't be read"):
            load(MODULE)


def test_a_handle_is_never_replaced(server, monkeypatch, hub_cache):
    """Not even by the same weights; where they come from, too, is said."""
    # A proxy that lets nobody through, as behind a firewall; routes has no answer but 404.
    server.routes["tfhub.dev:443"] = Answer(403)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, server.url)
    with pytest.raises(OSError, match=f"{MODULE} could not be downloaded: URLErr.* 403") as caught:
        load_checkpoint(MODULE)
    assert server.requests == ["tfhub.dev:443"]
    message = str(caught.value)
    assert (
        "- BertEncoder() and BertPreprocess() without a name: if this URL does not answer, "
        "they get the same" in message
    )
    assert "https://github.com/tensorflow/hub/issues/932" in message
    assert str(tfhub_url.cache_folder(MODULE)) in message
    assert "checkpoint=None with config=BertConfig(...)" in message


def test_a_server_that_never_answers_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(tfhub_url, "_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        handle = f"http://127.0.0.1:{mute.getsockname()[1]}/bert/1"
        with pytest.raises(OSError, match=r"could not be downloaded: TimeoutError: timed out"):
            resolve(handle)
    assert socket.getdefaulttimeout() is None


def test_other_modules_are_not(hub):
    with pytest.raises(OSError, match="HTTP Error 403") as caught:
        resolve(f"{hub.url}/forbidden/1")
    assert "without a name" not in str(caught.value)
    assert "issues/932" not in str(caught.value)


def test_nothing_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        handle = f"http://127.0.0.1:{free.getsockname()[1]}/bert/1"
    with pytest.raises(OSError, match=rf"{re.escape(handle)} could not be downloaded: URLError"):
        resolve(handle)


def test_the_default_cache_folder_is_that_of_tensorflow_hub(monkeypatch, tmp_path):
    monkeypatch.delenv("TFHUB_CACHE_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    folder = tfhub_url.cache_folder(MODULE)
    folder.mkdir(parents=True)
    (folder / "something").touch()
    assert tensorflow_hub.resolve(MODULE) == str(folder)


def test_a_module_put_into_the_cache_by_hand_needs_no_network(copy_to):
    folder = copy_to(tfhub_url.cache_folder(MODULE))
    assert resolve(MODULE).path == folder
    assert load_checkpoint(MODULE).config.vocab_size == 718


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("saved_model.pb", r"does not contain a checkpoint: .*, but no saved_model\.pb\."),
        ("tfhub_module.pb", r"A TF1 Hub module also needs the file tfhub_module\.pb"),
        ("variables/variables.index", r"does not contain.*, but no variables/variables\.index\."),
    ],
)
def test_a_half_filled_cache_folder_is_refused(copy_to, name, reason):
    folder = copy_to(tfhub_url.cache_folder(MODULE))
    (folder / name).unlink()
    with pytest.raises(ValueError, match=reason) as caught:
        load_checkpoint(MODULE)
    assert caught.value.__notes__ == [f"Delete {folder} and load {MODULE} again."]
    shutil.rmtree(folder)
    copy_to(folder)
    assert load_checkpoint(MODULE).config.vocab_size == 718


@pytest.mark.parametrize(("path", "held"), [("/other/1", "README.md"), ("/empty/1", "it is empty")])
def test_a_download_of_something_else_is_refused(hub, hub_cache, path, held):
    handle = hub.url + path
    with pytest.raises(ValueError, match=f"does not contain a checkpoint: .*{held}") as caught:
        load_checkpoint(handle)
    folder = tfhub_url.cache_folder(handle)
    assert folder.parent == hub_cache
    assert caught.value.__notes__ == [f"Delete {folder} and load {handle} again."]


def test_warns_of_a_lock_that_makes_tensorflow_hub_wait(hub_cache, monkeypatch):
    def give_up(handle):
        raise TimeoutError("waited")

    monkeypatch.setattr(tensorflow_hub, "resolve", give_up)
    lock = pathlib.Path(f"{tfhub_url.cache_folder(MODULE)}.lock")
    lock.parent.mkdir()
    lock.touch()
    with (
        pytest.warns(UserWarning, match=f"{lock} exists, .* Delete the file"),
        pytest.raises(OSError, match="TimeoutError: waited"),
    ):
        resolve(MODULE)


def test_a_cache_that_is_not_local_is_refused(monkeypatch):
    monkeypatch.setattr(tensorflow_hub, "resolve", lambda handle: "gs://bucket/module")
    with pytest.raises(ValueError, match=r"to gs://bucket/module, but only local .* TFHUB_CACHE"):
        resolve(MODULE)
