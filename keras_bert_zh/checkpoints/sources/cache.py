"""The folder in which this package keeps what it downloaded or unpacked."""

import os
import pathlib
import tempfile
from collections.abc import Callable


def folder() -> pathlib.Path:
    """Returns `$KERAS_BERT_ZH_CACHE`, by default `~/.cache/keras_bert_zh`."""
    chosen = os.environ.get("KERAS_BERT_ZH_CACHE") or "~/.cache/keras_bert_zh"
    return pathlib.Path(chosen).expanduser()


def keep(target: pathlib.Path, make: Callable[[pathlib.Path], None]) -> pathlib.Path:
    """Returns `target`, which `make` makes if it is not there yet.

    It is made beside its place and renamed when it is complete: what is interrupted leaves
    nothing that looks complete, and several processes may do the same at a time.

    Args:
        target: a file or folder in the cache.
        make: called with a path that does not exist; makes a file or a folder of it.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".incomplete-") as parent:
        made = pathlib.Path(parent) / target.name
        make(made)
        try:
            os.rename(made, target)
        except OSError:
            # A folder is never renamed onto another: the process that was faster made the same.
            if not target.exists():
                raise
    return target
