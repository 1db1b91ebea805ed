"""The tiny ERNIE and ELECTRA that Transformers wrote, and what it computes with them."""

import atexit
import functools
import pathlib
import shutil
import tempfile

import numpy as np

from tests.process import DATA

PLACE = DATA / "relatives"
NAMES = ("ernie", "electra")


@functools.cache
def folder_of(name: str) -> pathlib.Path:
    """A folder that all tests read, with the vocabulary that is kept once; deleted at the end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-"))
    atexit.register(shutil.rmtree, folder)
    shutil.copy(DATA / "tiny_huggingface" / "vocab.txt", folder)
    return shutil.copytree(PLACE / name, folder, dirs_exist_ok=True)


def golden_of(name):
    """Inputs, and what Transformers made of them; padding holds values without meaning.

    ERNIE's `mlm_logits` are those of `mlm_positions`, three a row.
    """
    with np.load(PLACE / f"{name}_golden.npz") as arrays:
        golden = dict(arrays)
    inputs = {key: golden.pop(key) for key in ("input_ids", "input_mask", "segment_ids")}
    return inputs, golden


def at_positions(logits, golden):
    """Those of all logits `[B, S, V]` that ERNIE's golden has."""
    return np.take_along_axis(np.asarray(logits), golden["mlm_positions"][..., None], axis=1)
