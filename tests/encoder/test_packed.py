"""Rows that hold several texts give each text what it gets in a row of its own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder
from tests.encoder.common import SMALL, SMALL_BLOCK, as_tensors, difference, randomized, zeroed
from tests.encoder.test_padding_free_gradients import slope_and_gradient
from tests.process import run_python

LENGTHS = (6, 7, 4, 3, 1)
# By row, the texts in it; rows are 11 long, and hold four texts at most.
ROWS = ((0, 2, 4), (1, 3))


def texts():
    """Five texts, each in a row of its own, the last one but one with a hole."""
    rng = np.random.default_rng(4)
    mask = (np.arange(11) < np.array(LENGTHS)[:, None]).astype("int32")
    mask[3, 1] = 0
    inputs = {"input_mask": mask}
    for name, size in (("input_ids", 53), ("segment_ids", 3)):
        inputs[name] = rng.integers(0, size, mask.shape).astype("int32")
    return inputs


def packed(inputs):
    rows = {name: np.zeros((2, 11), "int32") for name in inputs}
    rows["text_starts"] = np.full((2, 4), 11, "int32")
    for row, held in enumerate(ROWS):
        start = 0
        for slot, text in enumerate(held):
            rows["text_starts"][row, slot] = start
            for name, values in inputs.items():
                rows[name][row, start : start + LENGTHS[text]] = values[text, : LENGTHS[text]]
            start += LENGTHS[text]
    return rows


def unpacked(outputs):
    """What there is of each text, as of texts in rows of their own, zeros elsewhere."""
    of_texts = {
        "pooled_output": np.zeros((5, 12)),
        "sequence_output": np.zeros((5, 11, 12)),
        "attention": np.zeros((5, 3, 11, 11)),
    }
    for row, held in enumerate(ROWS):
        start = 0
        for slot, text in enumerate(held):
            length = LENGTHS[text]
            place = slice(start, start + length)
            of_texts["pooled_output"][text] = outputs["pooled_output"][row, slot]
            of_texts["sequence_output"][text, :length] = outputs["sequence_output"][row, place]
            looks = np.asarray(outputs["attention"][-1])[row, :, place, place]
            of_texts["attention"][text, :, :length, :length] = looks
            start += length
    return of_texts


@pytest.mark.parametrize("padding_free", [None, False])
def test_outputs_and_gradients(padding_free):
    encoder = BertEncoder(
        None, config=SMALL, dropout=0.0, dtype="float64", padding_free=padding_free
    )
    randomized(encoder, scale=0.2)
    found, gradients = [], []
    for inputs in (texts(), packed(texts())):
        mask = inputs["input_mask"][..., None]
        with tf.GradientTape() as tape:
            outputs = encoder(inputs, as_dict=True, attention=True, training=True)
            pooled, sequence = outputs["pooled_output"], outputs["sequence_output"]
            if "text_starts" in inputs:
                pooled = pooled[inputs["text_starts"] < 11]
            loss = tf.reduce_sum(tf.sin(pooled)) + tf.reduce_sum(tf.sin(3 * sequence) * mask)
        gradients.append(tape.gradient(loss, encoder.trainable_variables))
        found.append(outputs)
    expected, of_rows = found[0], unpacked(found[1])
    mask = texts()["input_mask"]
    assert difference(of_rows["pooled_output"], expected["pooled_output"]) < 1e-9
    sequences = (zeroed(of["sequence_output"], mask) for of in (of_rows, expected))
    assert difference(*sequences) < 1e-9
    assert difference(of_rows["attention"], expected["attention"][-1]) < 1e-9
    total = np.sum(found[1]["attention"][-1]) / 3  # Nothing looks across texts, or at padding.
    assert total == pytest.approx(mask.sum())
    assert not np.any(found[1]["pooled_output"].numpy()[packed(texts())["text_starts"] == 11])
    padding = packed(texts())["input_mask"] == 0
    assert np.any(found[1]["sequence_output"].numpy()[padding]) == (padding_free is False)
    for one, other in zip(*gradients, strict=True):
        assert difference(tf.convert_to_tensor(one), tf.convert_to_tensor(other)) < 1e-9


def test_one_output_is_that_of_the_dict():
    """The last block computes the first tokens alone."""
    encoder = randomized(BertEncoder(None, config=SMALL, dtype="float64"), scale=0.2)
    rows = packed(texts())
    assert difference(encoder(rows), encoder(rows, as_dict=True)["pooled_output"]) < 1e-12
    kept = encoder.compute_output_spec(rows, as_dict=True, attention=True)
    outputs = encoder(rows, as_dict=True, attention=True)
    for name in ("pooled_output", "sequence_output"):
        assert kept[name].shape == outputs[name].shape
    moved = rows | {"text_starts": np.where(rows["text_starts"] == 11, -1, rows["text_starts"])}
    assert difference(encoder(moved), encoder(rows)) == 0


@pytest.mark.parametrize("remat", [False, True])
def test_gradients_under_dropout_are_slopes(remat):
    encoder = BertEncoder(None, config=SMALL_BLOCK, dropout=0.3, remat=remat, dtype="float64")
    inputs = as_tensors(packed(texts()))
    slope, gradient = slope_and_gradient(randomized(encoder, scale=0.2), inputs, tf.function)
    assert abs(gradient) > 1e-3
    assert slope == pytest.approx(gradient, rel=1e-4)


@pytest.mark.slow
def test_losses_are_means_over_texts():
    """By the Keras mask, of which nothing has to be said."""
    losses = []
    for inputs in (texts(), packed(texts())):
        keras.utils.set_random_seed(1)
        encoder = BertEncoder(None, config=SMALL_BLOCK, dropout=0.0)
        model = keras.Sequential([encoder, keras.layers.Dense(2)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.05), loss, metrics=["accuracy"])
        labels = np.array([0, 1, 1, 0, 1])
        if "text_starts" in inputs:
            labels = np.array([[0, 1, 1, 0], [1, 0, 0, 0]])
        history = model.fit(inputs, labels, epochs=3, verbose=0).history
        losses.append([history["loss"], history["accuracy"]])
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert losses[0][0][2] < losses[0][0][0]


def test_compiled_by_xla():
    encoder = randomized(BertEncoder(None, config=SMALL_BLOCK, dropout=0.0), scale=0.2)
    compiled = BertEncoder(None, config=SMALL_BLOCK, dropout=0.0, jit_compile=True)
    compiled.set_weights(encoder.get_weights())
    assert difference(compiled(packed(texts())), encoder(packed(texts()))) < 1e-5


@pytest.mark.parametrize(
    ("starts", "message"),
    [
        ([0, 4], r"text_starts must have shape \[batch, texts\], got \[2\]"),
        (
            [[0, 4]],
            r"text_starts must have the same number of rows as input_ids, \[2, 11\]; got \[1, 2\]",
        ),
        ([[0.0], [4.0]], r"text_starts must be integers, int32 \[batch, texts\]; got float"),
    ],
)
def test_starts_that_are_wrong(starts, message):
    encoder = BertEncoder(None, config=SMALL_BLOCK)
    with pytest.raises(ValueError, match=message):
        encoder(packed(texts()) | {"text_starts": np.array(starts)})


def test_padding_free_is_for_rows_of_one_text():
    encoder = BertEncoder(None, config=SMALL_BLOCK, padding_free=True)
    with pytest.raises(ValueError, match=r"takes one text in each row.*Pass padding_free=None"):
        encoder(packed(texts()))


@pytest.mark.slow
def test_jax():
    run_python(
        """
import jax, keras, numpy as np
from keras_bert_zh import BertConfig, BertEncoder
from tests.encoder.test_packed import SMALL, packed, texts, unpacked

for dtype, bound in (("float32", 1e-5), ("mixed_bfloat16", 0.1)):
    encoder = BertEncoder(None, config=SMALL, dropout=0.0, dtype=dtype)
    rng = np.random.default_rng(0)
    for variable in encoder.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.2, variable.shape))

    def loss(trained, inputs):
        fixed = encoder.non_trainable_variables
        outputs, _ = encoder.stateless_call(
            trained, fixed, inputs, as_dict=True, attention=True, training=True
        )
        pooled = outputs["pooled_output"].astype("float32")
        if "text_starts" in inputs:
            pooled = pooled * (inputs["text_starts"] < 11)[..., None]
        return jax.numpy.sin(pooled).sum(), outputs

    step = jax.jit(jax.value_and_grad(loss, has_aux=True))
    trained = [variable.value for variable in encoder.trainable_variables]
    (one, expected), gradients = step(trained, texts())
    (other, outputs), packed_gradients = step(trained, packed(texts()))
    found, mask = unpacked(outputs), texts()["input_mask"][..., None]
    assert abs(one - other) < 10 * bound
    sequence = np.asarray(expected["sequence_output"], "float32")
    pooled = np.asarray(expected["pooled_output"], "float32")
    assert np.abs((found["sequence_output"] - sequence) * mask).max() < bound
    assert np.abs(found["pooled_output"] - pooled).max() < bound
    largest = max(np.abs(gradient).max() for gradient in gradients)
    for a, b in zip(gradients, packed_gradients, strict=True):
        assert np.abs(np.asarray(a) - np.asarray(b)).max() < bound * largest

encoder = BertEncoder(None, config=SMALL, dropout=0.5)
model = keras.Sequential([encoder, keras.layers.Dense(2)])
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
labels = np.array([[0, 1, 1, 0], [1, 0, 0, 0]])
losses = model.fit(packed(texts()), labels, epochs=3, verbose=0).history["loss"]
assert np.isfinite(losses).all() and len(set(losses)) == 3, losses
""",
        KERAS_BACKEND="jax",
    )
