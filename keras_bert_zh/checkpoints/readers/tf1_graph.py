"""Reads the configuration from the graph of a TF1 Hub module, without running the graph."""

import pathlib
import re
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2

from keras_bert_zh.checkpoints.readers.graph_nodes import (
    DROPOUT_RATES,
    Nodes,
    activation,
    agreed,
    count_blocks,
    parse,
    the_file,
)

_BLOCK = re.compile(r"^bert/encoder/layer_(\d+)/")


class Graph(NamedTuple):
    """The settings of the encoder, by their names in BertConfig, and of the tokeniser."""

    hyperparameters: dict[str, Any]
    head_size: int
    lowercase: bool
    vocabulary_file: str


def read(path: pathlib.Path) -> Graph:
    """Reads a module's `saved_model.pb`.

    Raises:
        ValueError: if it is damaged or a value is missing; the message says which, and where.
    """
    meta_graph, train_meta_graph = _meta_graphs(path)
    nodes = _nodes(f"{path}, untagged graph", meta_graph)
    train = _nodes(f'{path}, graph tagged "train"', train_meta_graph)

    blocks = [
        f"bert/encoder/layer_{i}"
        for i in range(count_blocks(nodes, _BLOCK, "bert/encoder/layer_0/"))
    ]
    attention = [f"{block}/attention/self" for block in blocks]
    outputs = [f"{block}/{part}" for block in blocks for part in ("attention/output", "output")]
    outputs = ["bert/embeddings", *outputs]
    heads = [f"{scope}/{name}/shape" for scope in attention for name in ("Reshape", "Reshape_1")]
    hyperparameters = {
        "num_hidden_layers": len(blocks),
        "num_attention_heads": agreed(
            nodes, "num_attention_heads", int, [f"{shape}/2" for shape in heads]
        ),
        "hidden_act": _activation(nodes, blocks),
        "hidden_dropout_prob": _dropout(train, "hidden_dropout_prob", outputs),
        "attention_probs_dropout_prob": _dropout(train, "attention_probs_dropout_prob", attention),
        "initializer_range": agreed(
            nodes,
            "initializer_range",
            float,
            ["bert/embeddings/word_embeddings/Initializer/truncated_normal/stddev"],
        ),
        "layer_norm_eps": agreed(
            nodes,
            "layer_norm_eps",
            float,
            [f"{scope}/LayerNorm/batchnorm/add/y" for scope in outputs],
        ),
    }
    head_size = agreed(nodes, "the size of a head", int, [f"{shape}/3" for shape in heads])
    lowercase, vocabulary_file = _tokenization(nodes, meta_graph)
    return Graph(hyperparameters, head_size, lowercase, vocabulary_file)


def _meta_graphs(path: pathlib.Path) -> list[meta_graph_pb2.MetaGraphDef]:
    """Returns the graph for inference and the one for training."""
    saved_model = parse(path)
    tags = [list(meta_graph.meta_info_def.tags) for meta_graph in saved_model.meta_graphs]
    if [] not in tags or ["train"] not in tags:
        raise ValueError(
            f"{path} must contain an untagged graph, for inference, and one tagged "
            f'"train", which has the dropout rates; the tags of its graphs are {tags}.'
        )
    return [saved_model.meta_graphs[tags.index(wanted)] for wanted in ([], ["train"])]


def _nodes(where: str, meta_graph: meta_graph_pb2.MetaGraphDef) -> Nodes:
    return Nodes(where, {node.name: node for node in meta_graph.graph_def.node})


def _activation(nodes: Nodes, blocks: list[str]) -> str:
    scopes = [f"{block}/intermediate/dense/" for block in blocks]
    operations = {
        scope: {node.op for name, node in nodes.by_name.items() if name.startswith(scope)}
        for scope in scopes
    }
    return activation(nodes.where, operations)


def _dropout(nodes: Nodes, field: str, scopes: list[str]) -> float:
    if not any(name.startswith(f"{scope}/dropout/") for name in nodes.by_name for scope in scopes):
        return 0.0  # google-research/bert leaves the operation out when the rate is 0.
    for name in DROPOUT_RATES:
        if f"{scopes[0]}/dropout/{name}" in nodes.by_name:
            return agreed(nodes, field, float, [f"{scope}/dropout/{name}" for scope in scopes])
    # What TF up to 1.12 has instead.
    kept = agreed(nodes, field, float, [f"{scope}/dropout/keep_prob" for scope in scopes])
    return round(1.0 - kept, 7)


def _tokenization(nodes: Nodes, meta_graph: meta_graph_pb2.MetaGraphDef) -> tuple[bool, str]:
    """Returns whether text is lowercased, and the name of the vocabulary file under assets/."""
    outputs = meta_graph.signature_def["tokenization_info"].outputs
    if not {"do_lower_case", "vocab_file"} <= set(outputs):
        raise ValueError(
            f"{nodes.where}: do_lower_case and the vocabulary can't be found; expected a signature "
            f"tokenization_info with outputs do_lower_case and vocab_file, got {sorted(outputs)}."
        )
    constant = outputs["do_lower_case"].name.partition(":")[0]
    lowercase = agreed(nodes, "do_lower_case", bool, [constant])
    files = {
        asset.filename
        for asset in _assets(nodes, meta_graph)
        if asset.tensor_info.name == outputs["vocab_file"].name
    }
    owner = "the output vocab_file of the signature tokenization_info"
    return lowercase, the_file(nodes.where, owner, files)


def _assets(
    nodes: Nodes, meta_graph: meta_graph_pb2.MetaGraphDef
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
