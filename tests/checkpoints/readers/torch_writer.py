"""Writes what `torch.save` writes of a state dict, in both of its forms, without torch."""

import collections
import io
import pickle
import zipfile
from typing import NamedTuple

import numpy as np

_STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
}


class View(NamedTuple):
    """A tensor in a storage that others may share; offset and strides count numbers."""

    storage: np.ndarray
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Name(NamedTuple):
    """What a pickle names, whether it is there or not."""

    module: str
    name: str


class Call(NamedTuple):
    """What a pickle calls."""

    name: Name
    arguments: tuple


class Storage(NamedTuple):
    """What torch names a storage by; `view` is what it wrote of each before 1.6."""

    name: Name
    key: str
    size: int
    view: tuple = ()


class _Pickler(pickle._Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", value.name, value.key, "cpu", value.size, *value.view)
        return None

    def save_name(self, value):
        self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())

    def save_call(self, value):
        self.save(value.name)
        self.save(value.arguments)
        self.write(pickle.REDUCE)

    dispatch = {**pickle._Pickler.dispatch, Name: save_name, Call: save_call}  # noqa: RUF012


def pickled(value: object) -> bytes:
    file = io.BytesIO()
    _Pickler(file, 2).dump(value)
    return file.getvalue()


def write_state_dict(path, tensors, *, before_zip=False):
    """Writes arrays and `View`s by name."""
    storages = {}
    state = collections.OrderedDict()
    for name, tensor in tensors.items():
        view = tensor if isinstance(tensor, View) else _rows(tensor)
        key = str(id(view.storage))
        storages[key] = view.storage
        state[name] = rebuilt(key, view, before_zip=before_zip)
    state._metadata = {"": {"version": 1}}
    write = write_before_zip if before_zip else write_zip
    write(path, pickled(state), storages)


def rebuilt(key, view, *, before_zip=False):
    """Returns how a pickle makes a tensor."""
    name = Name("torch", _STORAGES[view.storage.dtype.name])
    storage = Storage(name, key, view.storage.size, (None,) * before_zip)
    arguments = (storage, view.offset, view.shape, view.strides, False, collections.OrderedDict())
    return Call(Name("torch._utils", "_rebuild_tensor_v2"), arguments)


def write_zip(path, state, storages):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", state)
        archive.writestr("archive/byteorder", b"little")
        for key, storage in storages.items():
            archive.writestr(f"archive/data/{key}", storage.view("uint8"))
        archive.writestr("archive/version", b"3\n")


def write_before_zip(path, state, storages):
    with open(path, "wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            file.write(pickled(value))
        file.write(state)
        file.write(pickled(list(storages)))
        for storage in storages.values():
            file.write(storage.size.to_bytes(8, "little"))
            file.write(storage.view("uint8"))


def _rows(array):
    array = np.ascontiguousarray(array)
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return View(array.reshape(-1), 0, array.shape, strides)
