"""The base class of models that train another model."""

import inspect
from collections.abc import Callable
from typing import Any

import keras

from keras_bert_zh.heads.takes_lists import TakesLists
from keras_bert_zh.layers import kernels

_OF_TRAINERS = ("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss")


class Wrapped(TakesLists):
    """A model that has the outputs of another model, and trains it in a special way.

    Compile and fit it instead of the other model. The loss is that of the other model, even if
    that model has its own loss. The other model is trained; use and save it alone. As a base
    class, name it before `keras.Model`.

    Args:
        model: keras.Model, which is trained.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Attributes:
        model: the model that is trained.

    Raises:
        TypeError: if `model` is not a keras.Model.
    """

    def __init__(self, model: keras.Model, **kwargs: Any):
        if not isinstance(model, keras.Model):
            raise TypeError(f"{type(self).__name__} takes a keras.Model, got {model!r}.")
        super().__init__(dtype=model.dtype_policy, **kwargs)
        # Strings are no arrays that Keras could convert.
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.model: Any = model
        if model.built:
            self.build()  # Or Keras would keep shapes of inputs, and export them as floats.

    @property
    def compute_dtype(self) -> str:
        return self.model.compute_dtype

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles the other model, and this one with its optimiser, loss and metrics."""
        self.model.compile(*args, **kwargs)
        given = inspect.signature(keras.Model.compile).bind(self, *args, **kwargs).arguments
        of_trainers = {name: given[name] for name in _OF_TRAINERS if name in given}
        super().compile(self.model.optimizer, **of_trainers)
        # Past Keras's tracking, which would list the metrics twice.
        for name in ("_compile_loss", "_compile_metrics"):
            object.__setattr__(self, name, getattr(self.model, name))

    def make_train_function(self, force: bool = False) -> Any:
        """Makes the function that trains on a batch, as in `keras.Model`. Keras calls it.

        Raises:
            ValueError: under `tf.distribute` with several devices.
        """
        kernels.refuse_several_devices(self)
        return super().make_train_function(force)

    def get_compile_config(self) -> dict[str, Any]:
        return self.model.get_compile_config()

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def build(self, input_shape=None):
        """Leaves it to the model, which knows what it is called with."""

    def call(self, inputs, training=None):
        return self.model(inputs, training=training)

    def compute_output_spec(self, inputs, training=None):
        return self.model(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.model.compute_loss(
            x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
        )

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.model.compute_metrics(x, y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _prepared(self, method, args, kwargs):
        whose = self.model if isinstance(self.model, TakesLists) else super()
        return whose._prepared(method, args, kwargs)

    def check_strings(self) -> None:
        """Raises ValueError unless the model takes texts here."""
        if isinstance(self.model, TakesLists):
            self.model.check_strings()

    def watch(self) -> Callable[[Any], None] | None:
        """Returns what warns of texts that are cut, if the model takes texts."""
        return self.model.watch() if isinstance(self.model, TakesLists) else None

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["dtype"]
        return {**config, "model": keras.saving.serialize_keras_object(self.model)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> "Wrapped":
        model = keras.saving.deserialize_keras_object(config["model"], custom_objects)
        return cls(**{**config, "model": model})
