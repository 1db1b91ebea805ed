import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder
from tests.encoder.common import SMALL, as_tensors


def changed(inputs, name, value):
    values = inputs[name].copy()
    values[0, 1] = value
    return inputs | {name: values}


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "compiled"])
def model(request, tiny):
    encoder = BertEncoder(tiny, jit_compile=request.param)
    model = keras.Sequential([encoder, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("input_ids", 718, r"input_ids must be in \[0, 718\) .*vocabulary"),
        ("input_ids", -1, r"input_ids must be in \[0, 718\)"),
        ("segment_ids", 2, r"segment_ids must be in \[0, 2\) .*segment types"),
        ("input_mask", 2, r"input_mask must be in \[0, 2\) .*1 for tokens"),
    ],
)
def test_values_out_of_range(model, inputs, name, value, message):
    bad = changed(inputs, name, value)
    with pytest.raises(ValueError, match=f"{message}.* got {value}"):
        model.layers[0](bad)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message) as caught:
        model.fit(bad, np.zeros(3), verbose=0)
    assert f"[{value}]" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: {}, r"takes a dict of input_ids, input_mask, segment_ids, .* got keys \[\]"),
        (lambda x: {"input_mask": x["input_mask"]}, r"got keys \['input_mask'\]"),
        (lambda x: x["input_ids"], "takes a dict of input_ids, input_mask, segment_ids, .* got"),
        (lambda x: x | {"labels": x["input_ids"]}, r"got \['labels'\]"),
        (lambda x: x | {"input_ids": x["input_ids"] * 1.0}, "input_ids must be integers"),
        (lambda x: x | {"input_mask": x["input_mask"] * 1.0}, "input_mask must be integers"),
        (lambda x: x | {"input_mask": None}, r"input_mask must have shape .* got NoneType"),
        (
            lambda x: {"input_ids": tf.ragged.constant([[1, 2], [3]])},
            r"got ragged \[2, None\]. Add a batch axis .* For padded rows, call BertPreprocess",
        ),
        (lambda x: {"input_ids": x["input_ids"][0]}, r"shape \[batch, sequence\], got \[16\]"),
        (lambda x: {"input_ids": x["input_ids"][None]}, r"got \[1, 3, 16\]"),
        (
            lambda x: x | {"segment_ids": x["segment_ids"][:, :5]},
            r"segment_ids must have the shape of input_ids, \[3, 16\]; got \[3, 5\]",
        ),
        (lambda x: {"input_ids": np.zeros((2, 0), "int32")}, "at least one position"),
        (lambda x: {"input_ids": np.array([[2**32 + 5]])}, "got 4294967301"),
        (lambda x: {"input_ids": np.zeros((1, 65), "int32")}, "length 65, but .* has 64 positions"),
    ],
)
def test_bad_inputs(tiny, inputs, change, message):
    with pytest.raises(ValueError, match=message):
        BertEncoder(tiny)(change(inputs))


def test_bad_symbolic_inputs(tiny):
    with pytest.raises(ValueError, match="have length 100"):
        BertEncoder(tiny)({"input_ids": keras.Input((100,), dtype="int32")})


def test_shapes_known_at_run_time_only(tiny, inputs):
    encoder = BertEncoder(tiny)
    spec = {name: tf.TensorSpec([None, None], tf.int32) for name in inputs}
    encode = tf.function(encoder.__call__, input_signature=[spec])
    assert encode(as_tensors(inputs)).shape == (3, 32)
    long = {name: tf.zeros((1, 65), tf.int32) for name in inputs}
    with pytest.raises(tf.errors.InvalidArgumentError, match="longer than the 64 positions"):
        encode(long)
    odd = as_tensors(inputs) | {"input_mask": tf.zeros((3, 5), tf.int32)}
    with pytest.raises(tf.errors.InvalidArgumentError, match="input_mask must have the shape of"):
        encode(odd)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"checkpoint": None}, r"needs config=BertConfig\(...\)"),
        ({"checkpoint": "x", "config": SMALL}, "has its own configuration"),
        ({"checkpoint": None, "config": {}}, "config must be a BertConfig, got {}"),
        ({"checkpoint": None, "config": SMALL, "output_key": "pooled"}, "got 'pooled'"),
        ({"checkpoint": None, "config": SMALL, "dropout": 1.5}, "hidden_dropout_prob must be in"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        BertEncoder(**arguments)
