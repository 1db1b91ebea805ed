"""AdamW with a learning rate for each layer."""

import re
from collections.abc import Mapping
from typing import Any

import keras

from keras_bert_zh.layers import kernels

_AdamW: Any
if kernels.ON_TENSORFLOW:
    from keras_bert_zh.training.fused_adamw import FusedAdamW as _AdamW
else:
    _AdamW = keras.optimizers.AdamW

# Keras searches this in `bias`, or under TensorFlow in `layer/bias:0`: anchored, since else a layer
# whose name holds one of these words would not decay there.
_NOT_DECAYED = r"(^|[/_])(bias|gamma|beta)(:\d+)?$"

_BLOCK = re.compile(r"(.*?)(?:^|/)block_(\d+)/")


@keras.saving.register_keras_serializable("keras_bert_zh")
class LayerwiseAdamW(_AdamW):
    """AdamW with a factor of the learning rate for each variable; see `adamw`.

    The factor also applies to weight decay, which AdamW multiplies by the learning rate. Biases
    and the scales and offsets of normalisation layers have no weight decay.

    Args:
        *args: arguments of `keras.optimizers.AdamW`.
        layer_decay: float, see `adamw`.
        rates: dict of str to float, see `adamw`.
        **kwargs: arguments of `keras.optimizers.AdamW`.
    """

    def __init__(
        self,
        *args: Any,
        layer_decay: float = 1.0,
        rates: Mapping[str, float] | None = None,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        self.layer_decay = layer_decay
        self.rates = dict(rates or {})
        self._factors: tuple[float, ...] = ()
        self.exclude_from_weight_decay(var_names=[_NOT_DECAYED])

    def build(self, var_list):
        if not self.built:
            # Before anything is made, since it may refuse.
            paths = [getattr(variable, "path", variable.name) for variable in var_list]
            self._factors = tuple(factors(paths, self.layer_decay, self.rates))
        super().build(var_list)

    def update_step(self, gradient, variable, learning_rate):
        factor = self._factor(variable)
        rate = learning_rate if factor == 1 else learning_rate * factor
        if self.weight_decay and self._use_weight_decay(variable):
            decay = keras.ops.cast(rate * self.weight_decay, variable.dtype)
            self.assign_sub(variable, variable * decay)
        super().update_step(gradient, variable, rate)

    def _apply_weight_decay(self, variables):
        """Does nothing: here each variable decays where it is updated, at its own rate."""

    def _factor(self, variable) -> float:
        return self._factors[self._get_variable_index(variable)]

    def get_config(self):
        return {**super().get_config(), "layer_decay": self.layer_decay, "rates": dict(self.rates)}


def factors(paths: list[str], layer_decay: float, rates: Mapping[str, float]) -> list[float]:
    """Returns the factor of the learning rate of each variable.

    Args:
        paths: the paths of the variables, such as `bert_encoder/block_0/attention/query/kernel`.
        layer_decay: float, see `adamw`.
        rates: dict of str to float, see `adamw`.

    Raises:
        ValueError: if no path has a block of an encoder and `layer_decay` is not 1, or none has a
            part that `rates` names.
    """
    # An encoder is told by what is before `block_` in a path.
    blocks: dict[str, int] = {}
    for match in filter(None, map(_BLOCK.match, paths)):
        encoder, index = match[1], int(match[2])
        blocks[encoder] = max(blocks.get(encoder, 0), index + 1)
    if layer_decay != 1 and not blocks:
        raise ValueError(
            f"layer_decay={layer_decay} needs the blocks of a BertEncoder, but none is trained. "
            f"Leave it out, or unfreeze the encoder; the trained layers are {_shown(paths)}."
        )
    for name in rates:
        if not any(_names(name, path) for path in paths):
            raise ValueError(
                f"rates names {name!r}, but no trained variable has that in its path. Use names "
                f"from the paths of layers; the trained layers are {_shown(paths)}."
            )
    found = []
    for path in paths:
        factor = layer_decay ** _steps_below_the_heads(path, blocks)
        for name, rate in rates.items():
            factor *= rate if _names(name, path) else 1
        found.append(factor)
    return found


def _steps_below_the_heads(path: str, blocks: Mapping[str, int]) -> int:
    match = _BLOCK.match(path)
    if match:
        return blocks[match[1]] - int(match[2])
    below, embeddings, _ = f"/{path}".partition("/embeddings/")
    encoder = below.removeprefix("/")
    return blocks[encoder] + 1 if embeddings and encoder in blocks else 0


def _names(name: str, path: str) -> bool:
    """Tells whether a path has these parts, each of them whole."""
    return f"/{name.strip('/')}/" in f"/{path}/"


def _shown(paths: list[str]) -> str:
    layers = list(dict.fromkeys(path.rpartition("/")[0] or path for path in paths))
    return ", ".join(layers[:3]) + (f" and {len(layers) - 3} more" if len(layers) > 3 else "")
