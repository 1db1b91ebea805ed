"""The outputs that a call requests from an encoder."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_bert_zh.arguments import check_choice
from keras_bert_zh.input_keys import TEXT_STARTS
from keras_bert_zh.messages import says_it_all

OUTPUT_KEYS = ("pooled_output", "sequence_output")


def check_key(output_key: str | None) -> None:
    """Raises ValueError unless this is the name of an output, or `None` for the dict of both."""
    if output_key is not None:
        check_choice("output_key", output_key, OUTPUT_KEYS)


class Asked(NamedTuple):
    """The outputs that a call requests from an encoder.

    Attributes:
        key: the key of the single output; `None` for the dict.
        all_layers: whether the dict contains `encoder_outputs`.
        attention: whether the dict contains `attention`.
    """

    key: str | None
    all_layers: bool
    attention: bool

    def of(self, outputs: dict[str, Any]) -> Any:
        """Returns the single output that was requested, or the dict."""
        return outputs if self.key is None else outputs[self.key]


@says_it_all
def asked_for(
    own: str | None, as_dict: bool, all_layers: bool, output_key: str | None, attention: bool
) -> Asked:
    """Returns the outputs that a call requests.

    Args:
        own: the `output_key` of the encoder.
        as_dict, all_layers, output_key, attention: the arguments of the call.

    Raises:
        ValueError: if `output_key` is not known, or `all_layers` or `attention` is set for a
            single output.
    """
    check_key(output_key)
    key = None if as_dict else output_key or own
    more = {"all_layers": "encoder_outputs", "attention": "attention"}
    given = {"all_layers": all_layers, "attention": attention}
    for name, added in more.items():
        if given[name] and key is not None:
            raise ValueError(
                f"{name}=True adds {added} to the dict of outputs: pass as_dict=True too, or build "
                f"the encoder with output_key=None, not {key!r}."
            )
    return Asked(key, bool(all_layers), bool(attention))


def with_masks(
    outputs: dict[str, Any], inputs: dict[str, Any], attach: Callable[[tuple[Any, Any]], Any]
) -> dict[str, Any]:
    """Returns the dict of outputs, with Keras masks on those that have one.

    Args:
        outputs: the outputs of the layers.
        inputs: all inputs of the encoder.
        attach: a function that adds a mask to an output.
    """
    names = {"sequence_output", "encoder_outputs"} & outputs.keys()
    masked = keras.tree.map_structure(
        lambda rows: attach((rows, inputs["input_mask"])),
        {name: outputs[name] for name in sorted(names)},
    )
    if TEXT_STARTS in inputs and "pooled_output" in outputs:
        starts, pooled = inputs[TEXT_STARTS], outputs["pooled_output"]
        real = (starts >= 0) & (starts < ops.shape(inputs["input_ids"])[1])
        pooled = ops.where(ops.expand_dims(real, -1), pooled, ops.zeros((), pooled.dtype))
        masked["pooled_output"] = attach((pooled, real))
    return outputs | masked


def output_specs(
    asked: Asked,
    inputs: Mapping[str, Any],
    size: int,
    num_heads: int,
    num_blocks: int,
    *,
    dtype: str,
) -> Any:
    """Returns the shapes of the outputs of a call.

    Args:
        asked: the value that `asked_for` returned.
        inputs: the inputs of the encoder.
        size: int, D.
        num_heads: int, N.
        num_blocks: int.
        dtype: str.
    """
    batch, length = inputs["input_ids"].shape
    shape = (batch, length, size)
    texts = inputs[TEXT_STARTS].shape if TEXT_STARTS in inputs else (batch,)
    outputs: dict[str, Any] = {
        "pooled_output": keras.KerasTensor((*texts, size), dtype),
        "sequence_output": keras.KerasTensor(shape, dtype),
    }
    more: dict[str, tuple] = {"encoder_outputs": shape} if asked.all_layers else {}
    if asked.attention:
        more["attention"] = (batch, num_heads, length, length)
    for name, each in more.items():
        outputs[name] = [keras.KerasTensor(each, dtype) for _ in range(num_blocks)]
    return asked.of(outputs)
