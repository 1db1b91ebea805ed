"""A small model and its training, a few batches at a time; it runs on any backend of Keras."""

import random

import keras
import numpy as np

RNG = np.random.default_rng(0)
INPUTS, LABELS = RNG.normal(size=(64, 3)).astype("float32"), RNG.normal(size=(64, 1))


def make(rate=0.5, width=5, optimizer=None, together=1):
    random.seed(1)  # As Keras does, whose `set_random_seed` imports TensorFlow on any backend.
    layers = [
        keras.Input((3,)),
        keras.layers.Dense(width, "tanh"),
        keras.layers.Dropout(rate, seed=7),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    optimizer = optimizer or keras.optimizers.AdamW(0.05)
    model.compile(optimizer, "mse", metrics=["mae"], steps_per_execution=together)
    return model


def train(model, *callbacks, steps, step=0, labels=LABELS):
    rows = slice(8 * step, 8 * steps)
    model.fit(
        INPUTS[rows], labels[rows], batch_size=8, shuffle=False, verbose=0, callbacks=[*callbacks]
    )
