"""What the models share that are exported with functions of their own."""

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
    """A model of texts whose SavedModel offers what the model does. To be named before others.

    Attributes:
        output_name: str, what a SavedModel calls the output where there is one.
    """

    output_name = "logits"

    def signature(self) -> Any:
        """Returns the `keras.InputSpec`s of what it is made for, with open batch size and length.

        That is single texts, a tuple of two for pairs, and without a preprocess the dict of ids.
        """
        raise NotImplementedError  # Each subclass has its own.

    def ids_signature(self) -> Any:
        """Returns the `keras.InputSpec`s of ids, which it takes too; `None` if it does not."""
        return {key: keras.InputSpec("int32", (None, None), name=key) for key in INPUT_KEYS}

    def of_ids(self, inputs: Any) -> Any:
        """Returns what the model, or the tower of it, makes of a dict of ids."""
        return self(inputs, training=False)

    def served(self, of_ids: Callable) -> Callable:
        """Returns what makes outputs of texts, from what makes them of ids."""
        raise NotImplementedError

    def named(self, outputs: Any) -> dict[str, Any]:
        """Returns outputs, the model's or an endpoint's, by the names that they have in a file."""
        return outputs if isinstance(outputs, dict) else {self.output_name: outputs}

    def endpoints(self, call: Callable) -> dict[str, Callable]:
        """Returns what a SavedModel of this offers beside its plain outputs, by name.

        Args:
            call: the model for its `signature()`, or the dict of ids.

        Returns:
            dict of functions of what `signature()` says, which return dicts of tensors.
        """
        return {}

    def export(
        self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **kwargs
    ):
        """Exports the model as `keras.Model.export` does, by default for its `signature()`.

        A SavedModel has more then, as `saved_model.write` says.
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
