"""Blocks that are computed twice, to save memory, are computed alike."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder
from keras_bert_zh.layers.feed_forward import FeedForward
from tests.encoder.common import SMALL, as_tensors, difference, small_inputs
from tests.process import run_python


def loss_and_gradients(remat, around, **kwargs):
    keras.utils.set_random_seed(3)
    encoder = BertEncoder(None, config=SMALL, dropout=0.3, remat=remat, **kwargs)

    def step(inputs):
        with tf.GradientTape() as tape:
            outputs = encoder(inputs, as_dict=True, training=True)
            loss = tf.reduce_sum(outputs["pooled_output"] ** 2)
            loss += tf.reduce_sum(tf.sin(outputs["sequence_output"]))
        gradients = tape.gradient(loss, encoder.trainable_variables)
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]

    return around(step)(as_tensors(small_inputs()))


@pytest.mark.parametrize("padding_free", [True, False])
@pytest.mark.parametrize("around", ["eager", "graph", "xla"])
def test_gradients_under_dropout(around, padding_free):
    if around == "xla" and padding_free:
        padding_free = None
    wrap = {
        "eager": lambda step: step,
        "graph": tf.function,
        "xla": lambda step: tf.function(step, jit_compile=True),
    }[around]
    (loss, gradients), (other_loss, others) = (
        loss_and_gradients(remat, wrap, padding_free=padding_free) for remat in (False, True)
    )
    assert difference(loss, other_loss) < 1e-4
    for one, other in zip(gradients, others, strict=True):
        assert difference(one, other) < 1e-4
    # Another draw would be seen.
    keras.utils.set_random_seed(4)
    assert max(np.abs(gradient).max() for gradient in gradients) > 0.1


def test_slopes_under_dropout():
    """What is computed again drops what was dropped: the gradients are those of the loss."""
    config = SMALL
    encoder = BertEncoder(None, config=config, dropout=0.3, remat=True, dtype="float64")
    inputs = small_inputs()
    states = [v for v in encoder.non_trainable_variables if "seed" in v.path]
    assert states
    start = [np.asarray(state) for state in states]

    def loss():
        for state, value in zip(states, start, strict=True):
            state.assign(value)
        return tf.reduce_sum(tf.sin(3 * encoder(inputs, training=True)))

    kernel = encoder.blocks[0].attention.value.kernel
    with tf.GradientTape() as tape:
        value = loss()
    gradient = np.asarray(tape.gradient(value, kernel.value))
    direction = np.random.default_rng(0).normal(size=kernel.shape)
    original, ends = np.asarray(kernel), []
    for sign in (1, -1):
        kernel.assign(original + sign * 1e-5 * direction)
        ends.append(float(loss()))
    assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(np.sum(gradient * direction), rel=1e-5)


def test_blocks_are_computed_twice(monkeypatch):
    calls = []
    call = FeedForward.call
    monkeypatch.setattr(
        FeedForward, "call", lambda self, hidden: calls.append(1) or call(self, hidden)
    )
    counts = []
    for remat in (False, True):
        calls.clear()
        loss_and_gradients(remat, lambda step: step)
        counts.append(len(calls))
    assert counts == [2, 4]


def test_jax(tmp_path):
    pytest.importorskip("jax")
    run_python(
        """
import keras, numpy as np
from keras_bert_zh import BertEncoder
from tests.conformance.cases import CONFIG, INPUTS
losses = []
for remat in (False, True):
    keras.utils.set_random_seed(0)
    encoder = BertEncoder(None, config=CONFIG, dropout=0.3, remat=remat)
    symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in INPUTS}
    model = keras.Model(symbolic, keras.layers.Dense(2)(encoder(symbolic)))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(INPUTS, np.array([0, 1, 0]), epochs=3, verbose=0, shuffle=False)
    losses.append(history.history["loss"])
assert np.abs(np.subtract(*losses)).max() < 1e-5, losses
assert len(set(losses[0])) == 3, losses
""",
        KERAS_BACKEND="jax",
    )
