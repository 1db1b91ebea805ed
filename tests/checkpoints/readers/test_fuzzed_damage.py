"""Damage of every kind to every file: a ValueError names the file, or what was read is right.

Examples are drawn by hypothesis, the same ones on every run.
"""

import pathlib
import shutil
import tempfile
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from keras_bert_zh import load_checkpoint, save_checkpoint
from keras_bert_zh.files.sha256 import sha256_of
from tests.tensors import read_tensors, write_tensors

EXAMPLES = settings(max_examples=40, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def originals(data, tmp_path_factory):
    """The folder of each format that is read, by name."""
    folders = {folder.name: folder for folder in data.glob("tiny_*/")}
    place = tmp_path_factory.mktemp("saved") / "hub"
    folders["hub_module"] = save_checkpoint(load_checkpoint(folders["tiny_tf1_hub"]), place, "hub")
    folders["keras_hub"] = data / "keras_hub_preset"
    assert len(folders) == 6
    return folders


def files(folder):
    return sorted(file for file in folder.rglob("*") if file.is_file())


@st.composite
def damages(draw, originals):
    """A file of a folder, to be cut, flipped, emptied, overwritten, removed or renamed."""
    original = originals[draw(st.sampled_from(sorted(originals)))]
    name = draw(st.sampled_from([file.relative_to(original) for file in files(original)]))
    position = draw(st.integers(0, max((original / name).stat().st_size - 1, 0)))
    kind = draw(st.sampled_from(("cut", "flip", "empty", "garbage", "missing", "renamed")))
    return original, name, kind, position, draw(st.integers(0, 7))


def apply(damage, folder):
    """Copies the folder, damages the file and returns its path."""
    original, name, kind, position, bit = damage
    shutil.copytree(original, folder)
    path = folder / name
    content = bytearray(path.read_bytes())
    if kind == "cut":
        path.write_bytes(content[:position])
    elif kind == "flip" and content:
        content[position] ^= 1 << bit
        path.write_bytes(content)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "garbage":
        path.write_bytes(bytes(np.random.default_rng(position).bytes(max(len(content), 1))))
    elif kind == "missing":
        path.unlink()
    elif kind == "renamed":
        path.rename(path.with_name(f"{path.name}.old"))
    return path


def load(folder, **arguments):
    """Returns the checkpoint, or the message of the error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return load_checkpoint(folder, **arguments), None
        except ValueError as error:
            return None, str(error)


@given(draw=st.data())
@EXAMPLES
def test_any_damage_is_an_error_that_names_the_folder_or_harmless(originals, draw):
    damage = draw.draw(damages(originals))
    with tempfile.TemporaryDirectory() as parent:
        folder = pathlib.Path(parent) / "model"
        apply(damage, folder)
        checkpoint, message = load(folder)
        if checkpoint is None:
            assert str(folder) in message
        elif checkpoint.format not in ("Hugging Face folder", "Keras Hub preset"):
            # TensorFlow has a checksum for each tensor.
            expected = load_checkpoint(damage[0])
            for name in checkpoint.weights:
                np.testing.assert_array_equal(checkpoint.weights[name], expected.weights[name])


@given(draw=st.data())
@EXAMPLES
def test_a_pinned_file_may_not_change_at_all(originals, draw):
    damage = draw.draw(damages(originals))
    with tempfile.TemporaryDirectory() as parent:
        folder = pathlib.Path(parent) / "model"
        pins = {str(f.relative_to(damage[0])): sha256_of(f) for f in files(damage[0])}
        path = apply(damage, folder)
        pristine = damage[0] / damage[1]
        changed = not path.is_file() or path.read_bytes() != pristine.read_bytes()
        checkpoint, message = load(folder, sha256=pins)
        assert (checkpoint is None) == changed
        assert message is None or path.name in message


@given(
    source=st.sampled_from(("tiny_tf1_hub", "tiny_original", "tiny_huggingface")),
    index=st.integers(0, 10_000),
    kind=st.sampled_from(("missing", "renamed", "extra", "longer", "flat", "integer")),
)
@EXAMPLES
def test_any_tensor_that_does_not_fit_is_named(originals, source, index, kind):
    with tempfile.TemporaryDirectory() as parent:
        folder = shutil.copytree(originals[source], pathlib.Path(parent) / "model")
        read, write = _tensors_of(folder)
        tensors = read()
        name = sorted(tensors)[index % len(tensors)]
        tensor = tensors[name]
        if kind in ("missing", "renamed"):
            del tensors[name]
        if kind in ("renamed", "extra"):
            tensors[f"{name}_odd"] = tensor
        if kind == "longer":
            tensors[name] = np.concatenate([tensor, tensor])
        if kind == "flat":
            tensors[name] = tensor.reshape(1, -1)
        if kind == "integer":
            tensors[name] = np.zeros(tensor.shape, "int32")
        write(tensors)
        with pytest.raises(ValueError, match="found:") as caught:
            load_checkpoint(folder)
        assert str(folder) in str(caught.value)
        assert name in str(caught.value)


def _tensors_of(folder):
    """Returns functions that read and write all tensors of a folder."""
    path = folder / "model.safetensors"
    if path.exists():
        return lambda: load_file(path), lambda tensors: save_file(tensors, path)
    (index,) = folder.rglob("*.index")
    prefix = index.with_suffix("")
    return lambda: read_tensors(prefix), lambda tensors: write_tensors(prefix, tensors)
