"""The graph of a model, with its encoders inserted."""

from collections.abc import Callable, Iterable, Mapping, MutableSequence, Sequence

import onnx_ir as ir
import onnxscript
import tensorflow as tf
from onnx_ir.passes import common

from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.export.onnx.around import Call, around_encoders
from keras_bert_zh.export.onnx.encoder_graph import EncoderGraph
from keras_bert_zh.export.onnx.integers import keep_integers
from keras_bert_zh.export.onnx.quantize import Products
from keras_bert_zh.input_keys import INPUT_KEYS, TASK_KEY

# The first with Gelu; ONNX Runtime 1.17 and OpenVINO 2024.0 read it.
OPSET = 20
_IR_VERSION = 9

# What other servers call the inputs, all of them int64.
HUGGINGFACE_NAMES = {"input_mask": "attention_mask", "segment_ids": "token_type_ids"}


def model_graph(
    model: Callable,
    encoders: Sequence[BertEncoder],
    takes: Mapping[str, tf.TensorSpec],
    names: Sequence[str],
    *,
    huggingface_names: bool = False,
    products: Products = Products.FLOAT,
) -> ir.Model:
    """Returns a model that computes in float32, with open batch size and length.

    Args:
        model: function of a dict of tensors.
        encoders: the encoders inside the model.
        takes: the model's inputs.
        names: the names of its outputs, in the order of `keras.tree.flatten`.
        huggingface_names: bool, whether inputs are int64 and have the names of Hugging Face.
        products: the dtype of the products with weights.
    """
    graph, calls = around_encoders(model, encoders, takes, names)
    graph.name = "bert"
    graph.opset_imports[""] = OPSET
    keep_integers(graph)
    builder = onnxscript.GraphBuilder(graph)
    written = {}
    for number, encoder in enumerate(encoders):
        name = "encoder" if len(encoders) == 1 else f"encoder_{number}"
        written[id(encoder)] = EncoderGraph(encoder, builder, name, products)
    for call in calls:
        _put(written[id(call.encoder)], call, graph)
    graph.sort()
    _put_in_order(graph.inputs, takes)
    _put_in_order(graph.outputs, names)
    _name_sizes(graph)
    if huggingface_names:
        _rename_inputs(graph)
    graph_model = ir.Model(graph, ir_version=_IR_VERSION, producer_name="keras_bert_zh")
    for each in (common.IdentityEliminationPass(), common.RemoveUnusedNodesPass()):
        each(graph_model)
    return graph_model


def _put(encoder: EncoderGraph, call: Call, graph: ir.Graph) -> None:
    """Puts an encoder where a call of it stands in a graph."""
    inputs = {value.name: value for value in graph.inputs}
    outputs = {value.name: value for value in graph.outputs}
    keys = [key for key, name in call.outputs.items() if inputs[name].uses()]
    found = encoder.outputs({key: outputs[name] for key, name in call.inputs.items()}, keys)
    for key, value in found.items():
        ir.convenience.replace_all_uses_with(inputs[call.outputs[key]], value)
    for name in call.outputs.values():
        graph.inputs.remove(inputs[name])
    for name in call.inputs.values():
        graph.outputs.remove(outputs[name])


def _put_in_order(values: MutableSequence[ir.Value], names: Iterable[str]) -> None:
    """tf2onnx has them in the order of the alphabet."""
    by_name = {value.name: value for value in values}
    values[:] = [by_name[name] for name in names]


def _name_sizes(graph: ir.Graph) -> None:
    """Names the open axes of inputs and outputs, as engines show them."""
    for value in (*graph.inputs, *graph.outputs):
        second = "length" if value.name in (*INPUT_KEYS, TASK_KEY) else None
        names = ("batch", second, *(None for _ in value.shape or ()))
        value.shape = ir.Shape(
            axis if isinstance(axis, int) else name
            for axis, name in zip(value.shape or (), names, strict=False)
        )


def _rename_inputs(graph: ir.Graph) -> None:
    builder = onnxscript.GraphBuilder(graph)
    for index, value in enumerate(list(graph.inputs)):
        name = f"{value.name}"
        wide = ir.val(HUGGINGFACE_NAMES.get(name, name), dtype=ir.DataType.INT64, shape=value.shape)
        narrow = builder.op.Cast(wide, to=ir.DataType.INT32)
        ir.convenience.replace_all_uses_with(value, narrow)
        graph.inputs[index] = wide
    graph.sort()
