"""Finds a checkpoint: from a path or a URL to files on this machine."""

import os
import re

from keras_bert_zh.checkpoints.sources import (
    default,
    huggingface_url,
    kaggle_url,
    local_path,
    modelscope_url,
    tfhub_url,
    zip_url,
)
from keras_bert_zh.checkpoints.sources.found import Found, UnreachableError

# Where checkpoints come from, by the scheme of the URL; "" is a path, ".zip" a web address that
# ends so, ".default" what is taken where nothing is named. A module has FORM, what its sources look
# like; fetch(source), which returns `Found`; and instead(source), lines on what works where fetch
# raises UnreachableError. Those of default.PLACES have cached(source), which asks no network.
SOURCES = {
    ".default": default,
    "": local_path,
    "https": tfhub_url,
    "http": tfhub_url,
    ".zip": zip_url,
    "hf": huggingface_url,
    "kaggle": kaggle_url,
    "modelscope": modelscope_url,
}

_WITHOUT_NETWORK = (
    'checkpoint="small", which comes with the package;',
    "checkpoint=None with config=BertConfig(...), for fresh weights.",
)


def resolve(source: str | os.PathLike) -> Found:
    """Returns where the files of a checkpoint are, downloading or unpacking them first.

    The scheme of a URL decides where it is downloaded from. The format of the files is not checked.

    Raises:
        OSError: if a download fails; the message says what you can use instead.
        ValueError: if the scheme is unknown, or an archive or a downloaded file is damaged.
        TypeError: if `source` is not a path or URL.
        ImportError: if the package for this kind of download is not installed.
    """
    if not isinstance(source, (str, os.PathLike)) or isinstance(os.fspath(source), bytes):
        raise TypeError(f"checkpoint must be a path, a URL or a Checkpoint, got {source!r}.")
    if source == "":
        raise ValueError("checkpoint must be a path, a URL or a Checkpoint, got an empty string.")
    key = _key(source)
    if key not in SOURCES:
        forms = ";\n- ".join(dict.fromkeys(module.FORM for module in SOURCES.values()))
        raise ValueError(
            f"{source} can't be loaded: {key}:// is not a known kind of URL. You can load:\n"
            f"- {forms}."
        )
    try:
        return SOURCES[key].fetch(source)
    except UnreachableError as error:
        instead = [*SOURCES[key].instead(source), *_WITHOUT_NETWORK]
        lines = "".join(f"\n- {line}" for line in instead)
        raise OSError(
            f"{source} could not be downloaded: {error}\nWhat works instead:{lines}"
        ) from error.__cause__ or error


def _key(source: str | os.PathLike) -> str:
    """Returns the key of `SOURCES` that the source has, or the scheme that is none of them."""
    if isinstance(source, str) and source == default.DEFAULT:
        return ".default"
    # A pathlib.Path is a path, whatever it looks like.
    url = source if isinstance(source, str) else ""
    match = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://", url)
    if not match:
        return ""
    scheme = match[1].lower()
    is_zip = scheme in ("https", "http") and re.split("[?#]", url)[0].lower().endswith(".zip")
    return ".zip" if is_zip else scheme
