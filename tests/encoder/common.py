"""What the tests of the encoder share."""

import dataclasses

import numpy as np
import tensorflow as tf

from tests.conformance.cases import CONFIG

SMALL = dataclasses.replace(CONFIG, type_vocab_size=3)
# What is traced of it is half as large.
SMALL_BLOCK = dataclasses.replace(SMALL, num_hidden_layers=1)


def small_inputs(seed=0):
    rng = np.random.default_rng(seed)
    mask = np.array([[1] * 7, [1, 1, 1, 0, 0, 0, 0], [1, 0, 1, 1, 0, 1, 0]], "int32")
    return {
        "input_ids": rng.integers(0, 53, (3, 7)).astype("int32"),
        "input_mask": mask,
        "segment_ids": rng.integers(0, 3, (3, 7)).astype("int32"),
    }


def difference(a, b):
    return float(np.abs(np.asarray(a, "float64") - np.asarray(b, "float64")).max())


def zeroed(sequence, mask):
    """What there is of a sequence `[B, S, D]` where padding is left out."""
    return np.asarray(sequence, "float64") * np.asarray(mask)[..., None]


def report(route, key, largest):
    """Shown by `pytest -rP -k "parity or jit or jax"`."""
    print(f"{route}, {key}: largest difference to the original {largest:.2g}")


def randomized(encoder, seed=0, scale=0.5):
    """Distinct values in every weight, so that none can stand in for another."""
    rng = np.random.default_rng(seed)
    for variable in encoder.trainable_variables:
        variable.assign(variable + rng.normal(0, scale, variable.shape))
    return encoder


def as_tensors(inputs):
    return {name: tf.constant(value) for name, value in inputs.items()}
