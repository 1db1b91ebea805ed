"""Checkpoints that differ from another, and what makes two of them the same."""

import dataclasses

import numpy as np

from keras_bert_zh.checkpoints import names


def variant(
    checkpoint, *, heads=names.PARTS, weights=None, vocabulary=..., lowercase=..., **config
):
    """Returns a checkpoint with these heads alone, these weights and fields in place of its own."""
    kept = [name for name in checkpoint.weights if names.part_of(name) in (None, *heads)]
    lazy = checkpoint.weights.only(kept)
    return dataclasses.replace(
        checkpoint,
        config=dataclasses.replace(checkpoint.config, **config),
        vocabulary=checkpoint.vocabulary if vocabulary is ... else vocabulary,
        lowercase=checkpoint.lowercase if lowercase is ... else lowercase,
        weights=lazy if weights is None else dict(lazy) | weights,
    )


def assert_same(one, other):
    assert one.config == other.config
    assert one.vocabulary == other.vocabulary
    assert one.lowercase == other.lowercase
    assert list(one.weights) == list(other.weights)
    for name, weight in other.weights.items():
        assert one.weights[name].dtype == "float32"
        np.testing.assert_array_equal(one.weights[name], weight, err_msg=name)
