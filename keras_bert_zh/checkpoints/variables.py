"""A model's layers and variables, by the names in `Checkpoint.weights`."""

from typing import Any

from keras_bert_zh.checkpoints.names import shapes
from keras_bert_zh.config import BertConfig


def layer_of(model: Any, name: str) -> tuple[Any, str]:
    """Returns the layer that has the weight of this name, and the weight's name in that layer.

    Args:
        model: the encoder, or a model that has it as `encoder`, next to its heads.
        name: str, a name as in `names.SHAPES`.
    """
    first, *path, kind = name.split(".")
    layer = getattr(model if hasattr(model, first) else model.encoder, first)
    for part in path:
        layer = layer[int(part)] if part.isdigit() else getattr(layer, part)
    return layer, kind


def named_variables(model: Any, config: BertConfig, parts: tuple[str, ...]) -> dict[str, Any]:
    """Returns the variables of an encoder and of some of `names.PARTS`, in forward order."""
    return {name: getattr(*layer_of(model, name)) for name in shapes(config, parts)}
