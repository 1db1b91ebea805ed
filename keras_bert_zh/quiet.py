"""Keeps what TensorFlow has to say of CPUs and GPUs out of the command line's answers."""

import os
import sys


def import_quietly() -> None:
    """Imports Keras and its backend with the standard error stream closed to their C++ parts.

    They write there before any setting is read. Errors of the import are raised as ever.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import keras  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def is_program() -> bool:
    """Tells whether this process is the package's own command line."""
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    return sys.orig_argv[1:3] == ["-m", "keras_bert_zh"] or name == "keras-bert-zh"
