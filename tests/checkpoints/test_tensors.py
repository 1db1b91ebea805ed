import os
import pickle
import re

import numpy as np
import pytest

from keras_bert_zh import BertEncoder, Checkpoint
from keras_bert_zh.checkpoints.tensors import Tensor, Unchanged, Weights
from keras_bert_zh.files import freed_memory


@pytest.fixture
def reads():
    return []


@pytest.fixture
def weights(reads):
    """Two tensors that keep a record of being read."""

    def tensor(name, array):
        def read():
            reads.append(name)
            return array

        return Tensor(array.shape, array.dtype.name, read)

    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.ones(4, "float32")}
    return Weights({name: tensor(name, array) for name, array in arrays.items()})


def test_nothing_is_read_before_it_is_asked_for(weights, reads):
    assert list(weights) == ["a", "b"]
    assert "a" in weights
    assert "c" not in weights
    assert weights.shapes == {"a": (2, 3), "b": (4,)}
    assert weights.dtypes == {"a": "float64", "b": "float32"}
    assert list(weights.only(["b", "c"])) == ["b"]
    assert "2 tensors" in repr(weights)
    assert reads == []
    weights["b"]
    weights["b"]
    assert reads == ["b", "b"]


def test_verify_reads_each_once(weights, reads):
    weights.verify()
    assert reads == ["a", "b"]


def test_watched_weights_tell_what_was_read(weights):
    told = []
    watched = weights.watched(told.append)
    np.testing.assert_array_equal(watched["b"], weights["b"])
    assert told == ["b"]


def test_a_pickle_holds_the_arrays(weights):
    again = pickle.loads(pickle.dumps(weights))
    assert {name: array.tolist() for name, array in again.items()} == {
        name: array.tolist() for name, array in weights.items()
    }


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (16, 7), (33, 50)])
def test_transposed(shape):
    matrix = np.random.default_rng(0).normal(size=shape)
    tensor = Tensor(shape, "float64", lambda: matrix).transposed()
    assert tensor.shape == shape[::-1]
    np.testing.assert_array_equal(tensor.read(), matrix.T)


def aligned(array):
    """Returns a copy where TensorFlow would take over the memory itself."""
    buffer = np.empty(array.nbytes + 64, "uint8")
    start = -buffer.ctypes.data % 64
    copy = buffer[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def test_arrays_in_memory_stay_the_users_own(tiny, inputs):
    arrays = {name: aligned(array) for name, array in tiny.weights.items()}
    checkpoint = Checkpoint(tiny.config, tiny.vocabulary, True, arrays)
    encoders = [BertEncoder(checkpoint), BertEncoder(checkpoint)]
    before = np.asarray(encoders[0](inputs))
    for variable in encoders[1].trainable_variables:
        variable.assign_add(variable * 0 + 1)
    for array in arrays.values():
        np.add(array, 1, out=array)
    np.testing.assert_array_equal(encoders[0](inputs), before)


def test_what_is_no_array(tiny):
    weights = dict(tiny.weights) | {"pooler.dense.bias": object()}
    with pytest.raises(TypeError, match=r"weight pooler.dense.bias must be an array of floats"):
        Checkpoint(tiny.config, tiny.vocabulary, True, weights)


def test_weights_may_be_variables(tiny, inputs):
    encoder = BertEncoder(tiny)
    checkpoint = Checkpoint(tiny.config, tiny.vocabulary, True, encoder.named_variables())
    np.testing.assert_array_equal(BertEncoder(checkpoint)(inputs), encoder(inputs))


def test_files_that_change_are_noticed(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    files = Unchanged([path])
    files.check()
    os.utime(path, ns=(1, 1))
    with pytest.raises(ValueError, match=re.escape(f"{path} has changed since the checkpoint was")):
        files.check()


def test_memory_is_given_back_where_the_c_library_can(monkeypatch):
    calls = []
    monkeypatch.setattr(freed_memory, "_malloc_trim", lambda: calls.append)
    freed_memory.give_back()
    assert calls == [0]
    monkeypatch.setattr(freed_memory, "_malloc_trim", lambda: None)
    freed_memory.give_back()
    assert calls == [0]
