"""Training is what the formulas say, whichever way it is computed."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import adamw
from tests.process import run_python
from tests.training import five_steps

RATE, NORM = 1e-3, 0.05


def batches(masked_lm=False):
    return [five_steps.data(masked_lm, seed) for seed in range(5)]


def assert_same(actual, expected):
    """Within rounding: 0.1% of the five steps of up to 1e-3 that a weight goes."""
    actual, expected = ([*weights.values()] for weights in (actual, expected))
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-6)


def gradients(model, inputs, labels):
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        loss = five_steps.loss()(labels, model(inputs, training=True))
    slopes = tape.gradient(loss, variables)
    return [np.asarray(tf.convert_to_tensor(slope), "float64") for slope in slopes]


def by_formula(batches, masked_lm=False, clip_together=False):
    """AdamW of `adamw(RATE, 10, warmup=0, clipnorm=NORM)` in NumPy, of gradients as they are."""
    model = five_steps.make(masked_lm)
    variables = model.trainable_variables
    means, squares = ([np.zeros(v.shape) for v in variables] for _ in range(2))
    for step, (inputs, labels) in enumerate(batches):
        slopes = gradients(model, inputs, labels)
        norms = np.array([np.linalg.norm(slope) for slope in slopes])
        if clip_together:
            norms[:] = np.linalg.norm(norms)
        rate = RATE * (1 + np.cos(np.pi * step / 10)) / 2
        corrected = rate * np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
        for i, variable in enumerate(variables):
            slope = slopes[i] * min(1, NORM / norms[i])
            means[i] += 0.1 * (slope - means[i])
            squares[i] += 0.001 * (slope**2 - squares[i])
            decay = 0 if variable.name in ("bias", "gamma", "beta") else 0.01 * rate
            weight = variable.numpy().astype("float64") * (1 - decay)
            variable.assign(weight - corrected * means[i] / (np.sqrt(squares[i]) + 1e-7))
    return {weight.path: weight.numpy() for weight in model.weights}


@pytest.mark.parametrize(
    ("masked_lm", "how"),
    [(False, {}), (False, {"jit_compile": True}), (True, {"run_eagerly": True})],
)
def test_five_steps_are_those_of_the_formula(masked_lm, how):
    optimizer = adamw(RATE, 10, warmup=0, clipnorm=NORM)
    trained = five_steps.train(optimizer, batches(masked_lm), masked_lm=masked_lm, **how)
    assert_same(trained, by_formula(batches(masked_lm), masked_lm))


def test_all_gradients_are_clipped_together():
    optimizer = adamw(RATE, 10, warmup=0, clipnorm=None)
    optimizer.global_clipnorm = NORM
    trained = five_steps.train(optimizer, batches(), run_eagerly=True)
    assert_same(trained, by_formula(batches(), clip_together=True))


def test_batches_that_are_accumulated_are_one_batch():
    def cut(inputs, labels):
        for part in np.split(np.arange(8), 4):
            yield {name: value[part] for name, value in inputs.items()}, labels[part]

    whole = five_steps.train(adamw(RATE, 10, warmup=0), batches(), run_eagerly=True)
    optimizer = adamw(RATE, 40, warmup=0, gradient_accumulation_steps=4)
    parts = [part for batch in batches() for part in cut(*batch)]
    assert_same(five_steps.train(optimizer, parts, run_eagerly=True), whole)


@pytest.mark.slow
def test_jax_trains_alike(tmp_path):
    pytest.importorskip("jax")
    run_python(
        """
import sys
import numpy as np
from keras_bert_zh import adamw
from tests.training import five_steps
optimizer = adamw(1e-3, 10, warmup=0, clipnorm=0.05)
batches = [five_steps.data(True, seed) for seed in range(5)]
weights = five_steps.train(optimizer, batches, masked_lm=True)
np.savez(sys.argv[1], *weights.values())
""",
        tmp_path / "weights.npz",
        KERAS_BACKEND="jax",
    )
    assert_same(np.load(tmp_path / "weights.npz"), by_formula(batches(True), masked_lm=True))


@pytest.mark.parametrize("mode", [None, "int8", "int4"])
@pytest.mark.parametrize("rank", [None, 2])
def test_gradients_of_tables_are_tensors(mode, rank):
    """Whatever a user does to them: optimisers take the square of each row of anything else."""
    model = five_steps.make()
    tables = model.layers[0].embeddings
    for table in (tables.word, tables.position, tables.segment):
        if mode:
            table.quantize(mode)
        if rank:
            table.enable_lora(rank)
    variables = [variable.value for variable in tables.trainable_variables]
    inputs, labels = five_steps.batch(0)
    with tf.GradientTape() as tape:
        loss = five_steps.loss()(labels, model(inputs))
    found = tape.gradient(loss, variables)
    assert len(found) == 2 + 3 * (2 if rank else 0 if mode else 1)
    assert all(isinstance(gradient, tf.Tensor) for gradient in found)
