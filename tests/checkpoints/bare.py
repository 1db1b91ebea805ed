"""Runs code that needs only `keras_bert_zh.checkpoints`."""

import pathlib

import keras_bert_zh
from tests.process import run_anew

# The package's own __init__ imports layers, and with them Keras: step past it.
PRELUDE = f"""
import sys, types
package = sys.modules["keras_bert_zh"] = types.ModuleType("keras_bert_zh")
package.__path__ = [{str(pathlib.Path(keras_bert_zh.__file__).parent)!r}]
"""


def run_bare(code: str, *arguments: object, **environment: str) -> str:
    """Returns what the code prints; fails with its traceback if it fails."""
    return run_anew(PRELUDE + code, *arguments, **environment)
