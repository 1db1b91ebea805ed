"""Which texts Keras's `fit`, `evaluate` and `predict` hand to a layer, as the README says."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder, BertPreprocess
from tests.data.few_tokens import CONFIG, VOCABULARY

TEXTS = ["今天天气", "好", "我们去公园吧"]
LABELS = np.array([0, 1, 0])
BYTES = [text.encode() for text in TEXTS]
DATASET = tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).batch(2)


@pytest.fixture(scope="module")
def model():
    preprocess = BertPreprocess(vocabulary=VOCABULARY, max_length=8)
    encoder = BertEncoder(None, config=CONFIG, dropout=0.0)
    model = keras.Sequential([preprocess, encoder, keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, run_eagerly=True)
    return model


@pytest.mark.filterwarnings("ignore:.shuffle=True. was passed")
@pytest.mark.parametrize(
    "data",
    [(tf.constant(TEXTS), LABELS), (np.array(TEXTS, dtype=object), LABELS), (DATASET,)],
    ids=["tensor", "objects", "dataset"],
)
def test_taken(model, data):
    expected = model(tf.constant(TEXTS))
    np.testing.assert_allclose(model.predict(data[0], verbose=0), expected, atol=1e-6)
    loss = model.loss(LABELS, expected)
    assert model.evaluate(*data, verbose=0) == pytest.approx(float(loss))
    (trained_on,) = model.fit(*data, verbose=0).history["loss"]
    assert trained_on == pytest.approx(float(loss))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (TEXTS, "Unrecognized data type"),
        (tuple(TEXTS), "Unrecognized data type"),
        (np.array(TEXTS), "Invalid dtype: str"),
        (np.array(BYTES), "Invalid dtype: bytes"),
        (np.array(BYTES, dtype=object), "Invalid dtype: object"),
        (np.array([[text] for text in TEXTS], dtype=object), "Invalid dtype: object"),
    ],
    ids=["list", "tuple", "U", "S", "objects of bytes", "column"],
)
def test_refused_but_taken_as_a_tensor(model, texts, message):
    with pytest.raises(ValueError, match=message):
        model.predict(texts, verbose=0)
    for run in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=message):
            run(texts, LABELS, verbose=0)
    expected = model(tf.constant(TEXTS))
    np.testing.assert_allclose(model.predict(tf.constant(texts), verbose=0), expected, atol=1e-6)
