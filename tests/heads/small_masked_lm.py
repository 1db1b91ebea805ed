"""A small masked language model, what it learns from, and what is done to it."""

import dataclasses
import warnings

import keras
import numpy as np

from keras_bert_zh import BertEncoder, MaskedLM
from tests.conformance.cases import CONFIG, INPUTS, POSITIONS
from tests.encoder.common import difference, randomized

ONE_BLOCK = dataclasses.replace(CONFIG, num_hidden_layers=1)
MODEL_INPUTS = INPUTS | {"mlm_positions": POSITIONS}
# The positions of the second text are one and the same.
LABELS = np.array([[5, 9], [41, 41], [33, 1]])
NEXT = np.array([0, 1, 0])
# The second position of the last text is none.
WEIGHTS = np.array([[1, 1], [1, 1], [1, 0]], "float32")


def made(next_sentence=False, **kwargs):
    encoder = BertEncoder(None, config=ONE_BLOCK, **{"dropout": 0.0} | kwargs)
    return randomized(MaskedLM(encoder, next_sentence=next_sentence), scale=0.1)


def cross_entropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(model, optimizer=None, **kwargs):
    optimizer = optimizer or keras.optimizers.AdamW(1e-2, weight_decay=0.5)
    model.compile(optimizer, cross_entropy(), weighted_metrics=["accuracy"], **kwargs)
    return model


def fit(model, epochs=1, labels=LABELS):
    """Returns the history; whatever warns is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = model.fit(MODEL_INPUTS, labels, sample_weight=WEIGHTS, epochs=epochs, verbose=0)
    return history.history


def moved(model, train):
    """Returns the names of the weights that training moves."""
    before = {name: np.asarray(v) for name, v in model.named_variables().items()}
    train()
    now = model.named_variables().items()
    return {name for name, v in now if difference(v, before[name]) > 0}
