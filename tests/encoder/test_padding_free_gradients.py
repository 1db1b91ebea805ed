"""Gradients are those of the padded encoder, and the slopes of what is computed."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder
from tests.encoder.common import SMALL, SMALL_BLOCK, as_tensors, difference, randomized
from tests.encoder.masks import MASKS, ROWS, inputs_of, pair


@pytest.fixture(scope="module", params=["pooled_output", "sequence_output"])
def encoders(request):
    return pair(dtype="float64", dropout=0.0, output_key=request.param)


@MASKS
def test_gradients(mask, encoders):
    inputs, gradients = inputs_of(mask), []
    for encoder in encoders:
        with tf.GradientTape() as tape:
            output = encoder(inputs, training=True)
            if encoder.output_key == "sequence_output":
                output *= mask[:, :, None]
            loss = tf.reduce_sum(tf.sin(output))
        gradients.append(tape.gradient(loss, encoder.trainable_variables))
    for pair_of_gradients in zip(*gradients, strict=True):
        if pair_of_gradients[1] is None:
            assert pair_of_gradients[0] is None
        else:
            assert difference(*map(tf.convert_to_tensor, pair_of_gradients)) < 1e-9
    assert max(np.abs(tf.convert_to_tensor(g)).max() for g in gradients[0] if g is not None) > 1


def graphs_of(encoder, signature=None):
    """Returns a function of what a step of training computes, and one of the outputs alone."""

    @tf.function(input_signature=signature)
    def step(inputs):
        with tf.GradientTape() as tape:
            output = tf.cast(encoder(inputs, training=True), "float32")
            loss = tf.reduce_sum(tf.sin(output))
        gradients = tape.gradient(loss, encoder.trainable_variables)
        return output, list(map(tf.convert_to_tensor, gradients))

    return step, tf.function(encoder, input_signature=signature)


@pytest.fixture(scope="module", params=[("float32", 1e-4), ("mixed_bfloat16", 0.1)])
def graphs(request):
    """Those of an encoder without and one with padding, and how far apart they may be.

    What is packed depends on how many texts a graph knows of; nothing does that is padded.
    """
    dtype, bound = request.param
    packed, padded = pair(SMALL_BLOCK, dtype=dtype, dropout=0.0)
    open_spec = tf.TensorSpec((None, None), "int32")
    signature = [dict.fromkeys(inputs_of(np.ones((1, 1))), open_spec)]
    return (graphs_of(packed), graphs_of(padded, signature)), dtype, bound


@MASKS
def test_outputs_and_gradients_in_a_graph(mask, graphs):
    pair_of_graphs, dtype, bound = graphs
    outputs, gradients = [], []
    for step, encode in pair_of_graphs:
        trained, of_encoder = step(as_tensors(inputs_of(mask)))
        outputs += [trained, tf.cast(encode(as_tensors(inputs_of(mask))), "float32")]
        gradients.append(of_encoder)
    for output in outputs:
        assert difference(output, outputs[-1]) < (1e-5 if dtype == "float32" else bound)
    largest = max(np.abs(gradient).max() for gradient in gradients[1])
    assert max(map(difference, *gradients)) < bound * largest


def slope_and_gradient(encoder, inputs, around):
    """Returns a loss's slope in a random direction under dropout, and what its gradient says."""
    states = [v for v in encoder.non_trainable_variables if "seed" in v.path]
    start = [np.asarray(state) for state in states]
    kernels = [encoder.blocks[0].attention.key.kernel, encoder.blocks[0].feed_forward.inner.kernel]

    @around
    def loss_and_gradients(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(3 * encoder(inputs, training=True)))
        return loss, tape.gradient(loss, [kernel.value for kernel in kernels])

    def from_the_start():
        for state, value in zip(states, start, strict=True):
            state.assign(value)
        return loss_and_gradients(inputs)

    _, gradients = from_the_start()
    rng = np.random.default_rng(0)
    directions = [rng.normal(size=kernel.shape) for kernel in kernels]
    originals, ends = [np.asarray(kernel) for kernel in kernels], []
    for sign in (1, -1):
        for kernel, original, direction in zip(kernels, originals, directions, strict=True):
            kernel.assign(original + sign * 1e-5 * direction)
        ends.append(float(from_the_start()[0]))
    expected = sum(np.sum(g * d) for g, d in zip(gradients, directions, strict=True))
    return (ends[0] - ends[1]) / 2e-5, expected


@pytest.mark.parametrize(
    ("around", "config"),
    [(lambda f: f, SMALL), (tf.function, SMALL_BLOCK)],
    ids=["eager", "graph"],
)
@pytest.mark.parametrize("remat", [False, True])
@pytest.mark.parametrize("padding_free", [False, True])
@pytest.mark.parametrize("rows", ["holes", "many rows"])
def test_gradients_under_dropout_are_slopes(rows, padding_free, remat, around, config):
    encoder = BertEncoder(
        None, config=config, dropout=0.3, remat=remat, padding_free=padding_free, dtype="float64"
    )
    inputs = as_tensors(inputs_of(np.array(ROWS[rows], "int32")))
    slope, gradient = slope_and_gradient(randomized(encoder, scale=0.2), inputs, around)
    assert abs(gradient) > 1e-3
    assert slope == pytest.approx(gradient, rel=1e-4)


@pytest.mark.parametrize("remat", [False, True])
def test_gradients_of_a_compiled_encoder_in_a_graph_are_slopes(remat):
    """XLA compiles the forward pass there; the gradients are traced outside of it."""
    encoder = BertEncoder(
        None, config=SMALL_BLOCK, dropout=0.3, remat=remat, jit_compile=True, dtype="float64"
    )
    inputs = as_tensors(inputs_of(np.array(ROWS["tails"], "int32")))
    slope, gradient = slope_and_gradient(randomized(encoder, scale=0.2), inputs, tf.function)
    assert slope == pytest.approx(gradient, rel=1e-4)


def test_a_row_without_tokens_looks_at_its_first_position():
    encoder = randomized(
        BertEncoder(None, config=SMALL, dropout=0.0, padding_free=True, dtype="float64")
    )
    mask = np.array([[0] * 11, [1] * 9 + [0] * 2], "int32")
    slope, gradient = slope_and_gradient(encoder, as_tensors(inputs_of(mask)), lambda f: f)
    assert slope == pytest.approx(gradient, rel=1e-4)


def test_gradients_of_gradients():
    inputs = inputs_of(np.array(ROWS["tails"], "int32"))
    results = []
    for encoder in pair(dtype="float64", dropout=0.0):
        kernel = encoder.blocks[0].attention.query.kernel.value
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                loss = tf.reduce_sum(tf.sin(encoder(inputs, training=True)))
            loss = tf.reduce_sum(tf.sin(inner.gradient(loss, kernel)))
        results.append(outer.gradient(loss, kernel))
    assert np.abs(results[0]).max() > 1e-3
    assert difference(*results) < 1e-9
