"""Copies of the tiny TF1 Hub module, to change and to damage."""

import pytest
from tensorflow.core.protobuf import saved_model_pb2

from tests.checkpoints.loopback import serving
from tests.tensors import read_tensors, write_tensors


@pytest.fixture(autouse=True)
def hub_cache(tmp_path, monkeypatch):
    """The empty folder that tensorflow_hub downloads to."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub_cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "hub_cache"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """The folder that this package downloads and unpacks to."""
    monkeypatch.setenv("KERAS_BERT_ZH_CACHE", str(tmp_path / "own_cache"))
    return tmp_path / "own_cache"


@pytest.fixture
def server():
    """A server on this machine, without any routes yet."""
    with serving() as server:
        yield server


@pytest.fixture
def copy_to(tiny_module):
    """A function that copies the module to a folder, writable even where the original is not."""

    def copy(folder):
        for file in tiny_module.rglob("*"):
            if file.is_file():
                target = folder / file.relative_to(tiny_module)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
        return folder

    return copy


@pytest.fixture
def module(tmp_path, copy_to):
    """The folder of a copy of the module."""
    return copy_to(tmp_path / "module")


@pytest.fixture
def raw(tiny_module):
    """The tensors of the module, under the names in its file."""
    return read_tensors(tiny_module / "variables" / "variables")


@pytest.fixture
def save(module):
    """A function that replaces the tensors of the copy."""

    def save(tensors):
        write_tensors(module / "variables" / "variables", tensors)

    return save


@pytest.fixture
def edit_graph(module):
    """A function that applies a function to each MetaGraph of the copy, by default to both."""

    def edit(change, tags=((), ("train",))):
        path = module / "saved_model.pb"
        saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        for meta_graph in saved_model.meta_graphs:
            if tuple(meta_graph.meta_info_def.tags) in tags:
                change(meta_graph)
        path.write_bytes(saved_model.SerializeToString())

    return edit
