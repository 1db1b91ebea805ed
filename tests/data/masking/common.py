"""What the tests of masks share."""

import numpy as np
import tensorflow as tf

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
UNUSED = ["[unused1]", "[unused99]", ""]
# Ids from 8 on.
CHARACTERS = [chr(code) for code in range(0x4E00, 0x4E00 + 93)]
VOCABULARY = [*SPECIAL, *UNUSED, *CHARACTERS]
PAD, UNK, CLS, SEP, MASK, FIRST = 0, 1, 2, 3, 4, 8
ROWS, LENGTH = 400, 64


def candidates_of(batch):
    return (batch["input_mask"] == 1) & (batch["input_ids"] >= FIRST)


def chosen_of(outputs):
    """`<bool>[B, S]`, from positions and weights."""
    inputs, _, weights = outputs
    chosen = np.zeros(inputs["input_ids"].shape, bool)
    rows, columns = np.nonzero(weights.numpy())
    chosen[rows, inputs["mlm_positions"].numpy()[rows, columns]] = True
    return chosen


def words_of(candidates, starts):
    """Of each row, the lists of candidates that make a word."""
    for row, begins in zip(candidates, np.cumsum(starts, axis=1), strict=True):
        yield [np.flatnonzero(row & (begins == word)) for word in np.unique(begins[row])]


def same(one, other):
    return all(
        np.array_equal(a, b)
        for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True)
    )
