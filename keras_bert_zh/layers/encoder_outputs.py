"""Which outputs an encoder is asked for."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from keras_bert_zh.arguments import check_choice
from keras_bert_zh.messages import says_it_all

OUTPUT_KEYS = ("pooled_output", "sequence_output")


def check_key(output_key: str | None) -> None:
    """Raises ValueError unless this names an output, or is None for the dict of both."""
    if output_key is not None:
        check_choice("output_key", output_key, OUTPUT_KEYS)


class Asked(NamedTuple):
    """What a call asks an encoder for.

    Attributes:
        key: the key of the one output; `None` for the dict.
        all_layers: whether the dict has `encoder_outputs`.
        attention: whether the dict has `attention`.
    """

    key: str | None
    all_layers: bool
    attention: bool

    def of(self, outputs: dict[str, Any]) -> Any:
        """Returns the one output that is asked for, or the dict."""
        return outputs if self.key is None else outputs[self.key]


@says_it_all
def asked_for(
    own: str | None, as_dict: bool, all_layers: bool, output_key: str | None, attention: bool
) -> Asked:
    """Returns what a call asks for.

    Args:
        own: the `output_key` that the encoder was made with.
        as_dict, all_layers, output_key, attention: the arguments of the call.

    Raises:
        ValueError: if `output_key` is not known, or `all_layers` or `attention` is set for one
            output.
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


def of_tokens(outputs: dict[str, Any], function: Callable[[Any], Any]) -> dict[str, Any]:
    """Returns the dict of outputs with a function of each that has a row for each token."""
    names = {"sequence_output", "encoder_outputs"} & outputs.keys()
    changed = {name: outputs[name] for name in sorted(names)}
    return outputs | keras.tree.map_structure(function, changed)


def output_specs(asked: Asked, shape: tuple, dtype: str, num_blocks: int, num_heads: int) -> Any:
    """Returns the shapes of what a call returns.

    Args:
        asked: what `asked_for` returned.
        shape: `[B, S, D]`.
        dtype: str.
        num_blocks: int.
        num_heads: int, N.
    """
    batch, length, size = shape
    outputs: dict[str, Any] = {
        "pooled_output": keras.KerasTensor((batch, size), dtype),
        "sequence_output": keras.KerasTensor(shape, dtype),
    }
    more = {"encoder_outputs": shape} if asked.all_layers else {}
    if asked.attention:
        more["attention"] = (batch, num_heads, length, length)
    for name, each in more.items():
        outputs[name] = [keras.KerasTensor(each, dtype) for _ in range(num_blocks)]
    return asked.of(outputs)
