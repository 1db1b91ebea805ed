"""Reads the configuration from the graphs of a TF2 SavedModel, without running them."""

import pathlib
import re
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, trackable_object_graph_pb2

from keras_bert_zh.checkpoints.readers.graph_nodes import (
    DROPOUT_RATES,
    Nodes,
    activation,
    agreed,
    constant,
    count_blocks,
    parse,
    the_file,
)

# What Keras appends to a layer's name in the name of a function that computes the layer.
_CALL = r"(?:_layer_call_\w+)?"
_BLOCK = re.compile(rf"(?:transformer|encoder)/layer_(\d+){_CALL}/")
_FEED_FORWARD = re.compile(rf"{_BLOCK.pattern}(?:activation|intermediate)\w*/")
_ATTENTION = re.compile(rf"(?:/|__inference_)self_attention{_CALL}/")
_KERNEL_SHAPE = re.compile(rf"{_ATTENTION.pattern}(?:query|key|value)/Reshape/shape$")
_EPSILON = re.compile(r"/batchnorm/add/y$")
_RATE = re.compile(rf"/dropout/(?:{'|'.join(DROPOUT_RATES)})$")


class Graph(NamedTuple):
    """The settings of the encoder and of the tokeniser in the graphs.

    Attributes:
        hyperparameters: by the names of BertConfig. `initializer_range` is not in these files.
        num_attention_heads: int, `None` if only the shapes of the kernels show it.
        vocabulary_file: str, the name of the file under assets/; `None` if there is none.
    """

    hyperparameters: dict[str, Any]
    num_attention_heads: int | None
    vocabulary_file: str | None


class Objects(NamedTuple):
    """The information about tensors in the object graph of a checkpoint.

    Attributes:
        full_names: the names of the variables, by the names of their tensors in the file.
        lowercase: str, the name of the tensor for the root object's `do_lower_case`, or `None`.
    """

    full_names: dict[str, str]
    lowercase: str | None


def read(path: pathlib.Path) -> Graph:
    """Reads a `saved_model.pb`.

    Each of its functions computes a layer or the whole model; some are for training.

    Raises:
        ValueError: if it is damaged, a value is missing, or it is not an encoder.
    """
    meta_graph = _meta_graph(path)
    nodes = Nodes(
        f"{path}, library of functions",
        {
            f"{function.signature.name}/{node.name}": node
            for function in meta_graph.graph_def.library.function
            for node in function.node_def
        },
    )
    if not any(map(_BLOCK.search, nodes.by_name)):
        _refuse_other_models(path, meta_graph.object_graph_def.nodes)
    blocks = count_blocks(nodes, _BLOCK, "transformer/layer_0/")
    epsilons = [name for name in nodes.by_name if _EPSILON.search(name)]
    hyperparameters = {
        "num_hidden_layers": blocks,
        "hidden_act": _activation(nodes, blocks),
        **_dropouts(nodes, blocks),
        "layer_norm_eps": _in_each_block(nodes, "layer_norm_eps", epsilons, blocks),
    }
    return Graph(hyperparameters, _heads(nodes), _vocabulary_file(path, meta_graph))


def _refuse_other_models(path: pathlib.Path, objects: Sequence) -> None:
    """Raises ValueError if the objects of a SavedModel show that it is not a Google module."""
    children = {child.local_name for child in objects[0].children} if objects else set()
    if "tokenize" in children:
        raise ValueError(
            f"{path} contains a preprocessor, which turns text into ids, not an encoder. Use the "
            "encoder's module, with a name such as bert_zh_L-12_H-768_A-12/4; it also contains the "
            "vocabulary."
        )
    if "_misc_assets" in children:  # Of keras.export.ExportArchive.
        writer = "Keras's model.export"
    elif "serve" in children:
        writer = "export_model"
    else:
        return
    raise ValueError(
        f"{path.parent} is a SavedModel from {writer}. TensorFlow can run it, but it does not "
        "contain a checkpoint. To write one, call save_checkpoint(encoder, folder) with the "
        "BertEncoder of the original model, or of its .keras file after keras.saving.load_model."
    )


def read_objects(where: str, content: bytes) -> Objects:
    """Reads the object graph of a checkpoint.

    Raises:
        ValueError: if it is damaged.
    """
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    try:
        graph.ParseFromString(content)
    except DecodeError as error:
        raise ValueError(f"{where} is damaged or is not an object graph: {error}.") from error
    full_names = {
        attribute.checkpoint_key: attribute.full_name
        for node in graph.nodes
        for attribute in node.attributes
    }
    lowercase = _child(where, graph.nodes, "do_lower_case")
    if lowercase is None:
        return Objects(full_names, None)
    keys = [attribute.checkpoint_key for attribute in lowercase.attributes]
    if len(keys) != 1:
        raise ValueError(f"{where}: do_lower_case must be one variable, got {keys}.")
    return Objects(full_names, keys[0])


def _meta_graph(path: pathlib.Path) -> meta_graph_pb2.MetaGraphDef:
    graphs = [graph for graph in parse(path).meta_graphs if graph.object_graph_def.nodes]
    if len(graphs) != 1:
        raise ValueError(
            f"{path} must contain one graph with objects, as TensorFlow 2 writes it, got "
            f"{len(graphs)}. A TF1 Hub module also needs the file tfhub_module.pb in this folder."
        )
    return graphs[0]


def _child(where: object, objects: Sequence[Any], name: str) -> Any | None:
    """Returns the child of the root object that has this name."""
    for child in objects[0].children if objects else ():
        if child.local_name == name:
            if child.node_id not in range(len(objects)):
                raise ValueError(
                    f"{where} is damaged: {name} refers to object {child.node_id} of "
                    f"{len(objects)}."
                )
            return objects[child.node_id]
    return None


def _activation(nodes: Nodes, blocks: int) -> str:
    operations: dict[str, set[str]] = {f"layer_{i}": set() for i in range(blocks)}
    for name, node in nodes.by_name.items():
        match = _FEED_FORWARD.search(name)
        if match:
            operations[f"layer_{int(match[1])}"].add(node.op)
    return activation(nodes.where, operations)


def _dropouts(nodes: Nodes, blocks: int) -> dict[str, float]:
    rates: dict[str, list[str]] = {"hidden_dropout_prob": [], "attention_probs_dropout_prob": []}
    for name, node in nodes.by_name.items():
        # Where the rate is 0, as inside of the feed-forward layers, some versions of Keras leave
        # the operation out and others do not.
        if _RATE.search(name) and not _is_zero(node):
            inside = _ATTENTION.search(name)
            rates["attention_probs_dropout_prob" if inside else "hidden_dropout_prob"].append(name)
    return {
        field: _in_each_block(nodes, field, names, blocks) if names else 0.0
        for field, names in rates.items()
    }


def _is_zero(node: Any) -> bool:
    value = constant(node)
    return value is not None and not value.any()


def _in_each_block(nodes: Nodes, field: str, names: Collection[str], blocks: int) -> float:
    """Returns the value that these constants share; each block must have at least one."""
    there = {int(match[1]) for match in map(_BLOCK.search, names) if match}
    missing = [f"layer_{i}" for i in range(blocks) if i not in there]
    if missing:
        raise ValueError(
            f"{nodes.where}: {field} can't be found in {', '.join(missing)}; expected constants "
            f"there, got {sorted(names)}."
        )
    return agreed(nodes, field, float, names)


def _heads(nodes: Nodes) -> int | None:
    """Returns the number of heads in exports of 2019, which split flat kernels into heads."""
    shapes = {
        name: constant(node) for name, node in nodes.by_name.items() if _KERNEL_SHAPE.search(name)
    }
    if not shapes:
        return None
    found = {
        tuple(shape.ravel().tolist()) if shape is not None and shape.dtype == "int32" else ()
        for shape in shapes.values()
    }
    if len(found) != 1 or len(*found) != 3:
        raise ValueError(
            f"{nodes.where}: num_attention_heads can't be found; expected the same shape, with "
            f"three axes and the heads as the second axis, in each of {', '.join(shapes)}."
        )
    return found.pop()[1]


def _vocabulary_file(path: pathlib.Path, meta_graph: meta_graph_pb2.MetaGraphDef) -> str | None:
    asset = _child(path, meta_graph.object_graph_def.nodes, "vocab_file")
    if asset is None:
        return None
    files = meta_graph.asset_file_def
    index = asset.asset.asset_file_def_index if asset.HasField("asset") else -1
    named = [files[index].filename] if index in range(len(files)) else []
    return the_file(str(path), "the root object's vocab_file", named)
