"""Damaged files: what is read is right, or a ValueError names the file."""

import os
import re

import pytest

from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.checkpoints.readers import tf1_hub
from tests.checkpoints.readers.damage import attempt, flipped_bits, same


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
    with pytest.raises(ValueError, match=f"{path} has .* bytes, expected 213,816"):
        load_checkpoint(module)


def test_missing_data(module):
    path = module / "variables" / "variables.data-00000-of-00001"
    path.unlink()
    with pytest.raises(ValueError, match=f"{path} is missing, expected a file of 213,816 bytes"):
        load_checkpoint(module)


@pytest.mark.parametrize(
    ("file", "step"),
    [("variables.index", 5), ("variables.data-00000-of-00001", 1999)],
)
def test_a_flipped_bit_in_the_variables_is_harmless_or_found(module, tiny_module, file, step):
    path = module / "variables" / file
    original = load_checkpoint(tiny_module)
    messages = []
    for _ in flipped_bits(path, step):
        checkpoint, message = attempt(module)
        assert str(path.with_suffix("")) in message if message else same(checkpoint, original)
        messages.append(message)
    assert sum(map(bool, messages)) > len(messages) / 2


def test_a_flipped_bit_in_the_graph_raises_nothing_but_value_errors(module):
    path = module / "saved_model.pb"
    messages = [attempt(module)[1] for _ in flipped_bits(path, 4999)]
    assert any(messages)
    assert all(message is None or str(module) in message for message in messages)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff" * 1000, "saved_model.pb is damaged or is not a SavedModel"),
        (b"", r"saved_model.pb must contain .* the tags of its graphs are \[\]"),
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
