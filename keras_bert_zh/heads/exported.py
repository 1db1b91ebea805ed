"""Shared code of the models that are exported with their own functions."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from keras_bert_zh.input_keys import INPUT_KEYS
from keras_bert_zh.layers import kernels

if TYPE_CHECKING:
    from keras import Model as _Model
else:
    _Model = object


class Exported(_Model):
    """A model of texts whose SavedModel has the functions of the model. List it before other bases.

    Attributes:
        output_name: str, the name of the output in a SavedModel if there is only one.
    """

    output_name = "logits"

    def signature(self) -> Any:
        """Returns the `keras.InputSpec`s of the inputs, with any batch size and length.

        These are single texts, a tuple of two for pairs, or without a preprocess the dict of ids.
        """
        raise NotImplementedError  # Each subclass has its own.

    def ids_signature(self) -> Any:
        """Returns the `keras.InputSpec`s of ids if the model also takes these; else `None`."""
        return {key: keras.InputSpec("int32", (None, None), name=key) for key in INPUT_KEYS}

    def of_ids(self, inputs: Any) -> Any:
        """Returns the output of the model, or of its tower, for a dict of ids."""
        return self(inputs, training=False)

    def served(self, of_ids: Callable) -> Callable:
        """Returns a function from texts to outputs, given one from ids to outputs."""
        raise NotImplementedError

    def named(self, outputs: Any) -> dict[str, Any]:
        """Returns the outputs of the model or of an endpoint by their names in a file."""
        return outputs if isinstance(outputs, dict) else {self.output_name: outputs}

    def endpoints(self, call: Callable) -> dict[str, Callable]:
        """Returns the additional functions of a SavedModel of this model, by name.

        Args:
            call: the model, for inputs as in `signature()` or for the dict of ids.

        Returns:
            dict of functions that take inputs as in `signature()` and return dicts of tensors.
        """
        return {}

    def export(
        self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **kwargs
    ):
        """Exports the model as `keras.Model.export` does, by default for its `signature()`.

        A SavedModel then has additional functions: see `saved_model.write`.
        """
        by_default = input_signature is None and not kwargs
        if by_default and format == "tf_saved_model" and kernels.ON_TENSORFLOW:
            from keras_bert_zh.heads.saved_model import write  # It imports TensorFlow.

            names = write(self, filepath)
            if verbose or verbose is None:
                print(f"Saved a SavedModel in {filepath}, with the signatures {', '.join(names)}.")
            return
        if input_signature is None:
            input_signature = [self.signature()]
        super().export(filepath, format, verbose, input_signature, **kwargs)
