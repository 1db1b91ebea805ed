"""Damaged files: what is read is right, or a ValueError names the file."""

import os
import re

import numpy as np
import pytest

from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.checkpoints.readers import tf1_hub


def same(checkpoint, other):
    return (
        checkpoint.config == other.config
        and checkpoint.vocabulary == other.vocabulary
        and checkpoint.lowercase == other.lowercase
        and checkpoint.weights.keys() == other.weights.keys()
        and all(np.array_equal(checkpoint.weights[n], w) for n, w in other.weights.items())
    )


def attempt(folder):
    """Returns the checkpoint, or what the ValueError says."""
    try:
        return load_checkpoint(folder), None
    except ValueError as error:
        return None, str(error)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.999])
def test_truncated_index(module, share):
    path = module / "variables" / "variables.index"
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(ValueError, match=f"{path} can't be read") as caught:
        load_checkpoint(module)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_truncated_data(module, share):
    path = module / "variables" / "variables.data-00000-of-00001"
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(ValueError, match=r"variables.data-\*: bert/.* can't be read") as caught:
        load_checkpoint(module)
    assert str(path.parent) in str(caught.value)
    assert caught.value.__cause__ is not None


def test_missing_data(module):
    (module / "variables" / "variables.data-00000-of-00001").unlink()
    with pytest.raises(ValueError, match=f"{module}.*bert/embeddings/word_embeddings can't be"):
        load_checkpoint(module)


@pytest.mark.parametrize(
    ("file", "step"),
    [("variables.index", 5), ("variables.data-00000-of-00001", 1999)],
)
def test_a_flipped_bit_in_the_variables_is_harmless_or_found(module, tiny_module, file, step):
    original = load_checkpoint(tiny_module)
    path = module / "variables" / file
    content = path.read_bytes()
    found = 0
    for position in range(0, len(content), step):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        checkpoint, message = attempt(module)
        if checkpoint is None:
            assert str(path.with_suffix("")) in message
            found += 1
        else:
            assert same(checkpoint, original), position
    assert found > len(content) / step / 2


def test_a_flipped_bit_in_the_graph_raises_nothing_but_value_errors(module):
    path = module / "saved_model.pb"
    content = path.read_bytes()
    found = 0
    for position in range(0, len(content), 4999):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        _, message = attempt(module)
        assert message is None or str(module) in message
        found += message is not None
    assert found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff" * 1000, "saved_model.pb is damaged, or no SavedModel"),
        (b"", r"saved_model.pb must hold .* the tags of its graphs are \[\]"),
        (b"<html>not found</html>", "saved_model.pb"),
    ],
)
def test_a_graph_of_garbage(module, content, message):
    (module / "saved_model.pb").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        tf1_hub.read(module)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_graph(module, share):
    path = module / "saved_model.pb"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=re.escape(str(path))):
        tf1_hub.read(module)
