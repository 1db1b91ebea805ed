"""Where a checkpoint is: from a path or a TensorFlow Hub URL to a folder on this machine."""

import hashlib
import os
import pathlib
import re
import tempfile
import warnings

DEFAULT = "https://tfhub.dev/google/bert_chinese_L-12_H-768_A-12/1"

_PRESETS = pathlib.Path(__file__).parents[1] / "presets"


def resolve(source: str | os.PathLike) -> pathlib.Path:
    """Returns the folder of a checkpoint, downloading it first if `source` is a URL.

    Raises:
        OSError: if there is no such folder, or the download fails.
        ValueError: if the folder holds, or `source` names, nothing that this version reads.
        TypeError: if `source` is no path or URL.
    """
    if not isinstance(source, (str, os.PathLike)) or isinstance(os.fspath(source), bytes):
        raise TypeError(f"checkpoint must be a path, a URL or a Checkpoint, got {source!r}.")
    return _download(source) if is_handle(source) else _local(source)


def is_handle(source: str | os.PathLike) -> bool:
    """Tells whether `source` is a URL that tensorflow_hub resolves."""
    return isinstance(source, str) and source.startswith(("https://", "http://"))


def _local(source: str | os.PathLike) -> pathlib.Path:
    if source == "small":
        if not (_PRESETS / "small").is_dir():
            raise ValueError('checkpoint="small" is not part of this release.')
        return _PRESETS / "small"
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", os.fspath(source)):
        raise ValueError(f"{source} can't be loaded.")
    return pathlib.Path(source).expanduser()


def _download(handle: str) -> pathlib.Path:
    import tensorflow_hub

    cache = _cache_folder(handle)
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
        raise OSError(
            f"{handle} could not be downloaded: {type(error).__name__}: {error}\n"
            "What works without a network:\n"
            "- the path of a module that was downloaded and unpacked elsewhere, in place of the "
            "URL;\n"
            f"- the same module unpacked into {cache}, where tensorflow_hub looks first "
            "(TFHUB_CACHE_DIR chooses the parent folder);\n"
            f"- {_bundled()}."
        ) from error
    if "://" in folder:
        raise ValueError(
            f"tensorflow_hub resolved {handle} to {folder}, and only local folders can be read. "
            "Unset TFHUB_MODEL_LOAD_FORMAT and point TFHUB_CACHE_DIR to a local folder."
        )
    return pathlib.Path(folder)


def _bundled() -> str:
    fresh = "checkpoint=None with config=BertConfig(...), for fresh weights"
    if (_PRESETS / "small").is_dir():
        return f'checkpoint="small", which comes with the package;\n- {fresh}'
    return f'{fresh} (checkpoint="small", a bundled one, is not part of this release)'


def _cache_folder(handle: str) -> pathlib.Path:
    """Returns where tensorflow_hub keeps the module, whether it is there or not."""
    parent = os.getenv("TFHUB_CACHE_DIR") or os.path.join(tempfile.gettempdir(), "tfhub_modules")
    return pathlib.Path(parent) / hashlib.sha1(handle.encode()).hexdigest()
