"""The cache folder for what this package downloads or unpacks."""

import os
import pathlib
import tempfile
from collections.abc import Callable


def folder() -> pathlib.Path:
    """Returns `$KERAS_BERT_ZH_CACHE`, by default `~/.cache/keras_bert_zh`."""
    chosen = os.environ.get("KERAS_BERT_ZH_CACHE") or "~/.cache/keras_bert_zh"
    return pathlib.Path(chosen).expanduser()


def keep(target: pathlib.Path, make: Callable[[pathlib.Path], None]) -> pathlib.Path:
    """Returns `target`; if it does not exist yet, `make` creates it.

    It is created under another name and renamed when it is complete. So an interrupted run leaves
    nothing that looks complete, and several processes can do the same at the same time.

    Args:
        target: a file or folder in the cache.
        make: called with a path that does not exist; creates a file or a folder there.
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
