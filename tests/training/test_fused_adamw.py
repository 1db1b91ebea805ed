"""AdamW in TensorFlow's kernels: what Keras's computes, and a training step that is traced once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh.training.fused_adamw import FusedAdamW

SHAPES = ((3, 4), (4,), (2, 1, 3))
OPTIONS = {
    "as it is": {},
    "clipped": {"clipnorm": 0.5},
    "clipped together": {"global_clipnorm": 0.5},
    "other settings": {"beta_1": 0.8, "beta_2": 0.97, "epsilon": 1e-3},
    "AMSGrad": {"amsgrad": True},
    "averaged": {"use_ema": True, "ema_overwrite_frequency": 2},
    "accumulated": {"gradient_accumulation_steps": 2},
}


def five_updates(kind, *, dtype="float32", sparse=False, **options):
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.normal(size=shape).astype(dtype)) for shape in SHAPES]
    optimizer = kind(0.1, weight_decay=0.01, **options)
    for _ in range(5):
        gradients = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
        gradients = [tf.constant(gradient * rng.uniform(0, 0.5)) for gradient in gradients]
        if sparse:
            gradients[0] = tf.IndexedSlices(gradients[0][:2], [2, 0], SHAPES[0])
        optimizer.apply(gradients, variables)
    return [variable.numpy() for variable in (*variables, *optimizer.variables)]


def assert_as_keras(**options):
    ours, theirs = (five_updates(kind, **options) for kind in (FusedAdamW, keras.optimizers.AdamW))
    for value, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(value, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", OPTIONS)
def test_it_computes_what_keras_computes(name):
    assert_as_keras(**OPTIONS[name])


@pytest.mark.parametrize("how", [{"dtype": "float64"}, {"sparse": True}])
def test_what_the_kernels_do_not_take_is_left_to_keras(how):
    assert_as_keras(clipnorm=0.5, **how)


@pytest.mark.parametrize("kind", [FusedAdamW, keras.optimizers.AdamW])
def test_a_step_is_traced_once(kind):
    """Keras's own makes variables while it is traced, and TensorFlow then traces again."""
    traces = []

    class Model(keras.Sequential):
        def train_step(self, data):
            traces.append(data)
            return super().train_step(data)

    model = Model([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(kind(0.1), "mse")
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 1)))
    assert len(traces) == (1 if kind is FusedAdamW else 2)
    assert [v.path.split("/")[0] for v in model.optimizer.variables[2:]] == [
        model.optimizer.name
    ] * 4


def test_under_a_strategy():
    found = []
    for strategy in (tf.distribute.MirroredStrategy(["CPU:0"]), tf.distribute.get_strategy()):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
            model.compile(FusedAdamW(0.1, clipnorm=0.5), "mse")
        model.fit(np.eye(3), np.ones(3), batch_size=2, epochs=2, shuffle=False, verbose=0)
        found.append(model.get_weights())
    for value, expected in zip(*found, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_the_end_of_data_of_unknown_length_is_no_step():
    """Keras's own counts it as one, and decays the weights."""
    rows = [(np.full(3, number, "float32"), np.float32(1)) for number in range(4)]
    spec = (tf.TensorSpec((3,)), tf.TensorSpec(()))

    def trained(data):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "relu", True, "ones")])
        model.compile(FusedAdamW(0.1, weight_decay=0.5), "mse")
        model.fit(data.batch(2, drop_remainder=True), epochs=2, verbose=0)
        return int(model.optimizer.iterations), model.get_weights()

    unknown = tf.data.Dataset.from_generator(lambda: iter(rows), output_signature=spec)
    known = unknown.apply(tf.data.experimental.assert_cardinality(4))
    (steps, weights), (expected_steps, expected) = trained(unknown), trained(known)
    assert steps == expected_steps == 4
    for ours, theirs in zip(weights, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
