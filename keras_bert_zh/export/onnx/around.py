"""A whole model as ONNX: the encoders are written directly, and tf2onnx converts the rest."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np
import onnx_ir as ir
import tensorflow as tf

from keras_bert_zh.encoder import BertEncoder

# The newest that tf2onnx writes.
_AROUND = 18


class Call(NamedTuple):
    """A call of an encoder inside a model.

    Args:
        encoder: BertEncoder.
        inputs: names of its inputs, by the encoder's own names.
        outputs: names of its outputs, by their keys.
    """

    encoder: BertEncoder
    inputs: dict[str, str]
    outputs: dict[str, str]


def around_encoders(
    model: Callable,
    encoders: Sequence[BertEncoder],
    takes: Mapping[str, tf.TensorSpec],
    names: Sequence[str],
) -> tuple[ir.Graph, list[Call]]:
    """Returns a model without its encoders, and the places of these encoders.

    The inputs of encoders become extra outputs of the graph, and their outputs extra inputs.

    Args:
        model: function of a dict of tensors.
        encoders: the encoders inside the model.
        takes: the model's inputs.
        names: of the model's outputs, in the order of `keras.tree.flatten`.

    Raises:
        ValueError: if a call asks for more than pooled and sequence output.
    """
    import tf2onnx

    calls: list[Call] = []
    given: dict[str, tf.TensorSpec] = {}

    def first_trace(inputs):
        def stand_in(encoder, tensors, asked):
            call = _call(len(calls), encoder, tensors, asked)
            calls.append(call)
            size = encoder.config.hidden_size
            shapes = {"pooled_output": (None, size), "sequence_output": (None, None, size)}
            given.update(
                {
                    name: tf.TensorSpec(shapes[key], tf.float32, name)
                    for key, name in call.outputs.items()
                }
            )
            batch, length = tf.unstack(tf.shape(tensors["input_ids"]))
            zeros = tf.zeros((batch, length, size))
            return {"pooled_output": zeros[:, 0], "sequence_output": zeros}

        with _standing_in(encoders, stand_in):
            return keras.tree.flatten(model(inputs))

    def second_trace(inputs):
        taken, remaining = {}, iter(calls)

        def stand_in(encoder, tensors, asked):
            call = next(remaining)
            taken.update({name: tensors[key] for key, name in call.inputs.items()})
            return {key: inputs[name] for key, name in call.outputs.items()}

        with _standing_in(encoders, stand_in):
            found = keras.tree.flatten(model({name: inputs[name] for name in takes}))
        return dict(zip(names, found, strict=True)) | taken

    def traced(function, specs):
        return tf.function(function, input_signature=[dict(specs)], autograph=False)

    traced(first_trace, takes).get_concrete_function()
    specs = {**takes, **given}
    converted, _ = tf2onnx.convert.from_function(
        traced(second_trace, specs),
        input_signature=[specs],
        opset=_AROUND,
        custom_op_handlers={"SelectV2": (_select, []), "Erfc": (_erfc, [])},
    )
    return ir.from_proto(converted).graph, calls


def _select(context, node, name, args):
    """Keeps what tf2onnx makes a sum of products of, which is NaN where one side is infinite."""
    node.type = "Where"
    return node


def _erfc(context, node, name, args):
    """Writes 1 - erf(x), for which tf2onnx has no operator: GELU, as TensorFlow computes it."""
    from tf2onnx import utils

    node.type, (output,) = "Erf", node.output
    kind = utils.map_onnx_to_numpy_type(context.get_dtype(output))
    one = context.make_const(utils.make_name("one"), np.ones((), kind))
    shape = context.get_shape(output)
    rest = context.make_node(
        "Sub", [one.output[0], output], shapes=[shape], dtypes=[context.get_dtype(output)]
    )
    context.insert_node_on_output(rest, output)
    return node


def _call(number, encoder, tensors, asked):
    if asked.all_layers or asked.attention:
        raise ValueError(
            "The outputs of all layers and of attention can't be exported: export a model that "
            "only uses pooled_output or sequence_output of its BertEncoder."
        )
    keys = ("pooled_output", "sequence_output") if asked.key is None else (asked.key,)
    return Call(
        encoder,
        {key: f"encoder_{number}_takes_{key}" for key in tensors},
        {key: f"encoder_{number}_gives_{key}" for key in keys},
    )


@contextlib.contextmanager
def _standing_in(encoders: Sequence[BertEncoder], function: Callable) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for encoder in encoders:

            def compute(tensors, asked, training, encoder=encoder):
                return function(encoder, tensors, asked)

            stack.enter_context(encoder.computed_by(compute))
        yield
