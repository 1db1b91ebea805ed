"""Shared code of the models that put heads on an encoder."""

import os
from typing import Any

import keras

from keras_bert_zh.checkpoints import Checkpoint, assign_parts, open_checkpoint
from keras_bert_zh.checkpoints.names import part_of
from keras_bert_zh.checkpoints.variables import named_variables
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.composite import Composite, with_frozen

# What the weights of a head depend on, beside the encoder that they were trained with.
_MUST_FIT = ("vocab_size", "hidden_size", "hidden_act")


class OnEncoder(Composite):
    """A model of an encoder and its heads, in the dtype policy of the encoder.

    List it before `keras.Model`. A subclass creates its heads in `__init__`, as attributes with
    their names from `checkpoints.names.PARTS`, and then calls `build_and_load`.

    Args:
        encoder: BertEncoder.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Raises:
        TypeError: if `encoder` is not a BertEncoder.
        ValueError: if `dtype` is passed.
    """

    def __init__(self, encoder: BertEncoder, **kwargs: Any):
        if not isinstance(encoder, BertEncoder):
            raise TypeError(f"encoder must be a BertEncoder, got {encoder!r}.")
        if "dtype" in kwargs:
            raise ValueError(
                f"{type(self).__name__} uses the dtype policy of its encoder: pass dtype="
                f"{kwargs['dtype']!r} to BertEncoder."
            )
        super().__init__(dtype=encoder.dtype_policy, **kwargs)
        self.encoder = encoder

    @property
    def compute_dtype(self) -> str:
        """The dtype of the logits, and of everything computed after encoder and heads."""
        return keras.backend.result_type(self.dtype_policy.compute_dtype, "float32")

    def make_train_function(self, force: bool = False) -> Any:
        """Creates the function that trains on a batch, as in `keras.Model`. Keras calls it.

        Raises:
            ValueError: with a LossScaleOptimizer under `tf.distribute`, which may give NaN.
        """
        kernels.refuse_loss_scaling(self)
        return super().make_train_function(force)

    def heads(self) -> dict[str, keras.layers.Layer]:
        """Returns the heads by name, in forward order."""
        raise NotImplementedError  # Each subclass has its own.

    def build_and_load(self, checkpoint: str | os.PathLike | Checkpoint | None) -> None:
        """Builds the heads and loads their weights from a checkpoint that has them.

        Args:
            checkpoint: anything that `open_checkpoint` takes; `None` leaves the heads fresh.

        Raises:
            ValueError: if encoder and checkpoint do not match.
        """
        loaded = None if checkpoint is None else self._open(checkpoint)
        self.build()
        if not self.trainable:
            self.encoder.trainable = False  # Keras set the flag before it was there.
        if loaded is not None:
            heads = self.heads()
            variables = {n: v for n, v in self.named_variables().items() if part_of(n) in heads}
            assign_parts(loaded, variables, stacklevel=4)

    def _open(self, checkpoint: str | os.PathLike | Checkpoint) -> Checkpoint:
        loaded, config = open_checkpoint(checkpoint), self.encoder.config
        differing = [
            f"{name} is {theirs!r} in the checkpoint and {ours!r} in the encoder"
            for name in _MUST_FIT
            if (theirs := getattr(loaded.config, name)) != (ours := getattr(config, name))
        ]
        if differing:
            raise ValueError(
                f"The checkpoint's heads do not fit the encoder: {', '.join(differing)}. Make the "
                "encoder from the same checkpoint, or pass checkpoint=None for fresh heads."
            )
        return loaded

    def described(self):
        return self.heads().values()  # The encoder has a config of its own.

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns the weights of encoder and heads by their names in `Checkpoint.weights`."""
        return named_variables(self, self.encoder.config, ("pooler", *self.heads()))

    def checkpoint_fields(self) -> dict[str, Any]:
        """Returns the fields of a `Checkpoint` of this model, except configuration and weights."""
        return {}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["dtype"]
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**config, "encoder": encoder, "trains_pooler": not self.encoder.pooler.rests}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> "OnEncoder":
        config = with_frozen(config)
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"), custom_objects)
        trains_pooler = config.pop("trains_pooler", None)  # Older files do not say.
        model = cls(encoder, **config)
        if trains_pooler is not None:
            encoder.train_pooler(trains_pooler)
        return model
