"""Reads from a TF1 Hub module's graph what its variables do not tell, without running it."""

import pathlib
import re
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

# The operations in the feed-forward layer that tell one activation from another.
_ACTIVATIONS = {
    frozenset({"Tanh", "Pow"}): "gelu_tanh",
    frozenset({"Erf"}): "gelu_erf",
    frozenset({"Relu"}): "relu",
}


class Graph(NamedTuple):
    """What the graph tells of the encoder, by the names of BertConfig, and of the tokeniser."""

    hyperparameters: dict[str, Any]
    head_size: int
    lowercase: bool
    vocabulary_file: str


class _Nodes(NamedTuple):
    where: str
    by_name: dict[str, Any]


def read(path: pathlib.Path) -> Graph:
    """Reads a module's `saved_model.pb`.

    Raises:
        ValueError: if it is damaged or lacks something; the message says what, and where.
    """
    meta_graph, train_meta_graph = _meta_graphs(path)
    nodes = _nodes(f"{path}, untagged graph", meta_graph)
    train = _nodes(f'{path}, graph tagged "train"', train_meta_graph)

    blocks = _blocks(nodes)
    attention = [f"{block}/attention/self" for block in blocks]
    outputs = [f"{block}/{part}" for block in blocks for part in ("attention/output", "output")]
    outputs = ["bert/embeddings", *outputs]
    heads = [f"{scope}/{name}/shape" for scope in attention for name in ("Reshape", "Reshape_1")]
    hyperparameters = {
        "num_hidden_layers": len(blocks),
        "num_attention_heads": _agreed(
            nodes, "num_attention_heads", int, [f"{shape}/2" for shape in heads]
        ),
        "hidden_act": _activation(nodes, blocks),
        "hidden_dropout_prob": _dropout(train, "hidden_dropout_prob", outputs),
        "attention_probs_dropout_prob": _dropout(train, "attention_probs_dropout_prob", attention),
        "initializer_range": _agreed(
            nodes,
            "initializer_range",
            float,
            ["bert/embeddings/word_embeddings/Initializer/truncated_normal/stddev"],
        ),
        "layer_norm_eps": _agreed(
            nodes,
            "layer_norm_eps",
            float,
            [f"{scope}/LayerNorm/batchnorm/add/y" for scope in outputs],
        ),
    }
    head_size = _agreed(nodes, "the size of a head", int, [f"{shape}/3" for shape in heads])
    lowercase, vocabulary_file = _tokenization(nodes, meta_graph)
    return Graph(hyperparameters, head_size, lowercase, vocabulary_file)


def _meta_graphs(path: pathlib.Path) -> list[meta_graph_pb2.MetaGraphDef]:
    """Returns the graph for inference and the one for training."""
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ValueError(f"{path} is damaged, or no SavedModel: {error}.") from error
    tags = [list(meta_graph.meta_info_def.tags) for meta_graph in saved_model.meta_graphs]
    if [] not in tags or ["train"] not in tags:
        raise ValueError(
            f"{path} must hold an untagged graph, for inference, and one tagged "
            f'"train", which has the dropout rates; the tags of its graphs are {tags}.'
        )
    return [saved_model.meta_graphs[tags.index(wanted)] for wanted in ([], ["train"])]


def _nodes(where: str, meta_graph: meta_graph_pb2.MetaGraphDef) -> _Nodes:
    return _Nodes(where, {node.name: node for node in meta_graph.graph_def.node})


def _blocks(nodes: _Nodes) -> list[str]:
    pattern = re.compile(r"bert/encoder/layer_(\d+)/")
    blocks = {int(match[1]) for match in map(pattern.match, nodes.by_name) if match}
    if not blocks or blocks != set(range(len(blocks))):
        raise ValueError(
            f"{nodes.where}: num_hidden_layers can't be found; expected nodes under "
            f"bert/encoder/layer_0/, layer_1/ and so on, got those of {sorted(blocks)}."
        )
    return [f"bert/encoder/layer_{i}" for i in range(len(blocks))]


def _activation(nodes: _Nodes, blocks: list[str]) -> str:
    telling = frozenset().union(*_ACTIVATIONS)
    scopes = tuple(f"{block}/intermediate/dense/" for block in blocks)
    operations = {
        scope: {node.op for name, node in nodes.by_name.items() if name.startswith(scope)}
        for scope in scopes
    }
    found = {_ACTIVATIONS.get(telling & ops) for ops in operations.values()}
    if len(found) != 1 or None in found:
        raise ValueError(
            f"{nodes.where}: hidden_act can't be found; expected the operations "
            f"{' or '.join('+'.join(sorted(ops)) for ops in _ACTIVATIONS)} under each "
            f"bert/encoder/layer_*/intermediate/dense/, got "
            f"{ {scope: sorted(ops) for scope, ops in operations.items()} }."
        )
    return found.pop()


def _dropout(nodes: _Nodes, field: str, scopes: list[str]) -> float:
    if not any(name.startswith(f"{scope}/dropout/") for name in nodes.by_name for scope in scopes):
        return 0.0  # google-research/bert leaves the operation out when the rate is 0.
    # The names that TF 1.13 and later, TF 2 and TF up to 1.12 give to the constant.
    for name in ("rate", "GreaterEqual/y"):
        if f"{scopes[0]}/dropout/{name}" in nodes.by_name:
            return _agreed(nodes, field, float, [f"{scope}/dropout/{name}" for scope in scopes])
    kept = _agreed(nodes, field, float, [f"{scope}/dropout/keep_prob" for scope in scopes])
    return round(1.0 - kept, 7)


def _tokenization(nodes: _Nodes, meta_graph: meta_graph_pb2.MetaGraphDef) -> tuple[bool, str]:
    """Returns whether text is lowercased, and the name of the vocabulary file under assets/."""
    outputs = meta_graph.signature_def["tokenization_info"].outputs
    if not {"do_lower_case", "vocab_file"} <= set(outputs):
        raise ValueError(
            f"{nodes.where}: do_lower_case and the vocabulary can't be found; expected a signature "
            f"tokenization_info with outputs do_lower_case and vocab_file, got {sorted(outputs)}."
        )
    constant = outputs["do_lower_case"].name.partition(":")[0]
    lowercase = _agreed(nodes, "do_lower_case", bool, [constant])
    files = {
        asset.filename
        for asset in _assets(nodes, meta_graph)
        if asset.tensor_info.name == outputs["vocab_file"].name
    }
    # A longer path could lead out of the module.
    if len(files) != 1 or any(pathlib.PurePath(file).name != file for file in files):
        raise ValueError(
            f"{nodes.where}: the vocabulary can't be found; expected the name of one file for the "
            f"output vocab_file of the signature tokenization_info, got {sorted(files)}."
        )
    return lowercase, files.pop()


def _assets(
    nodes: _Nodes, meta_graph: meta_graph_pb2.MetaGraphDef
) -> list[meta_graph_pb2.AssetFileDef]:
    assets = list(meta_graph.asset_file_def)
    # tensorflow_hub packs them into a collection, as TensorFlow itself did once.
    for packed in meta_graph.collection_def["saved_model_assets"].any_list.value:
        assets.append(meta_graph_pb2.AssetFileDef())
        try:
            packed.Unpack(assets[-1])
        except DecodeError as error:
            raise ValueError(f"{nodes.where}: the list of assets is damaged: {error}.") from error
    return assets


def _agreed(nodes: _Nodes, what: str, kind: type, names: list[str]) -> Any:
    """Returns the one value that all of these scalar constants have."""
    values = {name: _scalar(nodes.by_name.get(name)) for name in names}
    odd = [name for name, value in values.items() if type(value) is not kind]
    if odd:
        raise ValueError(
            f"{nodes.where}: {what} can't be found; expected a constant {kind.__name__} scalar "
            f"in {', '.join(odd)}."
        )
    if len(set(values.values())) > 1:
        raise ValueError(f"{nodes.where}: {what} must be the same everywhere, got {values}.")
    return values[names[0]]


def _scalar(node: Any) -> bool | int | float | None:
    """Returns the value of a constant node, None where there is no such thing."""
    tensor = node.attr["value"].tensor if node is not None and node.op == "Const" else None
    if tensor is None or tensor.tensor_shape.dim:
        return None
    try:
        value = tf.make_ndarray(tensor)[()]
    except (TypeError, ValueError):
        return None
    # Through text, so that the float32 nearest to 0.1 is read as 0.1.
    return float(str(value)) if isinstance(value, np.floating) else value.item()
