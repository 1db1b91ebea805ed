"""Values, gradients and gradients of gradients are those that TensorFlow derives."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.profile import count_kinds
from keras_bert_zh.layers.normalization import LayerNorm
from keras_bert_zh.layers.tensorflow.attention import recomputed
from keras_bert_zh.layers.tensorflow.gelu import gelu_erf, gelu_tanh
from keras_bert_zh.layers.tensorflow.layer_norm import layer_norm

RNG = np.random.default_rng(0)
AROUND = pytest.mark.parametrize("around", [lambda f: f, tf.function], ids=["eager", "graph"])


def array(*shape, dtype="float64"):
    return tf.cast(RNG.normal(size=shape), dtype)


def derivatives(function, arguments, around):
    """Returns the value, its gradients, and their gradients in turn."""

    def compute(*arguments):
        with tf.GradientTape() as outer:
            outer.watch(arguments)
            with tf.GradientTape() as inner:
                inner.watch(arguments)
                value = function(*arguments)
                loss = tf.reduce_sum(tf.sin(value))
            gradients = inner.gradient(loss, arguments)
            loss = tf.add_n([tf.reduce_sum(tf.cos(gradient)) for gradient in gradients])
        return value, gradients, outer.gradient(loss, arguments)

    return tf.nest.flatten(around(compute)(*arguments))


def assert_same(ours, theirs, arguments, around, bound=1e-9):
    pairs = zip(
        derivatives(ours, arguments, around), derivatives(theirs, arguments, around), strict=True
    )
    for our, their in pairs:
        assert our.dtype == their.dtype
        np.testing.assert_allclose(our, their, atol=bound, rtol=bound)
        assert np.abs(their).max() > 0


def derived_gelu_erf(x):
    # The root of 2 that tf.nn.gelu divides by has the precision of float32.
    return 0.5 * x * (1 + tf.math.erf(x / tf.cast(tf.constant(np.sqrt(2), "float32"), x.dtype)))


@AROUND
@pytest.mark.parametrize(
    ("ours", "derived", "bound"),
    [
        (gelu_tanh, lambda x: tf.nn.gelu(x, approximate=True), 1e-9),
        (gelu_erf, derived_gelu_erf, 1e-6),
    ],
)
def test_gelu(ours, derived, bound, around):
    assert_same(ours, derived, (array(5, 7) * 3,), around, bound)


@AROUND
@pytest.mark.parametrize(
    ("ours", "derived"),
    [
        (gelu_tanh, lambda x: x / 2 * (1 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))),
        (gelu_erf, lambda x: x / 2 * (1 + tf.math.erf(x / np.sqrt(2)))),
    ],
)
def test_gelu_in_training(ours, derived, around):
    assert_same(lambda x: ours(x, training=True), derived, (array(5, 7) * 3,), around)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("ours", "approximate"), [(gelu_tanh, True), (gelu_erf, False)])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_gelu_in_half_precision(ours, approximate, dtype, training):
    x = tf.cast(tf.linspace(-6.0, 6.0, 500), dtype)
    wide = tf.cast(x, "float32")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((x, wide))
        half, whole = ours(x, training=training), tf.nn.gelu(wide, approximate=approximate)
    slope = tape.gradient(half, x)
    assert slope.dtype == dtype
    # One rounding, where TensorFlow's own has one an operation.
    step = 2**-8 if dtype == "bfloat16" else 2**-10
    assert np.abs(tf.cast(slope, "float32") - tape.gradient(whole, wide)).max() < step
    if training:
        assert np.abs(tf.cast(half, "float32") - whole).max() <= step * 6 / 2


@AROUND
def test_layer_norm(around):
    def derived(x, gamma, beta):
        # Not tf.nn.moments, whose gradient is no function of the mean.
        centred = x - tf.reduce_mean(x, -1, keepdims=True)
        variance = tf.reduce_mean(centred**2, -1, keepdims=True)
        return centred / tf.sqrt(variance + 1e-3) * gamma + beta

    def ours(x, gamma, beta):
        return layer_norm(x, gamma, beta, 1e-3)

    assert_same(ours, derived, (array(4, 3, 7), array(7), array(7)), around)


def test_layer_norm_of_half_precision_keeps_the_dtypes_of_its_weights():
    x, gamma, beta = array(4, 7, dtype="bfloat16"), array(7, dtype="float32"), tf.zeros(7)
    with tf.GradientTape() as tape:
        tape.watch((x, gamma, beta))
        output = layer_norm(x, gamma, beta, 1e-12)
    gradients = tape.gradient(output, (x, gamma, beta))
    assert [g.dtype for g in gradients] == ["bfloat16", "float32", "float32"]
    assert output.dtype == "bfloat16"


@pytest.mark.parametrize("arguments", [{"axis": 1}, {"center": False}, {"scale": False}])
def test_layer_norm_is_of_one_kind(arguments):
    with pytest.raises(ValueError, match="normalises the last axis only, with gamma and beta"):
        LayerNorm(**arguments)


@AROUND
@pytest.mark.parametrize("drops", [False, True])
def test_attention(drops, around):
    penalty = tf.constant([[[[0.0, -5, 0, -10000, 0]]]], "float64")
    noise = tf.cast(RNG.random((2, 3, 4, 5)) < 0.7, "float64") / 0.7

    def drop(probabilities):
        return probabilities * noise if drops else probabilities

    def derived(query, key, value):
        scores = tf.matmul(query, key, transpose_b=True) + penalty
        return tf.matmul(drop(tf.nn.softmax(scores)), value)

    def ours(query, key, value):
        return recomputed(query, key, value, penalty, drop)

    arguments = (array(2, 3, 4, 6), array(2, 3, 5, 6), array(2, 3, 5, 6))
    assert_same(ours, derived, arguments, around)


def test_attention_computes_again_when_gradients_come():
    """Or TensorFlow would keep the probabilities of the first time."""
    penalty = tf.zeros((1, 1, 1, 5))

    @tf.function
    def step(query):
        with tf.GradientTape() as tape:
            tape.watch(query)
            output = tf.sin(recomputed(query, query, query, penalty, lambda x: x))
        return tape.gradient(output, query)

    query = array(2, 3, 5, 6, dtype="float32")
    kinds = count_kinds(lambda: step(query))
    softmaxes = sum(number for kind, number in kinds.items() if kind.endswith("Softmax"))
    assert round(softmaxes) == 2, kinds
