"""The tiny ERNIE and ELECTRA that Transformers wrote, and what it computes with them."""

import numpy as np

from tests.process import DATA

NAMES = ("ernie", "electra")


def folder_of(name):
    return DATA / f"tiny_{name}"


def golden_of(name):
    """Inputs, and what Transformers made of them; padding holds values without meaning."""
    with np.load(DATA / f"tiny_{name}_golden.npz") as arrays:
        golden = dict(arrays)
    inputs = {key: golden.pop(key) for key in ("input_ids", "input_mask", "segment_ids")}
    return inputs, golden
