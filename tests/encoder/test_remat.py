"""Blocks that are computed twice, to save memory, are computed alike."""

import keras
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder
from keras_bert_zh.layers.feed_forward import FeedForward
from tests.encoder.common import SMALL, SMALL_BLOCK, as_tensors, difference, small_inputs
from tests.process import run_python


def step_of(remat, around, config=SMALL, **kwargs):
    """Returns what computes a loss and its gradients; at each call, other numbers are dropped."""
    keras.utils.set_random_seed(3)
    encoder = BertEncoder(None, config=config, dropout=0.3, remat=remat, **kwargs)

    def step(inputs):
        with tf.GradientTape() as tape:
            outputs = encoder(inputs, as_dict=True, training=True)
            loss = tf.reduce_sum(outputs["pooled_output"] ** 2)
            loss += tf.reduce_sum(tf.sin(outputs["sequence_output"]))
        gradients = tape.gradient(loss, encoder.trainable_variables)
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]

    return around(step)


@pytest.mark.parametrize(
    ("around", "padding_free"),
    [("eager", True), ("eager", False), ("graph", True), ("graph", False), ("xla", None)],
)
def test_gradients_under_dropout(around, padding_free):
    wrap, config = {
        "eager": (lambda step: step, SMALL),
        "graph": (tf.function, SMALL_BLOCK),
        "xla": (lambda step: tf.function(step, jit_compile=True), SMALL_BLOCK),
    }[around]
    steps = [step_of(remat, wrap, config, padding_free=padding_free) for remat in (False, True)]
    inputs = as_tensors(small_inputs())
    (loss, gradients), (other_loss, others) = (step(inputs) for step in steps)
    assert difference(loss, other_loss) < 1e-4
    for one, other in zip(gradients, others, strict=True):
        assert difference(one, other) < 1e-4
    # Another draw would be seen.
    _, others = steps[1](inputs)
    assert max(map(difference, gradients, others)) > 0.1


def test_blocks_are_computed_twice(monkeypatch):
    calls = []
    call = FeedForward.call
    monkeypatch.setattr(
        FeedForward, "call", lambda self, hidden: calls.append(1) or call(self, hidden)
    )
    counts = []
    for remat in (False, True):
        calls.clear()
        step_of(remat, lambda step: step)(as_tensors(small_inputs()))
        counts.append(len(calls))
    assert counts == [2, 4]


@pytest.mark.slow
def test_jax(tmp_path):
    pytest.importorskip("jax")
    run_python(
        """
import random
import keras, numpy as np
from keras_bert_zh import BertEncoder
from tests.conformance.cases import INPUTS, ONE_BLOCK
losses = []
for remat in (False, True):
    random.seed(0)  # All that Keras draws its seeds from; `set_random_seed` imports TensorFlow.
    encoder = BertEncoder(None, config=ONE_BLOCK, dropout=0.3, remat=remat)
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
