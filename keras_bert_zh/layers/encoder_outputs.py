"""Which outputs an encoder is asked for."""

import keras

from keras_bert_zh.arguments import check_choice
from keras_bert_zh.messages import says_it_all

OUTPUT_KEYS = ("pooled_output", "sequence_output")


def check_key(output_key: str | None) -> None:
    """Raises ValueError unless this names an output, or is None for the dict of both."""
    if output_key is not None:
        check_choice("output_key", output_key, OUTPUT_KEYS)


@says_it_all
def asked_for(own: str | None, as_dict: bool, all_layers: bool, output_key: str | None):
    """Returns the key of the one output that a call asks for, or None for the dict.

    Args:
        own: the `output_key` that the encoder was made with.
        as_dict, all_layers, output_key: the arguments of the call.

    Raises:
        ValueError: if `output_key` is not known, or `all_layers` is set for one output.
    """
    check_key(output_key)
    key = None if as_dict else output_key or own
    if all_layers and key is not None:
        raise ValueError(
            "all_layers=True adds encoder_outputs to the dict of outputs: pass as_dict=True too, "
            f"or build the encoder with output_key=None, not {key!r}."
        )
    return key


def output_specs(shape: tuple, dtype: str, num_blocks: int | None) -> dict[str, keras.KerasTensor]:
    """Returns what the dict of outputs will hold.

    Args:
        shape: `[B, S, D]`.
        dtype: str.
        num_blocks: int, how many `encoder_outputs` there are; `None` for no such entry.
    """
    batch, _, size = shape
    outputs = {
        "pooled_output": keras.KerasTensor((batch, size), dtype),
        "sequence_output": keras.KerasTensor(shape, dtype),
    }
    if num_blocks is not None:
        blocks = range(num_blocks)
        outputs["encoder_outputs"] = [keras.KerasTensor(shape, dtype) for _ in blocks]
    return outputs
