"""The tiny ERNIE and ELECTRA that Transformers wrote, and what it computes with them."""

import numpy as np

from tests.process import DATA

FOLDER = DATA / "relatives"
NAMES = ("ernie", "electra")


def folder_of(name):
    return FOLDER / name


def golden_of(name):
    """Inputs, and what Transformers made of them; padding holds values without meaning."""
    with np.load(FOLDER / f"{name}_golden.npz") as arrays:
        golden = dict(arrays)
    inputs = {key: golden.pop(key) for key in ("input_ids", "input_mask", "segment_ids")}
    return inputs, golden
