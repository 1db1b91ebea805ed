import dataclasses
import os
import re
import shutil

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from keras_bert_zh import BertEncoder
from keras_bert_zh.checkpoints import Checkpoint, Head, load_checkpoint, names, open_checkpoint
from keras_bert_zh.checkpoints.writers.checkpoint_folder import CHECKPOINT
from keras_bert_zh.export import hub_module
from tests.checkpoints.readers.damage import attempt
from tests.encoder.common import difference
from tests.tensors import read_tensors, write_tensors

QUERY = "blocks.1.attention.query.kernel"
OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"


def key(name):
    """What the tensor of a weight is called in the file."""
    return f"weights/{name.replace('.', '..')}/.ATTRIBUTES/VARIABLE_VALUE"


@pytest.fixture
def saved(written_module):
    return written_module


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of it, to change and to damage."""
    return shutil.copytree(saved, tmp_path / "saved")


@pytest.fixture
def change(folder):
    """A function that replaces tensors of the copy; None removes one."""

    def change(changes):
        prefix = folder / "variables" / "variables"
        tensors = read_tensors(prefix) | changes
        write_tensors(prefix, {n: tensor for n, tensor in tensors.items() if tensor is not None})

    return change


@pytest.fixture
def change_objects(folder, change):
    """A function that applies a function to the object graph of the copy."""

    def change_objects(edit):
        tensors = read_tensors(folder / "variables" / "variables")
        graph = TrackableObjectGraph.FromString(tensors[OBJECTS])
        edit(graph)
        change({OBJECTS: graph.SerializeToString()})

    return change_objects


def write(tmp_path, checkpoint):
    hub_module.write(checkpoint, tmp_path)
    return load_checkpoint(tmp_path)


def assert_same(checkpoint, expected):
    for field in dataclasses.fields(Checkpoint):
        if field.name not in ("weights", "format"):
            assert getattr(checkpoint, field.name) == getattr(expected, field.name)
    assert list(checkpoint.weights) == list(expected.weights)
    for name, weight in expected.weights.items():
        assert checkpoint.weights[name].dtype == "float32"
        np.testing.assert_array_equal(checkpoint.weights[name], weight, err_msg=name)


def test_reads_what_was_written(saved, tiny):
    checkpoint = load_checkpoint(saved)
    assert checkpoint.format == "SavedModel of keras_bert_zh"
    assert_same(checkpoint, tiny)


def test_every_head_and_odd_configuration(tmp_path, tiny_block):
    config = dataclasses.replace(
        tiny_block.config,
        hidden_act="gelu_erf",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.3,
        initializer_range=0.05,
        layer_norm_eps=1e-6,
    )
    rng = np.random.default_rng(0)
    weights = dict(tiny_block.weights)
    for name, shape in names.shapes(config, ("next_sentence",)).items():
        weights.setdefault(name, rng.normal(size=shape).astype("float32"))
    checkpoint = Checkpoint(config, tiny_block.vocabulary, False, weights)
    assert checkpoint.missing == ()
    assert_same(write(tmp_path, checkpoint), checkpoint)


def test_nothing_but_an_encoder(tmp_path, tiny_block):
    """A head of a fine-tuned model is left out."""
    kept = [name for name in tiny_block.weights if names.part_of(name) is None]
    checkpoint = Checkpoint(tiny_block.config, None, None, tiny_block.weights.only(kept))
    span = {"span.kernel": np.ones((32, 2)), "span.bias": np.ones(2)}
    with pytest.warns(
        UserWarning, match="the head of a fine-.* the question_answering head is left out"
    ):
        again = write(
            tmp_path,
            dataclasses.replace(
                checkpoint,
                weights=dict(checkpoint.weights) | span,
                head=Head("question_answering"),
            ),
        )
    assert again.head is None
    assert_same(again, checkpoint)
    assert again.missing == ("vocabulary", "lowercase", *names.PRETRAINED)


def test_rows_without_a_token(tmp_path, tiny_block):
    rows = 768
    config = dataclasses.replace(tiny_block.config, vocab_size=rows)
    weights = {
        name: np.resize(weight, (rows, *weight.shape[1:])) if len(weight) == 718 else weight
        for name, weight in tiny_block.weights.items()
    }
    checkpoint = Checkpoint(config, tiny_block.vocabulary, True, weights)
    assert_same(write(tmp_path, checkpoint), checkpoint)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, "float64"])
def test_other_dtypes_become_float32(tmp_path, tiny_block, dtype):
    weights = {name: weight.astype(dtype) for name, weight in tiny_block.weights.items()}
    checkpoint = dataclasses.replace(tiny_block, weights=weights)
    assert_same(write(tmp_path, checkpoint), checkpoint)


def test_an_encoder_from_it_computes_the_same(saved, inputs, golden):
    outputs = BertEncoder(saved, padding_free=False)(inputs, as_dict=True)
    for name, output in outputs.items():
        assert difference(output, golden[name]) < 1e-5


def test_what_was_trained_and_saved_again_by_tensorflow(saved, inputs, tmp_path, tiny):
    module = tf.saved_model.load(str(saved))
    for variable in module.trainable_variables:
        variable.assign_add(tf.ones_like(variable))
    tf.saved_model.save(module, str(tmp_path / "again"), signatures=module.signatures)
    checkpoint = load_checkpoint(tmp_path / "again")
    assert (checkpoint.config, checkpoint.vocabulary) == (tiny.config, tiny.vocabulary)
    for name, weight in tiny.weights.items():
        step = names.part_of(name) != "masked_lm"
        np.testing.assert_array_equal(checkpoint.weights[name], weight + np.float32(step))


def test_a_model_around_the_module(saved, tmp_path):
    model = tf.Module()
    model.module = tf.saved_model.load(str(saved))
    tf.saved_model.save(model, str(tmp_path / "model"))
    with pytest.raises(
        ValueError, match=r"does not list the weights of a module\. .* save the module alone"
    ):
        load_checkpoint(tmp_path / "model")


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({QUERY: None}, [f"missing: {QUERY}"]),
        (
            {QUERY: np.zeros((32, 31), "float32")},
            [f"misshapen: {QUERY} is [32, 31], expected [32, 32]"],
        ),
        ({QUERY: np.zeros((32, 32), "int32")}, [f"not float32: {QUERY} is int32"]),
        ({"masked_lm.bias": None}, ["missing: masked_lm.bias"]),
        (
            {"embeddings.word.embeddings": np.zeros((717, 32), "float32"), QUERY: None},
            [f"missing: {QUERY}", "misshapen: embeddings.word.embeddings is [717, 32]"],
        ),
    ],
)
def test_weights_that_do_not_fit(folder, change, changes, lines):
    change({key(name): tensor for name, tensor in changes.items()})
    with pytest.raises(
        ValueError, match=f"does not contain the BERT .* {len(lines)} found"
    ) as caught:
        load_checkpoint(folder)
    assert str(folder / "variables" / "variables.index") in str(caught.value)
    for line in lines:
        assert f"\n  {line}" in str(caught.value)


def test_a_weight_of_another_name(folder, change_objects):
    def rename(graph):
        for node in graph.nodes:
            for child in node.children:
                child.local_name = child.local_name.replace(QUERY, "odd")

    change_objects(rename)
    with pytest.raises(ValueError, match=rf"2 found:\n  missing: {QUERY}\n  unexpected: odd"):
        load_checkpoint(folder)


def without_weights(graph):
    graph.nodes[0].children[0].local_name = "odd"


def out_of_range(graph):
    graph.nodes[0].children[0].node_id = 10_000


@pytest.mark.parametrize("edit", [without_weights, out_of_range, TrackableObjectGraph.Clear])
def test_objects_without_weights(folder, change_objects, edit):
    change_objects(edit)
    with pytest.raises(
        ValueError, match=f"{OBJECTS} does not list the weights of a module"
    ) as caught:
        load_checkpoint(folder)
    assert str(folder / "variables" / "variables.index") in str(caught.value)


@pytest.mark.parametrize("objects", [b"\xff\xff", np.zeros(3, "float32"), None])
def test_no_objects(folder, change, objects):
    change({OBJECTS: objects})
    with pytest.raises(
        ValueError, match=f"{folder}.*{OBJECTS} does not list the weights of a module"
    ):
        load_checkpoint(folder)


@pytest.mark.parametrize("value", [np.float32(1), np.array([True])])
def test_a_lowercase_flag_that_is_no_bool(folder, change, value):
    change({"do_lower_case/.ATTRIBUTES/VARIABLE_VALUE": value})
    with pytest.raises(ValueError, match=rf"{folder}.*do_lower_case must be a bool scalar, got"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("assets/vocab.txt", None, "vocab.txt is not a file"),
        ("assets/vocab.txt", b"a\n" * 717, "vocab.txt has 717 lines"),
        ("assets/bert_config.json", b"{", "bert_config.json is not valid JSON"),
        ("assets/bert_config.json", b"{}", "bert_config.json: The BERT configuration has no"),
        ("variables/variables.index", None, "variables.index can't be read"),
        ("variables/variables.index", b"", "variables.index can't be read"),
        ("variables/variables.data-00000-of-00001", None, "data-00000-of-00001 is missing, exp"),
        ("variables/variables.data-00000-of-00001", b"", "-of-00001 has 0 bytes, expected 2"),
    ],
)
def test_damaged_files(folder, name, content, message):
    path = folder / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_checkpoint(folder)
    assert str(folder) in str(caught.value)


def test_a_vocabulary_with_a_byte_order_mark_and_blank_lines_at_the_end(folder, tiny):
    path = folder / "assets" / "vocab.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\n\n")
    assert load_checkpoint(folder).vocabulary == tiny.vocabulary


def test_it_may_be_replaced(folder):
    CHECKPOINT.check(folder)
    (folder / "assets" / "notes.txt").touch()
    with pytest.raises(
        ValueError, match=r"It contains assets/notes\.txt, which is not part of a SavedModel"
    ):
        CHECKPOINT.check(folder)


def test_a_configuration_that_leaves_the_activation_open(folder):
    path = folder / "assets" / "bert_config.json"
    path.write_text(path.read_text().replace("gelu_tanh", "gelu"))
    with pytest.raises(ValueError, match=f'{path}: .*"gelu", which can mean two functions'):
        load_checkpoint(folder)


def test_a_flipped_bit_in_the_variables_is_harmless_or_found(folder, tiny):
    found = 0
    for file, step in (("variables.index", 97), ("variables.data-00000-of-00001", 4999)):
        path = folder / "variables" / file
        content = path.read_bytes()
        for position in range(0, len(content), step):
            damaged = bytearray(content)
            damaged[position] ^= 1 << position % 8
            path.write_bytes(damaged)
            checkpoint, message = attempt(folder)
            if checkpoint is None:
                assert str(folder) in message
                found += 1
            else:
                assert_same(checkpoint, tiny)
        path.write_bytes(content)
    assert found > 60


def test_weights_are_read_when_they_are_asked_for(folder):
    checkpoint = open_checkpoint(folder)
    os.truncate(folder / "variables" / "variables.data-00000-of-00001", 100)
    with pytest.raises(ValueError, match=re.escape("has changed since the checkpoint was opened")):
        checkpoint.weights[QUERY]
