"""Modules of TensorFlow Hub, by URL."""

import contextlib
import hashlib
import os
import pathlib
import re
import socket
import tempfile
import warnings
from collections.abc import Iterator

from keras_bert_zh.checkpoints.sources.found import Found, UnreachableError

MODULE = "https://tfhub.dev/google/bert_chinese_L-12_H-768_A-12/1"
FORM = f"a TensorFlow Hub URL, such as {MODULE}"

_SECONDS = 30

# What works where that server refuses a download.
LATER = (
    "the same URL again later: tfhub.dev redirects to Kaggle, which sometimes refuses downloads "
    "for a while (https://github.com/tensorflow/hub/issues/932);"
)


def fetch(handle: str) -> Found:
    """Returns the folder of the module in tensorflow_hub's cache, downloading it first.

    Raises:
        UnreachableError: if it can't be downloaded.
        ValueError: if tensorflow_hub is set to read it from elsewhere, or the URL is the web page
            of a repository.
    """
    page = re.fullmatch(r"https?://(?:huggingface\.co|hf-mirror\.com)/([^/?#]+/[^/?#]+)/?", handle)
    if page:
        raise ValueError(f"{handle} is the web page of a repository: load hf://{page[1]} instead.")
    with warnings.catch_warnings():
        # Its author's business, and setup.cfg's.
        warnings.filterwarnings("ignore", "pkg_resources is deprecated")
        import tensorflow_hub

    cache = cache_folder(handle)
    lock = cache.with_name(f"{cache.name}.lock")
    if lock.exists() and not cache.exists():
        warnings.warn(
            f"{lock} exists, so {handle} seems to be downloading already. tensorflow_hub waits for "
            "that download, or for 10 minutes after it stops. Delete the file if no download is "
            "running.",
            stacklevel=2,
        )
    try:
        with _patience():
            folder = tensorflow_hub.resolve(handle)
    except Exception as error:  # From URLError over tarfile's to TensorFlow's own: one advice.
        raise UnreachableError.because(error) from error
    if "://" in folder:
        raise ValueError(
            f"tensorflow_hub resolved {handle} to {folder}, but only local folders can be read. "
            "Unset TFHUB_MODEL_LOAD_FORMAT and point TFHUB_CACHE_DIR to a local folder."
        )
    # Whatever lies in that folder counts as the module, half a download too.
    return Found(pathlib.Path(folder), verified=False, cached=pathlib.Path(folder))


def cached(handle: str) -> Found | None:
    """Returns what is in tensorflow_hub's cache, without the network."""
    folder = cache_folder(handle)
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    return Found(folder, verified=False, cached=folder)


def cache_folder(handle: str) -> pathlib.Path:
    """Returns the folder where tensorflow_hub keeps the module, whether it exists or not."""
    parent = os.getenv("TFHUB_CACHE_DIR") or os.path.join(tempfile.gettempdir(), "tfhub_modules")
    return pathlib.Path(parent) / hashlib.sha1(handle.encode()).hexdigest()


def instead(handle: str) -> list[str]:
    """Returns what works without the server of this module."""
    lines = [
        "the path of a module that was downloaded and unpacked elsewhere, in place of the URL;",
        f"the same module unpacked into {cache_folder(handle)}, where tensorflow_hub looks first "
        "(TFHUB_CACHE_DIR chooses the parent folder);",
    ]
    if handle.startswith("https://tfhub.dev/"):
        lines = [
            LATER,
            *lines,
        ]
    if handle == MODULE:
        lines = [
            "BertEncoder() and BertPreprocess() without a name: if this URL does not answer, they "
            "get the same weights from elsewhere;",
            *lines,
        ]
    return lines


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Sets a time limit for new connections of this process; tensorflow_hub sets none.

    If a firewall drops packets to a server, the wait would otherwise last minutes.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS if before is None else before)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
