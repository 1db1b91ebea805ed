"""`pytorch_model.bin` in both of torch's forms: what lies where in it."""

import os

import ml_dtypes
import numpy as np
import pytest

from keras_bert_zh.checkpoints.readers import state_dict
from keras_bert_zh.checkpoints.readers.torch_files import open_tensors
from tests.checkpoints.readers.torch_writer import (
    Call,
    Name,
    View,
    pickled,
    rebuilt,
    write_before_zip,
    write_state_dict,
    write_zip,
)
from tests.process import DATA

FORMS = pytest.mark.parametrize("before_zip", [False, True])
NUMBERS = np.arange(12, dtype="float32")
VIEWS = {
    "all of it": (View(NUMBERS, 0, (3, 4), (4, 1)), NUMBERS.reshape(3, 4)),
    "behind others": (View(NUMBERS, 5, (7,), (1,)), NUMBERS[5:]),
    "transposed": (View(NUMBERS, 0, (4, 3), (1, 4)), NUMBERS.reshape(3, 4).T),
    "a column": (View(NUMBERS, 2, (3,), (4,)), NUMBERS[2::4]),
    "a block": (View(NUMBERS, 5, (2, 2), (4, 1)), NUMBERS.reshape(3, 4)[1:, 1:3]),
    "expanded": (View(NUMBERS, 1, (3, 2), (0, 1)), np.tile(NUMBERS[1:3], (3, 1))),
    "one number": (View(NUMBERS, 7, (), ()), NUMBERS[7]),
    "none": (View(NUMBERS, 12, (0, 4), (4, 1)), np.zeros((0, 4))),
}


@FORMS
def test_views_of_one_storage(tmp_path, before_zip):
    path = tmp_path / "pytorch_model.bin"
    write_state_dict(path, {n: view for n, (view, _) in VIEWS.items()}, before_zip=before_zip)
    assert path.stat().st_size < 3000  # The storage is there once.
    found = open_tensors(path)
    assert list(found) == list(VIEWS)
    for name, (_, expected) in VIEWS.items():
        array = found[name].read()
        assert array.shape == found[name].shape == expected.shape
        np.testing.assert_array_equal(array, expected, err_msg=name)
        assert array.flags.writeable
        assert array.flags.c_contiguous


@FORMS
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", ml_dtypes.bfloat16, "int64"])
def test_dtypes(tmp_path, before_zip, dtype):
    path = tmp_path / "pytorch_model.bin"
    numbers = np.array([[1.5, -2], [3, 0.25]]).astype(dtype)
    write_state_dict(path, {"a": numbers}, before_zip=before_zip)
    tensor = open_tensors(path)["a"]
    assert tensor.dtype == np.dtype(dtype).name
    assert tensor.read().dtype == dtype
    np.testing.assert_array_equal(tensor.read(), numbers)


def test_what_torch_writes_is_as_here(tmp_path):
    torch = pytest.importorskip("torch")
    numbers = torch.arange(12.0).reshape(3, 4)
    state = {
        "rows": numbers,
        "transposed": numbers.T,
        "expanded": numbers[:1].expand(5, 4),
        "parameter": torch.nn.Parameter(numbers[1:]),
        "bfloat16": numbers.to(torch.bfloat16),
    }
    for zipped in (False, True):
        path = tmp_path / "pytorch_model.bin"
        torch.save(state, path, _use_new_zipfile_serialization=zipped)
        found = open_tensors(path)
        assert list(found) == list(state)
        for name, tensor in state.items():
            expected = tensor.detach().float().numpy()
            np.testing.assert_array_equal(found[name].read().astype("float32"), expected)


@FORMS
def test_parameters_and_entries_as_python_2_pickled_them(tmp_path, before_zip):
    path = tmp_path / "pytorch_model.bin"
    tensor = rebuilt("0", View(NUMBERS, 0, (12,), (1,)), before_zip=before_zip)
    parameter = Call(Name("torch._utils", "_rebuild_parameter"), (tensor, True, {}))
    state = Call(Name("collections", "OrderedDict"), ([["a", tensor], ["b", parameter]],))
    (write_before_zip if before_zip else write_zip)(path, pickled(state), {"0": NUMBERS})
    for tensor in open_tensors(path).values():
        np.testing.assert_array_equal(tensor.read(), NUMBERS)


@FORMS
def test_only_the_tensor_that_is_asked_for_is_read(tmp_path, before_zip, monkeypatch):
    path = tmp_path / "pytorch_model.bin"
    write_state_dict(path, {"a": NUMBERS, "b": -NUMBERS[:5]}, before_zip=before_zip)
    found = open_tensors(path)
    read = []
    fromfile = np.fromfile
    monkeypatch.setattr(np, "fromfile", lambda *a, **k: read.append(a[2]) or fromfile(*a, **k))
    np.testing.assert_array_equal(found["b"].read(), -NUMBERS[:5])
    assert read == [5]


def test_numbers_that_are_not_finite(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    write_state_dict(path, {"a": np.array([1, np.nan])})
    with pytest.raises(ValueError, match=f"{path}: a has NaN or infinite values"):
        open_tensors(path)["a"].read()


def test_a_file_that_changes(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    write_state_dict(path, {"a": NUMBERS})
    tensor = open_tensors(path)["a"]
    write_state_dict(path, {"a": NUMBERS, "b": NUMBERS})
    with pytest.raises(ValueError, match=f"{path} has changed since the checkpoint was opened"):
        tensor.read()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model_before_1.6.bin"])
def test_a_genuine_file_that_was_cut_off(tmp_path, name):
    content = (DATA / "weight_files" / name).read_bytes()
    path = tmp_path / "pytorch_model.bin"
    for end in (0, 1, 3, 4, 30, 500, 9000, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match=f"{path} can't be read: "):
            open_tensors(path)


def test_bytes_behind_the_last_storage(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    write_state_dict(path, {"a": NUMBERS}, before_zip=True)
    size = path.stat().st_size
    os.truncate(path, size + 1)
    with pytest.raises(ValueError, match=f"has {size + 1} bytes, expected {size}"):
        open_tensors(path)


@FORMS
def test_torch_reads_what_these_tests_write(tmp_path, before_zip):
    torch = pytest.importorskip("torch")
    path = tmp_path / "pytorch_model.bin"
    write_state_dict(path, {n: view for n, (view, _) in VIEWS.items()}, before_zip=before_zip)
    read = torch.load(path, weights_only=True)
    for name, (_, expected) in VIEWS.items():
        np.testing.assert_array_equal(read[name].numpy(), expected, err_msg=name)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_the_table_of_storages_is_that_of_torch():
    torch = pytest.importorskip("torch")
    for name, dtype in state_dict._STORAGES.items():
        storage = getattr(torch, name.removeprefix("torch."))
        assert str(storage.dtype) == f"torch.{dtype}"
