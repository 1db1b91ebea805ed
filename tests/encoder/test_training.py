import dataclasses
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder, BertPreprocess
from keras_bert_zh.layers.dropout import Drop, Dropout
from tests.encoder.common import SMALL, difference, randomized, small_inputs


def test_dropout_is_on_in_training_only(tiny, inputs):
    encoder = BertEncoder(tiny, dropout=0.5)
    assert difference(encoder(inputs), encoder(inputs)) == 0
    first, second = encoder(inputs, training=True), encoder(inputs, training=True)
    assert difference(first, second) > 0.01
    assert difference(BertEncoder(tiny, dropout=0.0)(inputs, training=True), encoder(inputs)) < 1e-6


def test_dropout_rates_are_those_of_the_original(tiny):
    encoder = BertEncoder(tiny)
    rates = [encoder.embeddings.dropout.rate]
    rates += [r for b in encoder.blocks for r in (b.attention.dropout.rate, b.dropout.rate)]
    assert rates == [0.1] * 5


def test_dropout_is_in_the_four_places_of_the_original(tiny, inputs, monkeypatch):
    """Every place draws once, on the tensor that the original drops out."""
    encoder, seen = BertEncoder(tiny, padding_free=False, output_key=None), []
    draw, call, drawn = Dropout.draw, Drop.__call__, []

    def spy_on_draw(self, training):
        drawn.append((self, draw(self, training)))
        return drawn[-1][1]

    def spy_on_call(self, x):
        seen.extend((layer, x.shape) for layer, drop in drawn if drop is self)
        return call(self, x)

    monkeypatch.setattr(Dropout, "draw", spy_on_draw)
    monkeypatch.setattr(Drop, "__call__", spy_on_call)
    encoder(inputs, training=True)
    hidden, scores = (3, 16, 32), (3, 4, 16, 16)
    expected = [(encoder.embeddings.dropout, hidden)]
    for block in encoder.blocks:
        expected += [(block.attention.dropout, scores), *[(block.dropout, hidden)] * 2]
    assert seen == expected
    # All that was drawn matters: with one place active at a time, the output changes.
    for layer in {id(layer): layer for layer, _ in expected}.values():
        for other, _ in expected:
            other.rate = 0.5 if other is layer else 0.0
        dropped, whole = (encoder(inputs, training=on)["pooled_output"] for on in (True, False))
        assert difference(dropped, whole) > 1e-4


def test_every_parameter_has_a_gradient(tiny, inputs):
    encoder = BertEncoder(tiny, output_key=None)
    assert len(encoder.trainable_variables) == 5 + 16 * 2 + 2
    with tf.GradientTape() as tape:
        outputs = encoder(inputs, training=True)
        loss = sum(tf.reduce_sum(value**3) for value in outputs.values())
    for variable, gradient in zip(
        encoder.trainable_variables,
        tape.gradient(loss, encoder.trainable_variables),
        strict=True,
    ):
        assert gradient is not None, variable.path
        if not variable.path.endswith("key/bias"):  # Adds the same to all scores of a row.
            assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.path


def test_gradients_are_the_slopes():
    config = dataclasses.replace(SMALL, num_hidden_layers=1)
    encoder = randomized(BertEncoder(None, config=config, dtype="float64", output_key=None))
    inputs = small_inputs()
    direction = np.random.default_rng(1)

    def loss():
        outputs = encoder(inputs)
        return tf.reduce_sum(outputs["pooled_output"] ** 3) + tf.reduce_sum(
            tf.sin(outputs["sequence_output"])
        )

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, encoder.trainable_variables)
    for variable, gradient in zip(encoder.trainable_variables, gradients, strict=True):
        step = direction.normal(size=variable.shape)
        slope = np.sum(np.asarray(tf.convert_to_tensor(gradient)) * step)
        original = np.asarray(variable)
        ends = []
        for sign in (1, -1):
            variable.assign(original + sign * 1e-5 * step)
            ends.append(float(loss()))
        variable.assign(original)
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope, rel=1e-5, abs=1e-6), variable.path


def test_freeze_layers(tiny):
    encoder = BertEncoder(tiny)
    for count, trainable in ((1, 16 + 2), (0, 32 + 2), (2, 2), (None, 39)):
        encoder.freeze_layers(count)
        assert len(encoder.trainable_variables) == trainable
    for bad in (-1, 3, "1"):
        with pytest.raises(ValueError, match="a number of blocks from 0 to 2"):
            encoder.freeze_layers(bad)


def fitted(encoder, inputs, copy=lambda model: model):
    """Returns the names of the weights that move when a copy of a model of the encoder is fit."""
    symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in inputs}
    model = copy(keras.Model(symbolic, keras.layers.Dense(2)(encoder(symbolic))))
    (encoder,) = (layer for layer in model.layers if isinstance(layer, BertEncoder))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=True)
    before = {name: np.asarray(v) for name, v in encoder.named_variables().items()}
    model.fit(inputs, np.array([0, 1, 0]), verbose=0)
    return {
        name for name, v in encoder.named_variables().items() if difference(v, before[name]) > 0
    }


def through_file(model, path):
    model.save(path)
    return keras.saving.load_model(path)


@pytest.mark.parametrize("route", ["as it is", "clone", "pickle", "file"])
def test_frozen_weights_stay_frozen(tiny, inputs, tmp_path, route):
    copy = {
        "as it is": lambda model: model,
        "clone": keras.models.clone_model,
        "pickle": lambda model: pickle.loads(pickle.dumps(model)),
        "file": lambda model: through_file(model, tmp_path / "model.keras"),
    }[route]
    assert fitted(BertEncoder(tiny, trainable=False), inputs, copy) == set()
    encoder = BertEncoder(tiny)
    encoder.trainable = False
    assert fitted(encoder, inputs, copy) == set()
    encoder.trainable = True
    assert len(fitted(encoder, inputs, copy)) > 30
    encoder.freeze_layers(1)
    moved = fitted(encoder, inputs, copy)
    assert moved
    assert all(name.startswith(("blocks.1.", "pooler.")) for name in moved)
    encoder.freeze_layers(None)
    encoder.blocks[0].trainable = False
    moved = fitted(encoder, inputs, copy)
    assert "embeddings.norm.gamma" in moved
    assert not any(name.startswith("blocks.0.") for name in moved)


def test_learns_through_sequential_and_fit(tiny_block):
    model = keras.Sequential(
        [BertPreprocess(tiny_block, max_length=8), BertEncoder(tiny_block), keras.layers.Dense(2)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    texts = np.array(["a b c", "d e f g"] * 16, dtype=object)
    history = model.fit(texts, np.array([0, 1] * 16), batch_size=4, epochs=4, verbose=0).history[
        "loss"
    ]
    assert history[-1] < 0.3 * history[0]
