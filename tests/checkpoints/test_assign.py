import re

import keras
import ml_dtypes
import numpy as np
import pytest

from keras_bert_zh.checkpoints import assign


@pytest.fixture
def variables():
    return {
        "a.kernel": keras.Variable(np.full((2, 3), 7.0), dtype="float32"),
        "a.bias": keras.Variable(np.full((3,), 7.0), dtype="float32"),
    }


@pytest.fixture
def weights():
    generator = np.random.default_rng(0)
    return {
        "a.kernel": generator.normal(size=(2, 3)).astype("float32"),
        "a.bias": generator.normal(size=(3,)).astype("float32"),
    }


def values(variables):
    return {name: np.copy(variable.numpy()) for name, variable in variables.items()}


def test_assigns_by_name(variables, weights):
    assign(dict(reversed(weights.items())), variables)
    for name, value in values(variables).items():
        np.testing.assert_array_equal(value, weights[name])


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float64"])
def test_assigns_any_float(variables, weights, dtype):
    weights["a.bias"] = weights["a.bias"].astype(dtype)
    assign(weights, variables)
    value = values(variables)["a.bias"]
    assert value.dtype == "float32"
    np.testing.assert_allclose(value, weights["a.bias"].astype("float32"), rtol=1e-6)


def test_reduced_precision_variables(weights):
    variable = keras.Variable(np.zeros((3,)), dtype="bfloat16")
    assign({"a.bias": weights["a.bias"]}, {"a.bias": variable})
    value = keras.ops.convert_to_numpy(keras.ops.cast(variable.value, "float32"))
    np.testing.assert_allclose(value, weights["a.bias"], rtol=1e-2)


def drop(weights):
    del weights["a.bias"]


def add(weights):
    weights["b.bias"] = np.zeros(3, "float32")


def transpose(weights):
    weights["a.kernel"] = weights["a.kernel"].T


def flatten(weights):
    weights["a.kernel"] = weights["a.kernel"].reshape(-1)


def to_int(weights):
    weights["a.bias"] = np.zeros(3, "int32")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (drop, "missing: a.bias"),
        (add, "unexpected: b.bias"),
        (transpose, "misshapen: a.kernel is [3, 2], expected [2, 3]"),
        (flatten, "misshapen: a.kernel is [6], expected [2, 3]"),
        (to_int, "not of floats: a.bias is int32"),
    ],
)
def test_mismatch_leaves_everything_as_it_was(variables, weights, change, line):
    before = values(variables)
    change(weights)
    with pytest.raises(ValueError, match=rf"nothing was assigned(.|\n)*{re.escape(line)}"):
        assign(weights, variables)
    for name, value in values(variables).items():
        np.testing.assert_array_equal(value, before[name])


def test_one_error_lists_every_mismatch(variables, weights):
    drop(weights)
    add(weights)
    transpose(weights)
    with pytest.raises(ValueError, match="3 found") as caught:
        assign(weights, variables)
    for line in ("missing: a.bias", "unexpected: b.bias", "misshapen: a.kernel"):
        assert line in str(caught.value)
