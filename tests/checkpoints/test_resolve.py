import hashlib
import http.server
import io
import pathlib
import re
import socket
import tarfile
import threading

import numpy as np
import pytest
import tensorflow_hub

from keras_bert_zh.checkpoints import DEFAULT, load_checkpoint, resolve


def archive(*members, folder=None):
    """Returns a tar.gz of (name, content) pairs, or of a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        if folder:
            tar.add(folder, arcname=".")
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Server(http.server.ThreadingHTTPServer):
    """Serves `routes`, path to (status, body or location), and keeps the paths asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes = {}
        self.requests = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        status, content = self.server.routes.get(self.path.partition("?")[0], (404, b""))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", content)
            content = b""
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tiny_module):
    content = archive(folder=tiny_module)
    with Server() as server:
        server.routes = {
            "/ok/1": (200, content),
            "/google/bert/1": (302, "/ok/1"),
            "/truncated/1": (200, content[: len(content) // 2]),
            "/html/1": (200, b"<html>Sign in</html>"),
            "/outside/1": (200, archive(("../../escaped.txt", b"x"))),
            "/empty/1": (200, archive()),
            "/other/1": (200, archive(("README.md", b"x"), ("saved_model.pb", b"x"))),
        }
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/ok/1", "/google/bert/1"])
def test_downloads_once(server, hub_cache, tiny_module, path):
    handle = server.url + path
    folder = resolve.resolve(handle)
    assert folder == hub_cache / hashlib.sha1(handle.encode()).hexdigest()
    asked = list(server.requests)
    assert asked[0] == f"{path}?tf-hub-format=compressed"

    downloaded = load_checkpoint(handle)
    assert server.requests == asked
    original = load_checkpoint(tiny_module)
    assert downloaded.config == original.config
    assert downloaded.vocabulary == original.vocabulary
    for name, weight in original.weights.items():
        np.testing.assert_array_equal(downloaded.weights[name], weight)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/truncated/1", "does not appear to be a valid module|end of"),
        ("/html/1", "does not appear to be a valid module"),
        ("/missing/1", "HTTP Error 404"),
        ("/outside/1", "Relative path .* is invalid"),
    ],
)
def test_a_failed_download_says_what_works_offline(server, hub_cache, tmp_path, path, reason):
    handle = server.url + path
    with pytest.raises(OSError, match=reason) as caught:
        resolve.resolve(handle)
    message = str(caught.value)
    assert message.startswith(f"{handle} could not be downloaded")
    assert str(hub_cache / hashlib.sha1(handle.encode()).hexdigest()) in message
    assert "the path of a module" in message
    assert "checkpoint=None with config=BertConfig(...)" in message
    assert caught.value.__cause__ is not None
    assert not list(tmp_path.rglob("escaped*"))
    assert not list(hub_cache.glob("*"))


def test_nothing_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        handle = f"http://127.0.0.1:{free.getsockname()[1]}/bert/1"
    with pytest.raises(OSError, match=rf"{re.escape(handle)} could not be downloaded: URLError"):
        resolve.resolve(handle)


def test_the_default_cache_folder_is_that_of_tensorflow_hub(monkeypatch, tmp_path):
    monkeypatch.delenv("TFHUB_CACHE_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    folder = resolve._cache_folder(DEFAULT)
    folder.mkdir(parents=True)
    (folder / "something").touch()
    assert tensorflow_hub.resolve(DEFAULT) == str(folder)


def test_a_module_put_into_the_cache_by_hand_needs_no_network(copy_to):
    folder = copy_to(resolve._cache_folder(DEFAULT))
    assert resolve.resolve(DEFAULT) == folder
    assert load_checkpoint(DEFAULT).config.vocab_size == 718


@pytest.mark.parametrize("name", ["saved_model.pb", "tfhub_module.pb", "variables/variables.index"])
def test_a_half_filled_cache_folder_is_refused(copy_to, name):
    folder = copy_to(resolve._cache_folder(DEFAULT))
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"but no {name}. Delete {folder} and load {DEFAULT}"):
        resolve.resolve(DEFAULT)


@pytest.mark.parametrize(("path", "held"), [("/other/1", "README.md"), ("/empty/1", "it is empty")])
def test_a_download_of_something_else_is_refused(server, hub_cache, path, held):
    handle = server.url + path
    with pytest.raises(ValueError, match=f"not a TF1 Hub module: .*{held}.* Delete {hub_cache}"):
        resolve.resolve(handle)


def test_warns_of_a_lock_that_makes_tensorflow_hub_wait(hub_cache, monkeypatch):
    def give_up(handle):
        raise TimeoutError("waited")

    monkeypatch.setattr(tensorflow_hub, "resolve", give_up)
    lock = pathlib.Path(f"{resolve._cache_folder(DEFAULT)}.lock")
    lock.parent.mkdir()
    lock.touch()
    with (
        pytest.warns(UserWarning, match=f"{lock} says .* delete the file"),
        pytest.raises(OSError, match="TimeoutError: waited"),
    ):
        resolve.resolve(DEFAULT)


def test_a_cache_that_is_not_local_is_refused(monkeypatch):
    monkeypatch.setattr(tensorflow_hub, "resolve", lambda handle: "gs://bucket/module")
    with pytest.raises(ValueError, match=r"to gs://bucket/module, and only local .* TFHUB_CACHE"):
        resolve.resolve(DEFAULT)


@pytest.mark.parametrize(
    "source", ["hf://google-bert/bert-base-chinese", "kaggle://google/bert", "gs://bucket/module"]
)
def test_other_schemes(source):
    with pytest.raises(ValueError, match=f"{source} can't be loaded. This version reads TF1 Hub"):
        resolve.resolve(source)


def test_small_is_not_bundled(monkeypatch, tmp_path):
    monkeypatch.setattr(resolve, "_PRESETS", tmp_path)
    with pytest.raises(ValueError, match='checkpoint="small" is not part of this release'):
        resolve.resolve("small")
    assert '"small", a bundled one, is not part of this release' in resolve._bundled()


def test_small_is_bundled(monkeypatch, tmp_path, copy_to):
    monkeypatch.setattr(resolve, "_PRESETS", tmp_path)
    folder = copy_to(tmp_path / "small")
    assert resolve.resolve("small") == folder
    assert 'checkpoint="small", which comes with the package' in resolve._bundled()


@pytest.mark.parametrize("source", [None, 3, b"module", ["a"]])
def test_neither_path_nor_url(source):
    with pytest.raises(TypeError, match="checkpoint must be a path, a URL or a Checkpoint, got"):
        resolve.resolve(source)
