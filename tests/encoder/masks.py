"""Masks of every kind, and encoders that leave padding out or keep it."""

import numpy as np
import pytest

from keras_bert_zh import BertEncoder
from tests.encoder.common import SMALL, randomized

ROWS = {
    "tails": [[1] * 11, [1] * 3 + [0] * 8, [1] * 7 + [0] * 4, [1] + [0] * 10, [1] * 11],
    "holes": [[1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1], [1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1], [1] * 11],
    "first masked": [[0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1] + [0] * 9, [0] * 10 + [1]],
    "one row": [[1] * 5 + [0] * 6],
    "full": [[1] * 11] * 3,
    "two tokens": [[1, 1] + [0] * 9] * 2,
    "groups": [[1] * 7 + [0] * 4, [1] * 3 + [0] * 8, [1] * 4 + [0] * 7],
    "many rows": np.tril(np.ones((11, 11), int)).tolist() * 2,
}
MASKS = pytest.mark.parametrize(
    "mask", [np.array(rows, "int32") for rows in ROWS.values()], ids=ROWS.keys()
)


def inputs_of(mask):
    rng = np.random.default_rng(2)
    return {
        "input_ids": rng.integers(0, 53, mask.shape).astype("int32"),
        "input_mask": mask,
        "segment_ids": rng.integers(0, 3, mask.shape).astype("int32"),
    }


def pair(config=SMALL, **kwargs):
    """The same weights without and with padding."""
    packed = BertEncoder(None, config=config, padding_free=True, **kwargs)
    randomized(packed, scale=0.2)
    padded = BertEncoder(None, config=config, padding_free=False, **kwargs)
    padded.set_weights(packed.get_weights())
    return packed, padded
