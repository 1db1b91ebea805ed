"""Modules of TensorFlow Hub, by URL."""

import hashlib
import os
import pathlib
import tempfile
import warnings

from keras_bert_zh.checkpoints.sources.unreachable import UnreachableError

DEFAULT = "https://tfhub.dev/google/bert_chinese_L-12_H-768_A-12/1"


def fetch(handle: str) -> pathlib.Path:
    """Returns the folder of the module in tensorflow_hub's cache, downloading it first.

    Raises:
        UnreachableError: if it can't be downloaded.
        ValueError: if tensorflow_hub is set up to read it from elsewhere.
    """
    with warnings.catch_warnings():
        # Its author's business, and setup.cfg's.
        warnings.filterwarnings("ignore", "pkg_resources is deprecated")
        import tensorflow_hub

    cache = cache_folder(handle)
    lock = cache.with_name(f"{cache.name}.lock")
    if lock.exists() and not cache.exists():
        warnings.warn(
            f"{lock} says that {handle} is being downloaded already. tensorflow_hub waits for "
            "that, up to 10 minutes after it stalls: delete the file if no download is running.",
            stacklevel=2,
        )
    try:
        folder = tensorflow_hub.resolve(handle)
    except Exception as error:  # From URLError over tarfile's to TensorFlow's own: one advice.
        raise UnreachableError.because(error) from error
    if "://" in folder:
        raise ValueError(
            f"tensorflow_hub resolved {handle} to {folder}, and only local folders can be read. "
            "Unset TFHUB_MODEL_LOAD_FORMAT and point TFHUB_CACHE_DIR to a local folder."
        )
    return pathlib.Path(folder)


def cache_folder(handle: str) -> pathlib.Path:
    """Returns where tensorflow_hub keeps the module, whether it is there or not."""
    parent = os.getenv("TFHUB_CACHE_DIR") or os.path.join(tempfile.gettempdir(), "tfhub_modules")
    return pathlib.Path(parent) / hashlib.sha1(handle.encode()).hexdigest()
