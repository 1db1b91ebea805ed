"""From what `serve` is given to folders that an engine runs."""

import dataclasses
import hashlib
import importlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

from keras_bert_zh.checkpoints import open_checkpoint
from keras_bert_zh.checkpoints.sources import cache
from keras_bert_zh.checkpoints.sources.resolve import resolve
from keras_bert_zh.engines.load import FORMATS
from keras_bert_zh.export.description import is_exported
from keras_bert_zh.export.sources import is_saved_model
from keras_bert_zh.serving.make import ERRORS, FILL_MASK, MODEL, Order
from keras_bert_zh.version import __version__


def prepared(order: Order) -> list[pathlib.Path]:
    """Returns the folders of exported models, the one that the source is first.

    A folder of `export_model` is that already. All else is exported by another process, so that
    this one does without TensorFlow, and kept in the cache of this package: until a file of the
    source, an option or the version of this package changes, it is not exported again.

    Raises:
        ValueError: for options that an exported model has decided.
        ValueError, TypeError, OSError, ImportError: as `make` raises them.
    """
    if is_exported(order.source):
        for name, value in dataclasses.asdict(order).items():
            if name not in ("source", "engine") and value:
                raise ValueError(
                    f"{order.source} is an exported model, and its {name} was set at export: leave "
                    f"out --{name.replace('_', '-')}."
                )
        return [pathlib.Path(order.source)]
    folder = cache.keep(cache.folder() / "serving" / _key(order), lambda new: _export(order, new))
    return [folder / name for name in (MODEL, FILL_MASK) if (folder / name).is_dir()]


def _export(order: Order, folder: pathlib.Path) -> None:
    arguments = json.dumps({**dataclasses.asdict(order), "folder": os.fspath(folder)})
    command = [sys.executable, "-m", "keras_bert_zh.serving.make", arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if not is_saved_model(order.source):
                open_checkpoint(order.source)  # Most of what can be wrong is told at once.
            # Which has to be imported anyway, and this process has nothing else to do.
            importlib.import_module("keras_bert_zh.serving.run")
            importlib.import_module(f"keras_bert_zh.engines.{order.engine}")
            printed, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        try:
            said = json.loads(printed.splitlines()[-1])
        except (ValueError, IndexError):
            raise RuntimeError(
                f"{order.source} could not be exported: the export process ended with status "
                f"{process.returncode}."
            ) from None
        errors = {error.__name__: error for error in ERRORS}
        raise errors[said["error"]](said["message"])


def _key(order: Order) -> str:
    """Returns a name for what an order makes, of all that it depends on."""
    files = [] if order.source == "small" else [*_files(order.source)]
    # Two engines may run the same files.
    options = dataclasses.asdict(order) | {"engine": FORMATS[order.engine]}
    said = json.dumps([__version__, options, files])
    return hashlib.sha256(said.encode()).hexdigest()[:24]


def _files(source: str) -> Iterator[tuple[str, int, int]]:
    """Yields the files of a source, which is downloaded if it has to be."""
    place = pathlib.Path(source) if is_saved_model(source) else resolve(source).path
    if not place.exists():  # The prefix of a TensorFlow checkpoint, or nothing.
        files = sorted(place.parent.glob(f"{place.name}*"))
    else:
        files = [place] if place.is_file() else sorted(place.rglob("*"))
    for file in files:
        if file.is_file():
            status = file.stat()
            yield os.fspath(file), status.st_size, status.st_mtime_ns
