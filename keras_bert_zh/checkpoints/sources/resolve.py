"""Where a checkpoint is: from a path or a URL to files on this machine."""

import os
import pathlib
import re

from keras_bert_zh.checkpoints.sources import (
    archive,
    cache,
    downloads,
    hub_url,
    huggingface_url,
    kaggle_url,
    published,
    unreachable,
)
from keras_bert_zh.checkpoints.sources.hub_url import DEFAULT
from keras_bert_zh.checkpoints.sources.hub_url import cache_folder as _cache_folder

SCHEMES = f"""What can be loaded:
- "small", the checkpoint that comes with the package;
- a local path: of a folder, a zip archive or, for google-research/bert, the prefix of the files;
- a TensorFlow Hub URL, such as {DEFAULT};
- the https:// or http:// URL of a zip archive, such as {published.URL};
- hf://ORGANISATION/NAME or hf://ORGANISATION/NAME@REVISION, on the Hugging Face Hub;
- kaggle://OWNER/MODEL/FRAMEWORK/VARIATION/VERSION."""

# The checkpoint that comes with the package. A folder of that name is reached as "./small".
BUNDLED = "small"

_WITHOUT_NETWORK = (
    f'checkpoint="{BUNDLED}", which comes with the package;',
    "checkpoint=None with config=BertConfig(...), for fresh weights.",
)

_PRESETS = pathlib.Path(__file__).parents[2] / "presets"


def resolve(source: str | os.PathLike) -> pathlib.Path:
    """Returns where the files of a checkpoint are, downloading or unpacking them first.

    The transport is told from the scheme of a URL. What format the files have is not looked at.

    Returns:
        A folder, or the prefix of a TensorFlow checkpoint. Whether there is anything at a local
        path is not checked.

    Raises:
        OSError: if a download fails; the message says what works instead.
        ValueError: if the scheme is unknown, or an archive or a downloaded file is damaged.
        TypeError: if `source` is no path or URL.
        ImportError: if the package that downloads from there is not installed.
    """
    if not isinstance(source, (str, os.PathLike)) or isinstance(os.fspath(source), bytes):
        raise TypeError(f"checkpoint must be a path, a URL or a Checkpoint, got {source!r}.")
    if source == "":
        raise ValueError("checkpoint must be a path, a URL or a Checkpoint, got an empty string.")
    scheme = _scheme(source)
    if scheme is None:
        return _local(source)
    if scheme not in ("https", "http", "hf", "kaggle"):
        raise ValueError(f"{source} can't be loaded: {scheme}:// is unknown. {SCHEMES}")
    page = re.fullmatch(r"https?://(?:huggingface\.co|hf-mirror\.com)/([^/?#]+/[^/?#]+)/?", source)
    if page:
        raise ValueError(f"{source} is a page about a repository: load hf://{page[1]} instead.")
    try:
        if scheme == "hf":
            return huggingface_url.fetch(source)
        if scheme == "kaggle":
            return kaggle_url.fetch(source)
        return hub_url.fetch(source) if is_handle(source) else _zip(source)
    except unreachable.UnreachableError as error:
        instead = [*_instead(source, scheme), *_WITHOUT_NETWORK]
        raise OSError(unreachable.message(source, error, instead)) from error.__cause__ or error


def is_handle(source: str | os.PathLike) -> bool:
    """Tells whether `source` is a URL that tensorflow_hub resolves."""
    return _scheme(source) in ("https", "http") and not _names_zip(source)


def arrives_unchecked(source: str | os.PathLike) -> bool:
    """Tells whether nothing has compared the files with a digest before `resolve` returns them.

    What lies in the caches of tensorflow_hub and kagglehub may be half a download.
    """
    return is_handle(source) or _scheme(source) == "kaggle"


def what_to_delete(source: str | os.PathLike, path: pathlib.Path) -> pathlib.Path | None:
    """Returns the copy of `source` in a cache, where `resolve` found `path`; `None` if it has none.

    Without that copy, `resolve` downloads or unpacks it again.
    """
    scheme = _scheme(source)
    if scheme == "hf":
        # PATH/snapshots/COMMIT: deleting the commit alone leaves the files it links to.
        return path.parents[1]
    return path if scheme or path.is_relative_to(cache.folder()) else None


def _scheme(source: str | os.PathLike) -> str | None:
    # A pathlib.Path is a path, whatever it looks like.
    match = isinstance(source, str) and re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://", source)
    return match[1].lower() if match else None


def _names_zip(url: str) -> bool:
    return re.split("[?#]", url)[0].lower().endswith(".zip")


def _local(source: str | os.PathLike) -> pathlib.Path:
    if source == BUNDLED:
        return _PRESETS / BUNDLED
    path = pathlib.Path(source).expanduser()
    return archive.unpack(path) if archive.is_archive(path) else path


def _zip(url: str) -> pathlib.Path:
    file = downloads.fetch_zip(url)
    try:
        return archive.unpack(file, from_google=url == published.URL)
    except ValueError as error:
        error.add_note(f"Delete {file} and load {url} again.")
        raise


def _instead(source: str, scheme: str) -> list[str]:
    if scheme == "hf":
        return unreachable.instead_of_huggingface()
    if scheme == "kaggle":
        return unreachable.instead_of_kaggle()
    if not is_handle(source):
        return unreachable.instead_of_zip()
    default = unreachable.instead_of_default() if source == DEFAULT else []
    return default + unreachable.instead_of_hub(source, _cache_folder(source))
