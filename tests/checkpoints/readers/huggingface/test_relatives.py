"""Folders of ERNIE and ELECTRA."""

import json
import re
import shutil
import warnings

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from keras_bert_zh import load_checkpoint
from tests.relatives import NAMES, folder_of

TASKS = "ernie.embeddings.task_type_embeddings.weight"


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def folder(name, tmp_path):
    return shutil.copytree(folder_of(name), tmp_path / name)


def change(folder, tensors=None, **fields):
    """Sets fields of the configuration, and replaces the tensors."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    if tensors is not None:
        save_file(tensors, folder / "model.safetensors")


def encoder_of(folder):
    """The encoder's tensors, without a prefix."""
    found = load_file(folder / "model.safetensors")
    return {
        name.removeprefix("ernie."): tensor
        for name, tensor in found.items()
        if not name.startswith("cls.")
    }


@pytest.mark.parametrize(
    ("name", "fields", "missing"),
    [
        (
            "ernie",
            {"type_vocab_size": 4, "layer_norm_eps": 1e-5, "task_type_vocab_size": 3},
            ("lowercase", "pooler", "next_sentence"),
        ),
        (
            "electra",
            {"type_vocab_size": 2, "layer_norm_eps": 1e-12, "embedding_size": 16},
            ("lowercase", "pooler", "masked_lm", "next_sentence"),
        ),
    ],
    ids=NAMES,
)
def test_what_they_have(folder, name, fields, missing):
    checkpoint = load_checkpoint(folder)
    assert checkpoint.config.model_type == name
    assert {field: getattr(checkpoint.config, field) for field in fields} == fields
    assert checkpoint.config.hidden_act == "gelu_erf"
    assert checkpoint.missing == missing
    assert checkpoint.leftovers == ()
    raw = load_file(folder / "model.safetensors")
    assert len(checkpoint.weights) == len(raw)
    sums = [
        sorted(float(np.sum(a)) for a in arrays.values()) for arrays in (raw, checkpoint.weights)
    ]
    np.testing.assert_allclose(*sums, rtol=1e-5)


@pytest.mark.parametrize("prefix", ["", "ernie.", "electra.", "bert."])
def test_any_prefix(folder, name, prefix):
    before = load_checkpoint(folder_of(name))
    tensors = {prefix + tensor: value for tensor, value in encoder_of(folder).items()}
    change(folder, tensors)
    after = load_checkpoint(folder)
    assert {"pooler", "masked_lm", "next_sentence"} < set(after.missing)
    for ours, value in after.weights.items():
        np.testing.assert_array_equal(value, before.weights[ours], err_msg=ours)


@pytest.mark.parametrize("heads", ["discriminator_predictions", "generator_predictions"])
def test_the_heads_of_electra_are_left_over(tmp_path, heads):
    folder = shutil.copytree(folder_of("electra"), tmp_path / "electra")
    tensors = {f"electra.{name}": tensor for name, tensor in encoder_of(folder).items()}
    tensors |= {
        f"{heads}.dense.weight": np.zeros((32, 32), "float32"),
        f"{heads}.dense.bias": np.zeros(32, "float32"),
        "electra.embeddings.position_ids": np.arange(64)[None],
    }
    change(folder, tensors, architectures=["ElectraForPreTraining"])
    with pytest.warns(UserWarning, match=rf"head of ElectraForPreTraining is not read \({heads}"):
        checkpoint = load_checkpoint(folder)
    assert set(checkpoint.leftovers) == set(tensors) - {
        f"electra.{name}" for name in encoder_of(folder_of("electra"))
    }


@pytest.mark.parametrize("fields", [{"use_task_id": False}, {"model_type": "bert"}])
def test_task_types_that_are_not_used(tmp_path, fields):
    folder = shutil.copytree(folder_of("ernie"), tmp_path / "ernie")
    change(folder, **fields)
    message = f"{folder}/config.json does not set use_task_id for an ERNIE, so {TASKS} is not"
    with pytest.warns(UserWarning, match=re.escape(message)) as caught:
        checkpoint = load_checkpoint(folder)
    assert len(caught) == 1
    assert checkpoint.leftovers == (TASKS,)
    tensors = load_file(folder / "model.safetensors")
    del tensors[TASKS]
    change(folder, tensors)
    with warnings.catch_warnings(action="error"):
        checkpoint = load_checkpoint(folder)
    assert checkpoint.config.task_type_vocab_size == 0
    assert not [name for name in checkpoint.weights if "task" in name]


@pytest.mark.parametrize(
    ("name", "fields", "line"),
    [
        (
            "electra",
            {"embedding_size": 32},
            "word_embeddings.weight is [718, 16], expected [718, 32",
        ),
        (
            "electra",
            {"embedding_size": 8},
            "embeddings_project.weight is [32, 16], expected [32, 8",
        ),
        ("electra", {"model_type": "bert"}, "unexpected: embeddings_project.bias"),
        (
            "ernie",
            {"task_type_vocab_size": 4},
            "task_type_embeddings.weight is [3, 32], expected [4",
        ),
    ],
)
def test_a_configuration_that_does_not_fit(folder, fields, line):
    change(folder, **fields)
    with pytest.raises(ValueError, match=r"does not contain the BERT that config.json") as caught:
        load_checkpoint(folder)
    assert line in str(caught.value)
