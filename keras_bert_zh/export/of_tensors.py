"""A model that takes tensors of its own, not only the ids of texts."""

import dataclasses
from typing import Any

import keras

from keras_bert_zh.export.cut import NotOfIdsError, first_of
from keras_bert_zh.export.of_ids import Named, OfIds, names_of, of_ids


@dataclasses.dataclass(frozen=True)
class OfTensors(Named):
    """A functional or Sequential model, with the interface of `Exported`.

    Attributes:
        layers: tuple with the model.
        takes: `keras.InputSpec`s in the structure of its inputs, with their names.
        outputs: the structure of its outputs, in which each output is its name.
    """

    layers: tuple[Any, ...]
    takes: Any
    outputs: Any
    labels = None
    beyond_ids = (
        "This model takes tensors other than the ids of texts: export it with format='savedmodel'."
    )

    @property
    def variables(self) -> list[Any]:
        return self.layers[0].variables

    @property
    def dtype(self) -> str:
        return self.layers[0].compute_dtype

    def signature(self) -> Any:
        return self.takes

    def ids_signature(self) -> None:
        return None

    def of_ids(self, inputs: Any) -> Any:
        return self.layers[0](inputs, training=False)

    def endpoints(self, call: Any) -> dict[str, Any]:
        return {}


def source_of(model: Any) -> OfIds | OfTensors:
    """Returns what a model computes on ids or, if it takes other inputs, on its own tensors.

    Raises:
        TypeError: if it is not a model whose inputs are known.
    """
    try:
        return of_ids(model)
    except NotOfIdsError:
        takes = _own_inputs(first_of(model)) or _own_inputs(model)
        if takes is None:
            raise
    symbolic = keras.tree.map_structure(
        lambda spec: keras.KerasTensor(spec.shape, spec.dtype, name=spec.name), takes
    )
    return OfTensors((model,), takes, names_of(model.compute_output_spec(symbolic), "outputs"))


def _own_inputs(model: Any) -> Any:
    """Returns the specs of the inputs of a functional model, or of a Sequential that is built."""
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        return None
    if not isinstance(model, keras.Sequential):
        return keras.tree.map_structure(
            lambda x: keras.InputSpec(x.dtype, tuple(x.shape), name=x.name), model.input
        )
    # Keras keeps the size of the batch that a Sequential was first called on.
    (x,) = model.inputs
    return keras.InputSpec(x.dtype, (None, *x.shape[1:]), name=x.name)
