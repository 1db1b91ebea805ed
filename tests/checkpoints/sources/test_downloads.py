"""Zip archives by URL: downloaded once, completely or not at all."""

import contextlib
import hashlib
import os
import pathlib
import pty
import shutil
import subprocess
import sys

import pytest

from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.checkpoints.sources import downloads, published
from keras_bert_zh.checkpoints.sources.resolve import resolve
from tests.checkpoints.bare import PRELUDE
from tests.checkpoints.loopback import Answer, redirect
from tests.process import ROOT


@pytest.fixture(scope="session")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "tiny"
    data = ROOT / "tests" / "fixtures"
    return pathlib.Path(shutil.make_archive(path, "zip", data, "tiny_original")).read_bytes()


@pytest.fixture
def shop(server, content):
    """A server with a good archive, and some others."""
    half = content[: len(content) // 2]
    length = {"Content-Length": str(len(content))}
    server.routes = {
        "/tiny.zip": Answer(body=content),
        "/moved.zip": redirect("/tiny.zip"),
        "/unsaid.zip": Answer(body=content, headers={"Content-Length": None}),
        "/half.zip": Answer(body=half, headers=length),
        "/unsaid_half.zip": Answer(body=half, headers={"Content-Length": None}),
        "/html.zip": Answer(body=b"<html>Sign in</html>"),
        "/forbidden.zip": Answer(403),
        "/odd.zip": Answer(body=content, headers={"Content-Length": "many"}),
    }
    return server


@pytest.mark.parametrize("name", ["tiny", "moved", "unsaid"])
def test_downloads_once(shop, own_cache, content, name):
    url = f"{shop.url}/{name}.zip"
    file = downloads.fetch_zip(url)
    assert file.read_bytes() == content
    assert file == own_cache / "downloads" / f"{hashlib.sha256(url.encode()).hexdigest()}.zip"
    asked = list(shop.requests)
    assert asked[0] == f"/{name}.zip"
    assert load_checkpoint(url).format == "google-research/bert checkpoint"
    assert shop.requests == asked
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("half", r"only [\d,]+ of [\d,]+ bytes were received"),
        ("unsaid_half", "the downloaded file is not a zip archive: it begins with b'PK"),
        (
            "html",
            "the downloaded file is not a zip archive: it begins with b'<html>Sign in</html>'",
        ),
        ("forbidden", "HTTPError: HTTP Error 403"),
        ("missing", "HTTPError: HTTP Error 404"),
        ("odd", "ValueError: invalid literal for int"),
    ],
)
def test_a_failed_download_leaves_nothing_and_says_what_works(shop, own_cache, name, reason):
    url = f"{shop.url}/{name}.zip"
    with pytest.raises(OSError, match=f"{url} could not be downloaded: {reason}") as caught:
        load_checkpoint(url)
    message = str(caught.value)
    assert "\n- the path of a copy of the archive, or of its unpacked folder" in message
    assert "\n- checkpoint=None with config=BertConfig(...)" in message
    assert caught.value.__cause__ is not None
    assert list((own_cache / "downloads").iterdir()) == []


def test_it_can_be_tried_again(shop, content):
    url = f"{shop.url}/half.zip"
    with pytest.raises(OSError, match="bytes were received"):
        resolve(url)
    shop.routes["/half.zip"] = Answer(body=content)
    assert resolve(url).path.is_dir()


def test_an_archive_that_came_damaged_says_what_to_delete(shop, own_cache, content):
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    shop.routes["/tiny.zip"] = Answer(body=bytes(damaged))
    url = f"{shop.url}/tiny.zip"
    with pytest.raises(ValueError, match="is damaged: tiny_original/") as caught:
        load_checkpoint(url)
    (file,) = (own_cache / "downloads").iterdir()
    assert caught.value.__notes__ == [f"Delete {file} and load {url} again."]
    file.unlink()
    shop.routes["/tiny.zip"] = Answer(body=content)
    assert load_checkpoint(url).config.vocab_size == 718


def test_what_comes_from_google_must_be_theirs(shop, monkeypatch):
    monkeypatch.setattr(published, "URL", f"{shop.url}/tiny.zip")
    with pytest.raises(ValueError, match=r"is not the chinese_L-12_.*vocab\.txt has sha256 "):
        load_checkpoint(published.URL)


def test_nothing_is_left_of_an_interrupted_download(shop, own_cache, monkeypatch):
    @contextlib.contextmanager
    def interrupt(url, total):
        yield interrupted

    def interrupted(count):
        (file,) = (own_cache / "downloads").glob("*/*.zip")
        assert count > 0
        came.append(file.name)
        raise KeyboardInterrupt

    came = []
    monkeypatch.setattr(downloads, "_progress", interrupt)
    with pytest.raises(KeyboardInterrupt):
        downloads.fetch_zip(f"{shop.url}/tiny.zip")
    assert came
    assert list((own_cache / "downloads").iterdir()) == []


CODE = """
import sys
from keras_bert_zh.checkpoints.sources import downloads
downloads.fetch_zip(sys.argv[1])
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_is_drawn_only_where_it_can_be_seen(shop, terminal):
    ours, theirs = pty.openpty() if terminal else os.pipe()
    command = [sys.executable, "-c", PRELUDE + CODE, f"{shop.url}/tiny.zip"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, stderr=theirs, cwd=ROOT, env=environment)
    os.close(theirs)
    drawn = b""
    try:
        while some := os.read(ours, 1 << 16):
            drawn += some
    except OSError:
        # How Linux says that nobody has the terminal open any more.
        assert terminal
    os.close(ours)
    assert process.wait(60) == 0, drawn
    assert (b"tiny.zip" in drawn) == (b"kB" in drawn) == terminal
    assert terminal or drawn == b""
