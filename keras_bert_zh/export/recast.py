"""Converts a model to another dtype."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras


def recast(model: Any, dtype: str) -> Any:
    """Returns a model with the same layers and weights that computes in another dtype.

    Layers whose dtype is not a float dtype, such as quantised layers, keep it. The loss and the
    optimizer are not copied.

    Args:
        model: a Keras layer or model.
        dtype: str, the name of a dtype policy.

    Raises:
        ValueError: if the model can't be rebuilt from its config, or has weights of its own.
    """
    try:
        config = keras.saving.serialize_keras_object(model)
        made = keras.saving.deserialize_keras_object(_recast(config, dtype))
        made.set_weights(model.get_weights())
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"This {type(model).__name__} can't be converted to {dtype}, because it can't be "
            f"rebuilt from its config: create it with dtype={dtype!r} yourself, and export "
            "that model."
        ) from error
    return made


def all_in(layers: Iterable[Any], dtype: str) -> bool:
    """Tells whether `recast` would change nothing in the layers and the layers inside them."""
    # A model's own policy says nothing of its layers.
    inside = [each for layer in layers for each in layer._flatten_layers()]
    names = {each.dtype_policy.name for each in inside if not isinstance(each, keras.Model)}
    return names.isdisjoint({*_FLOATS} - {dtype})


def _recast(config: Any, dtype: str) -> Any:
    if isinstance(config, list):
        return [_recast(part, dtype) for part in config]
    if not isinstance(config, Mapping):
        return config
    if config.get("class_name") == "DTypePolicy":
        known = config["config"]["name"] in _FLOATS
        return {**config, "config": {"name": dtype}} if known else config
    kept = config.keys() - {"compile_config"}
    return {key: _recast(value, dtype) for key, value in config.items() if key in kept}


_FLOATS = ("float32", "float64", "mixed_float16", "mixed_bfloat16", "bfloat16", "float16")
