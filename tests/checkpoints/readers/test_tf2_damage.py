"""Damaged files of a TF2 Hub SavedModel: what is read is right, or a ValueError names the file."""

import os
import re

import numpy as np
import pytest

from keras_bert_zh.checkpoints import load_checkpoint
from tests.checkpoints.readers import tf2_modules
from tests.checkpoints.readers.damage import attempt, flipped_bits, same
from tests.tensors import read_tensors, write_tensors


@pytest.fixture
def folder(tmp_path):
    return tf2_modules.copy(tmp_path / "bert_zh")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_truncated_index(folder, share):
    path = folder / "variables" / "variables.index"
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(ValueError, match=f"{path} can't be read"):
        load_checkpoint(folder)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_truncated_data(folder, share):
    path = folder / "variables" / "variables.data-00000-of-00001"
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(ValueError, match=f"{path} has .* bytes, expected 250,112"):
        load_checkpoint(folder)


def test_a_damaged_tensor_is_named_as_its_variable(folder):
    path = folder / "variables" / "variables.data-00000-of-00001"
    key = "blocks.1.attention.key.kernel"
    content = bytearray(path.read_bytes())
    start = content.find(load_checkpoint(folder).weights[key].tobytes())
    assert start >= 0
    content[start] ^= 1
    path.write_bytes(content)
    name = "transformer/layer_1/self_attention/key/kernel"
    with pytest.raises(ValueError, match=rf"{name}: \S*variables.data-\*: .* can't be read") as e:
        load_checkpoint(folder)
    assert str(path.parent) in str(e.value)
    assert e.value.__cause__ is not None


@pytest.mark.parametrize(
    ("file", "step"), [("variables.index", 41), ("variables.data-00000-of-00001", 4999)]
)
def test_a_flipped_bit_in_the_variables_is_harmless_or_found(folder, file, step):
    path = folder / "variables" / file
    original = load_checkpoint(tf2_modules.TINY)
    messages = []
    for _ in flipped_bits(path, step):
        checkpoint, message = attempt(folder)
        assert str(path.with_suffix("")) in message if message else same(checkpoint, original)
        messages.append(message)
    assert sum(map(bool, messages)) > len(messages) / 2


def test_a_flipped_bit_in_the_graph_raises_nothing_but_value_errors(folder):
    path = folder / "saved_model.pb"
    messages = [attempt(folder)[1] for _ in flipped_bits(path, 39_989)]
    assert any(messages)
    assert all(message is None or str(folder) in message for message in messages)


def with_objects(folder, content):
    prefix = folder / "variables" / "variables"
    write_tensors(prefix, {**read_tensors(prefix), tf2_modules.OBJECTS: content})


def test_a_flipped_bit_in_the_object_graph_raises_nothing_but_value_errors(folder):
    content = read_tensors(folder / "variables" / "variables")[tf2_modules.OBJECTS]
    found = 0
    for position in range(0, len(content), 499):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        with_objects(folder, bytes(damaged))
        _, message = attempt(folder)
        assert message is None or str(folder) in message
        found += message is not None
    assert found


def test_an_object_graph_of_garbage(folder):
    with_objects(folder, b"\xff" * 1000)
    with pytest.raises(
        ValueError, match=r"data-\*: _CHECK\w+ is damaged or is not an object graph"
    ) as e:
        load_checkpoint(folder)
    assert str(folder) in str(e.value)


@pytest.mark.parametrize("content", [np.float32(3), np.array([b"a", b"b"])])
def test_an_object_graph_that_is_no_string(folder, content):
    with_objects(folder, content)
    with pytest.raises(ValueError, match=r"variables.index has no _CHECKPOINTABLE_OBJECT_GRAPH"):
        load_checkpoint(folder)


def test_an_empty_object_graph(folder):
    with_objects(folder, b"")
    with pytest.raises(ValueError, match="missing: word_embeddings/embeddings"):
        load_checkpoint(folder)


def test_no_object_graph(folder):
    prefix = folder / "variables" / "variables"
    tensors = read_tensors(prefix)
    del tensors[tf2_modules.OBJECTS]
    write_tensors(prefix, tensors)
    with pytest.raises(ValueError, match=rf"{prefix}.index has no _CHECKPOINTABLE_OBJECT_GRAPH"):
        load_checkpoint(folder)


def test_an_object_graph_of_other_tensors(folder):
    tf2_modules.edit_tensors(folder, lambda tensors, graph: tensors.popitem())
    with pytest.raises(
        ValueError,
        match=r"variables.index does not have variables that _CHECKPOINTABLE_OBJECT_GRAPH n",
    ):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (-1, "data-.* is damaged: do_lower_case refers to object -1 of "),
        (1_000_000, "data-.* is damaged: do_lower_case refers to object 1000000 of "),
        (1, r"data-.*: do_lower_case must be one variable, got \[\]"),
    ],
)
def test_a_flag_that_is_no_variable(folder, number, message):
    def change(tensors, graph):
        for child in graph.nodes[0].children:
            if child.local_name == "do_lower_case":
                child.node_id = number

    tf2_modules.edit_tensors(folder, change)
    with pytest.raises(ValueError, match=message) as caught:
        load_checkpoint(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff" * 1000, "is damaged or is not a SavedModel"),
        (b"", "must contain one graph with objects"),
        (b"<html>not found</html>", ""),
    ],
)
def test_a_graph_of_garbage(folder, content, message):
    path = folder / "saved_model.pb"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path} .*{message}"):
        load_checkpoint(folder)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_graph(folder, share):
    path = folder / "saved_model.pb"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=re.escape(str(path))):
        load_checkpoint(folder)
