"""Fixtures that several folders share."""

import dataclasses
import gc
import os
import pathlib
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# XLA compiles in a third of the time; `XLA_FLAGS= make test` runs what it makes of everything.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
)

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import load_checkpoint
from keras_bert_zh.__main__ import main
from keras_bert_zh.checkpoints.sources import default
from keras_bert_zh.export import hub_module
from tests.process import DATA

# One file for all that Transformers wrote of these weights.
VOCABULARY = DATA / "tiny_huggingface" / "vocab.txt"


@pytest.fixture(scope="module", autouse=True)
def few_objects():
    """Keras collects garbage whenever it quantises a layer: not in all that others left.

    Graphs with gradients of their own stay until the end, in TensorFlow's registry.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def data() -> pathlib.Path:
    """The folder of the tests' files: one set of random weights in every format."""
    return DATA


@pytest.fixture(scope="session")
def tiny_module() -> pathlib.Path:
    """The folder of a genuine TF1 Hub module: 2 layers, hidden size 32, random weights."""
    return DATA / "tiny_tf1_hub"


@pytest.fixture(scope="session")
def tiny(tiny_module):
    """That module, loaded."""
    return load_checkpoint(tiny_module)


@pytest.fixture(scope="session")
def tiny_block(tiny):
    """Its first block alone: what is traced of it is half as large."""
    kept = [name for name in tiny.weights if not name.startswith("blocks.1.")]
    config = dataclasses.replace(tiny.config, num_hidden_layers=1)
    return dataclasses.replace(tiny, config=config, weights=tiny.weights.only(kept))


@pytest.fixture(scope="session")
def written_module(tiny, tmp_path_factory):
    """The folder of that module as this package writes it."""
    folder = tmp_path_factory.mktemp("saved model 模型")
    hub_module.write(tiny, folder)
    return folder


@pytest.fixture(scope="session")
def golden() -> dict[str, np.ndarray]:
    """Inputs, and what the original TF1 graph of that module made of them."""
    with np.load(DATA / "tiny_golden.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def inputs(golden) -> dict[str, np.ndarray]:
    return {key: golden[key] for key in ("input_ids", "input_mask", "segment_ids")}


@pytest.fixture(scope="session")
def fine_tuned(tmp_path_factory) -> dict[str, pathlib.Path]:
    """Folders of models that Transformers wrote with a head, by their task."""
    place = tmp_path_factory.mktemp("fine tuned")
    folders = {}
    for source in sorted((DATA / "fine_tuned").iterdir()):
        folders[source.name] = place / source.name
        folders[source.name].mkdir()
        for file in (source / "config.json", source / "model.safetensors", VOCABULARY):
            shutil.copy(file, folders[source.name])
    return folders


@pytest.fixture(autouse=True)
def fresh_state():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
    default._taken.clear()


@pytest.fixture
def run(capsys):
    """A function that runs a command and returns its status, output and errors."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def eagerly():
    """Tracing takes longer than the few steps of a test that is not about graphs."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
