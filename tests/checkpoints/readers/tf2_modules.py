"""Copies of the tiny TF2 Hub SavedModel, to change, to damage and to make older ones of."""

import re

from tensorflow.core.protobuf import saved_model_pb2, trackable_object_graph_pb2

from tests.process import DATA
from tests.tensors import read_tensors, write_tensors

TINY = DATA / "tiny_tf2_hub"
OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"

# What exports of Model Garden in 2019 and up to release 2.2 have in place of newer names. These
# are the names and shapes in modules that its own exporters wrote under TensorFlow 2.1 and 2.2.
NAMES_OF_2020 = (("self_attention/attention_output/", "self_attention_output/"),)
NAMES_OF_2019 = (
    *NAMES_OF_2020,
    ("^word_embeddings/", "bert_model/word_embeddings/"),
    ("^type_embeddings/embeddings", "bert_model/embedding_postprocessor/type_embeddings"),
    ("^position_embedding/embeddings", "bert_model/embedding_postprocessor/position_embeddings"),
    ("^embeddings/layer_norm/", "bert_model/embedding_postprocessor/layer_norm/"),
    ("^transformer/", "bert_model/encoder/"),
    ("^pooler_transform/", "bert_model/pooler_transform/"),
)


def copy(folder):
    """Copies the module, writable even where the original is not."""
    for file in TINY.rglob("*"):
        if file.is_file():
            target = folder / file.relative_to(TINY)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return folder


def edit_graph(folder, change):
    """Applies a function to the MetaGraph."""
    path = folder / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    (meta_graph,) = saved_model.meta_graphs
    change(meta_graph)
    path.write_bytes(saved_model.SerializeToString())


def edit_tensors(folder, change):
    """Applies a function to the dict of tensors by key, and to the object graph."""
    prefix = folder / "variables" / "variables"
    tensors = read_tensors(prefix)
    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(tensors.pop(OBJECTS))
    change(tensors, graph)
    write_tensors(prefix, {**tensors, OBJECTS: graph.SerializeToString()})


def edit_variables(folder, changes):
    """Replaces values by full name; a value of None takes the variable away."""

    def change(tensors, graph):
        keys = {a.full_name: a.checkpoint_key for node in graph.nodes for a in node.attributes}
        for name, value in changes.items():
            if name not in keys:
                key = keys[name] = f"added/{name}"
                graph.nodes.add().attributes.add(
                    name="VARIABLE_VALUE", full_name=name, checkpoint_key=key
                )
            if value is None:
                del tensors[keys[name]]
                for node in graph.nodes:
                    if any(a.full_name == name for a in node.attributes):
                        node.ClearField("attributes")
            else:
                tensors[keys[name]] = value

    edit_tensors(folder, change)


def matching(meta_graph, pattern):
    """Returns pairs of a function and a node in it whose names, together, match; some must."""
    pairs = [
        (function, node)
        for function in meta_graph.graph_def.library.function
        for node in function.node_def
        if re.search(pattern, f"{function.signature.name}/{node.name}")
    ]
    assert pairs, pattern
    return pairs


def rename_variables(names):
    """Returns a change for `edit_tensors` that gives variables older names."""

    def change(tensors, graph):
        for node in graph.nodes:
            for attribute in node.attributes:
                for newer, older in names:
                    attribute.full_name = re.sub(newer, older, attribute.full_name)

    return change


def flatten_heads(tensors, graph):
    """A change for `edit_tensors`: the shapes of 2019, without axes for heads."""
    for node in graph.nodes:
        for attribute in node.attributes:
            name, tensor = attribute.full_name, tensors.get(attribute.checkpoint_key)
            if re.search(r"self_attention/(query|key|value)/kernel$", name):
                tensors[attribute.checkpoint_key] = tensor.reshape(32, 32)
            elif re.search(r"self_attention/(query|key|value)/bias$", name):
                tensors[attribute.checkpoint_key] = tensor.reshape(32)
            elif re.search(r"(self_attention_output|attention_output)/kernel$", name):
                tensors[attribute.checkpoint_key] = tensor.reshape(32, 32)


def graph_of_2019(meta_graph):
    """A change for `edit_graph`: the names of 2019, and the shapes that split heads."""
    for function in meta_graph.graph_def.library.function:
        name = function.signature.name
        function.signature.name = name.replace("transformer/layer_", "bert_model/encoder/layer_")
        for node in function.node_def:
            node.name = re.sub(r"\btransformer/layer_", "bert_model/encoder/layer_", node.name)
            node.name = node.name.replace("dropout/GreaterEqual/y", "dropout/rate")
            if re.search(r"self_attention/(query|key|value)/add$", node.name):
                shape = function.node_def.add(name=node.name.replace("add", "Reshape/shape"))
                shape.op = "Const"
                tensor = shape.attr["value"].tensor
                tensor.dtype = 3
                tensor.tensor_shape.dim.add(size=3)
                tensor.int_val[:] = [32, 4, 8]
