"""Models that can be trained on lists of texts."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from keras_bert_zh.heads.batches import are_texts, as_arrays, check_batch, has_strings
from keras_bert_zh.layers import kernels

if TYPE_CHECKING:
    from keras import Model as _Model
else:
    _Model = object


class TakesLists(_Model):
    """A model whose `fit`, `evaluate`, `predict` and so on take lists of texts and of labels.

    Keras does not accept lists of strings. On JAX, it rejects other lists only after it has taken
    the weights out of the model. List this class before `keras.Model`.
    """

    def check_strings(self) -> None:
        """Raises ValueError unless the model takes texts here."""
        raise NotImplementedError  # Each subclass says what to do instead.

    def watch(self) -> Callable[[Any], None] | None:
        """Returns a function without weights that warns if texts are cut, or `None`."""
        raise NotImplementedError

    def targets(self, y: Any) -> Any:
        """Returns the labels given to `fit` or `evaluate` in the form that the loss takes."""
        return y

    def fit(self, *args, **kwargs):
        return super().fit(**self._prepared(super().fit, args, kwargs))

    def evaluate(self, *args, **kwargs):
        return super().evaluate(**self._prepared(super().evaluate, args, kwargs))

    def predict(self, *args, **kwargs):
        return super().predict(**self._prepared(super().predict, args, kwargs))

    def train_on_batch(self, *args, **kwargs):
        return super().train_on_batch(**self._prepared(super().train_on_batch, args, kwargs))

    def test_on_batch(self, *args, **kwargs):
        return super().test_on_batch(**self._prepared(super().test_on_batch, args, kwargs))

    def predict_on_batch(self, *args, **kwargs):
        return super().predict_on_batch(**self._prepared(super().predict_on_batch, args, kwargs))

    def _prepared(self, method, args, kwargs):
        """Returns the arguments of a method of Keras by name, with arrays instead of lists."""
        arguments = inspect.signature(method).bind(*args, **kwargs).arguments
        arguments |= arguments.pop("kwargs", {})
        validation = arguments.get("validation_data")
        held_out = validation[:1] if isinstance(validation, (tuple, list)) else (validation,)
        for x in (arguments.get("x"), *held_out):
            check_batch(self, x)
            if not kernels.ON_TENSORFLOW and has_strings(x):
                self.check_strings()
        if isinstance(validation, (tuple, list)):
            x, *y = validation
            arguments["validation_data"] = (x, *map(self.targets, y[:1]), *y[1:])
        if "y" in arguments:
            arguments["y"] = self.targets(arguments["y"])
        names = ("x", "y", "sample_weight", "validation_data")
        arguments |= {name: as_arrays(arguments[name]) for name in names if name in arguments}
        held_out = arguments.get("validation_data")
        look = self.watch()
        for x in (arguments.get("x"), *(held_out[:1] if isinstance(held_out, tuple) else ())):
            if look is not None and are_texts(x):
                look(x)
        return arguments
