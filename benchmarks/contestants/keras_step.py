"""A step of training as Keras's users do it; imported in processes of their own."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from benchmarks.contestants.training import LEARNING_RATE


def keras_step(
    model: keras.Model, inputs: Any, labels: np.ndarray, **compile_arguments: Any
) -> Callable[[], float]:
    """Returns what trains the model, whose outputs are logits, on this batch once more."""
    model.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **compile_arguments,
    )

    def step() -> float:
        model.reset_metrics()
        return model.train_on_batch(inputs, labels)

    return step
