"""How far a step moves each part of a model."""

import re

import numpy as np

PARTS = r"block_\d+|embeddings|pooler|head"


def of_a_step(model, optimizer, *, gradient=1.0, parts=PARTS, only=""):
    """Returns by how much of 0.5, the rate, a step with this gradient moves each part.

    It must be the same for all weights of a part. These are ones before. The first step of Adam
    has the length of the rate, whatever the gradient is.

    Args:
        model: keras.Model.
        optimizer: keras.Optimizer.
        gradient: float, of all weights.
        parts: a regular expression that finds the part in a path.
        only: a regular expression of the paths that are looked at.
    """
    variables = model.trainable_variables
    for variable in variables:
        variable.assign(np.ones(variable.shape))
    scale = getattr(optimizer, "initial_scale", 1.0)
    optimizer.apply([np.full(v.shape, gradient * scale, "float32") for v in variables], variables)
    found = {}
    for variable in variables:
        part = re.search(parts, variable.path)
        if part and re.search(only, variable.path):
            moved = float(np.mean(1 - np.array(variable))) / 0.5
            assert abs(found.setdefault(part[0], moved) - moved) < 1e-4 * moved + 1e-9, (
                variable.path
            )
    return found
