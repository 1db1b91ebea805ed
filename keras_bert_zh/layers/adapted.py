"""Saves and loads the LoRA weights of Keras layers without loss."""

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops


def to_float32(variable: object) -> np.ndarray:
    return ops.convert_to_numpy(variable).astype("float32", copy=False)


_NO_FLOAT8 = (
    "{} can't have both LoRA and float8, which Keras does not support, and was left unchanged. "
    "LoRA works with int8 and int4."
)


if TYPE_CHECKING:
    # It is named before one of Keras's layers, which has what is asked of `self` here.
    from keras.layers import Layer as _Layer
else:
    _Layer = object


class Adapted(_Layer):
    """A Keras layer with one weight that LoRA adapts, saved and loaded without loss.

    Keras merges LoRA into the weight when it saves, and sets both factors to zeros when it loads,
    from where they can't be trained. It also makes the adapted weight trainable when `trainable` is
    set. This class saves the weight and its factors, and the weight stays frozen. A layer without
    LoRA can load a file with LoRA: the factors are then merged. List it before Keras's class.

    Attributes:
        adapted: str, the name of the weight.

    Reference:
        Hu et al., LoRA, 2021 (https://arxiv.org/abs/2106.09685).
    """

    adapted: str
    lora_enabled: bool

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        keras.layers.Layer.trainable.fset(self, value)
        if self.lora_enabled:
            self._base().trainable = False

    def enable_lora(self, rank, lora_alpha=None, **initializers):
        if self.quantization_mode == "float8":
            raise ValueError(_NO_FLOAT8.format(self.path))
        # Keras forgets the one that the layer was made with.
        alpha = self.lora_alpha if lora_alpha is None else lora_alpha
        super().enable_lora(rank, alpha, **initializers)

    def quantize(self, mode=None, type_check=True, config=None):
        if mode in ("gptq", "awq"):
            raise ValueError(
                f"{mode} calibrates one block at a time, but a block of BERT needs the mask, which "
                "Keras does not pass to it. Quantise with int8, int4 or float8 instead."
            )
        if mode == "float8" and self.lora_enabled:
            # Of this kind, Keras makes a warning in `Model.quantize`, and goes on.
            raise NotImplementedError(_NO_FLOAT8.format(self.path))
        # Keras refuses subclasses, which might compute something else.
        super().quantize(mode, type_check=False, config=config)

    def save_own_variables(self, store: Any) -> None:
        enabled, self.lora_enabled = self.lora_enabled, False  # Or Keras would merge.
        try:
            super().save_own_variables(store)
        finally:
            self.lora_enabled = enabled
        if enabled:
            factors = self._factors()
            store["lora_a"], store["lora_b"] = map(ops.convert_to_numpy, factors)
            store["lora_scale"] = ops.convert_to_numpy(self._scale())

    def load_own_variables(self, store: Any) -> None:
        stored = {name: store[name] for name in store.keys()}  # noqa: SIM118 - no mapping
        lora = [stored.pop(name, None) for name in ("lora_a", "lora_b", "lora_scale")]
        if not self.lora_enabled:
            if lora[2] is not None:
                stored["0"] = self._merged(stored, *lora)
            super().load_own_variables(stored)
            return
        a, b = self._factors()
        if lora[2] is not None and lora[0].shape[1] != self.lora_rank:
            raise ValueError(
                f"{self.path} has LoRA of rank {self.lora_rank}, but the file has rank "
                f"{lora[0].shape[1]}. Call enable_lora({lora[0].shape[1]}) before you load it."
            )
        fresh = ops.convert_to_numpy(a)
        super().load_own_variables(stored)
        if lora[2] is None:
            a.assign(fresh)  # Keras has put zeros into both, and their gradients would be zero.
        else:
            a.assign(lora[0])
            b.assign(lora[1][()] * (lora[2][()] / self._scale()))

    def merged(self) -> np.ndarray:
        """Returns the weight plus the product of the LoRA factors, `<float32>`, unrounded."""
        weight = to_float32(self._base())
        if not self.lora_enabled:
            return weight
        a, b = map(to_float32, self._factors())
        return weight + np.float32(self._scale()) * (a @ b)

    def _base(self) -> keras.Variable:
        """Returns the weight without the product of the LoRA factors."""
        raise NotImplementedError  # The layers that have it say which it is.

    def _factors(self) -> list[keras.Variable]:
        """Returns LoRA's two factors."""
        raise NotImplementedError  # The layers that have it say which it is.

    def _scale(self) -> float:
        return self.lora_alpha / self.lora_rank

    def _merged(self, stored, a, b, scale):
        if self.quantization_mode is not None:
            raise ValueError(
                f"{self.path} is quantised, so the LoRA weights of the file can't be merged into "
                "it. Call enable_lora before you load the weights."
            )
        return stored["0"][()] + scale[()] * (a[()] @ b[()])
