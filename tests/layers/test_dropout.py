import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh.layers.dropout import Drop, Dropout
from keras_bert_zh.layers.tensorflow.dropout import dropout

ONES = tf.ones((301, 333))


def route(function, name):
    return {
        "eager": lambda: function,
        "graph": lambda: tf.function(function),
        "xla": lambda: tf.function(function, jit_compile=True),
    }[name]()


@pytest.mark.parametrize("around", ["eager", "graph", "xla"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.97])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_the_share_and_the_scale(around, rate, dtype):
    layer = Dropout(rate, seed=1, dtype=dtype)
    dropped = np.asarray(
        tf.cast(route(layer, around)(tf.cast(ONES, dtype), training=True), "float64")
    )
    share = (dropped == 0).mean()
    assert abs(share - rate) < 5 * np.sqrt(rate * (1 - rate) / dropped.size)
    (kept,) = set(dropped[dropped != 0])
    assert kept == pytest.approx(1 / (1 - rate), rel=1e-2 if dtype == "bfloat16" else 1e-3)
    # Neighbours have halves of one random word.
    both = (dropped[:, :-1] == 0) & (dropped[:, 1:] == 0)
    assert abs(both.mean() - rate**2) < 0.01


@pytest.mark.parametrize("around", ["eager", "graph", "xla"])
def test_a_draw_decides_what_is_dropped(around):
    layer = Dropout(0.3, seed=1)

    def draw_twice(x):
        drops = [layer.draw(training=True), layer.draw(training=True)]
        drops += [drops[0].of_group(1), drops[0].of_group(2)]
        return [drop(x) for drop in drops], [drop(x) for drop in drops]

    first, second = route(draw_twice, around)(ONES)
    masks = [np.asarray(output) == 0 for output in first]
    for mask, again in zip(masks, second, strict=True):
        np.testing.assert_array_equal(mask, np.asarray(again) == 0)
    for index, mask in enumerate(masks):
        for other in masks[:index]:
            # As often as chance will have it.
            assert abs((mask & other).mean() - 0.09) < 0.01


def test_the_algorithm_is_that_of_the_draw():
    outputs = {}
    for algorithm in ("auto_select", "philox"):
        function = tf.function(lambda x, a=algorithm: dropout(x, 0.3, tf.constant([1, 2]), a))
        outputs[algorithm] = function(ONES)
    for jit_compile in (False, True):
        compiled = tf.function(
            lambda x: dropout(x, 0.3, tf.constant([1, 2]), "philox"), jit_compile=jit_compile
        )
        np.testing.assert_array_equal(compiled(ONES), outputs["philox"])


def test_xla_on_a_cpu_draws_otherwise():
    layer, algorithms = Dropout(0.3), []

    def draw(x):
        algorithms.append(layer.draw(training=True).algorithm)
        return x

    tf.function(draw)(ONES)
    tf.function(draw, jit_compile=True)(ONES)
    assert algorithms == ["auto_select", "threefry"]


def test_nothing_is_dropped_in_inference_or_at_rate_0():
    np.testing.assert_array_equal(Dropout(0.3)(ONES), ONES)
    layer = Dropout(0.0)
    np.testing.assert_array_equal(layer(ONES, training=True), ONES)
    nothing = Drop(0.0, "float32")
    assert layer.draw(training=True) == nothing == Dropout(0.3).draw(training=False)


def test_gradients_are_those_of_what_was_kept():
    layer = Dropout(0.3, seed=1)
    with tf.GradientTape() as tape:
        tape.watch(ONES)
        output = layer(ONES, training=True)
    np.testing.assert_array_equal(tape.gradient(output, ONES), output)


@pytest.mark.parametrize("rate", [1, True, float("nan")])
def test_errors(rate):
    layer = Dropout(np.float32(0.5))
    with pytest.raises(ValueError, match=rf"rate must be in \[0, 1\), got {rate}"):
        layer.rate = rate
    with pytest.raises(ValueError, match="rate"):
        Dropout(rate)
    assert json.loads(json.dumps(layer.get_config()))["rate"] == 0.5
    with pytest.raises(ValueError, match="does not support noise_shape, got"):
        Dropout(0.1, noise_shape=(1, 2))
    with pytest.raises(ValueError, match="rate"):
        keras.layers.Dropout(1.5)
