"""A copy of the tiny Hugging Face folder, to change and to damage."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file


@pytest.fixture
def folder(tmp_path, data):
    return shutil.copytree(data / "tiny_huggingface", tmp_path / "huggingface")


@pytest.fixture
def raw(data):
    return load_file(data / "tiny_huggingface" / "model.safetensors")


@pytest.fixture
def save(folder):
    """A function that replaces the tensors."""

    def save(tensors):
        contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
        save_file(contiguous, folder / "model.safetensors")

    return save


@pytest.fixture
def edit(folder):
    """A function that sets fields of `config.json`."""

    def edit(**fields):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return edit
