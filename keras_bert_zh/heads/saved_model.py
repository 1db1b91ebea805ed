"""A model of texts as a SavedModel, with functions for Python and for servers."""

import contextlib
import logging
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_bert_zh.arguments import check_path_to_write
from keras_bert_zh.files.new_folder import new_folder
from keras_bert_zh.files.replaceable import SAVED_MODEL_FILES, Replaceable, unknown_files
from keras_bert_zh.heads.constants import Constants


def write(model: Any, folder: str | os.PathLike) -> list[str]:
    """Writes a SavedModel, which TensorFlow and tensorflow-text run without this package.

    `saved_module` describes its contents.

    Args:
        model: model of texts, on the TensorFlow backend.
        folder: the path, or a URL that TensorFlow can write to. An existing SavedModel is
            replaced. On this machine, the folder is written completely or not at all.

    Returns:
        The names of the signatures.

    Raises:
        ValueError: if the folder contains other files.
        OSError: if it can't be written.
    """
    module, signatures = saved_module(model)
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", os.fspath(folder)):
        save(module, signatures, folder)
    else:
        place = check_path_to_write("folder", folder)
        with new_folder(place, replaces=_SAVED_MODEL, overwrite=True) as new:
            save(module, signatures, new)
    return list(signatures)


def save(
    module: tf.Module,
    signatures: dict[str, Any],
    folder: str | os.PathLike,
    constants: Constants | None = None,
) -> None:
    """Writes the values that `saved_module` returned, with the constants that it was given.

    Raises:
        OSError: if it can't be written.
    """
    # Of constants, there are no gradients.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=constants is None)
    try:
        tf.saved_model.save(module, os.fspath(folder), signatures=signatures, options=options)
    except tf.errors.OpError as error:
        raise OSError(f"{folder} can't be written: {error.message}") from error
    if constants is not None:
        constants.fill(pathlib.Path(folder))


@contextlib.contextmanager
def without_gradients() -> Iterator[None]:
    """Hides warnings about custom gradients, which a loaded model does not have."""

    def keeps(record: logging.LogRecord) -> bool:
        return "unsaved custom gradients" not in record.getMessage()

    logger = logging.getLogger("absl")
    logger.addFilter(keeps)
    try:
        yield
    finally:
        logger.removeFilter(keeps)


class _Module(tf.Module):
    """The object that is saved; all its attributes are set in `saved_module`."""

    # In place of tf.Module's properties, which a SavedModel does not keep.
    variables: Sequence[tf.Variable] = ()
    trainable_variables: Sequence[tf.Variable] = ()
    # Those that layers of Keras such as StringLookup look values up in.
    tables: Sequence[Any] = ()


def saved_module(model: Any, constants: Constants | None = None) -> tuple[_Module, dict[str, Any]]:
    """Returns the contents of a model's SavedModel, and its signatures.

    The object that `tf.saved_model.load` returns has `serve(inputs)`, which calls the model on
    tensors in the structure of `model.signature()`; the endpoints of the model, such as
    `entities(texts)`; and `labels()`, if it has labels. Servers support neither ragged tensors nor
    structures and use signatures: `serving_default`, from texts to the outputs of the endpoint, or
    else of `serve`; `tokens`, from ids to the outputs of `serve`; and `labels`. There, ragged
    outputs are padded, and `count <int32>[B]` is the number of values in each row without padding.

    Args:
        model: Exported, or an object with its methods and attributes.
        constants: replaces the weights, so that `save` can write them into the graphs; `None` for
            variables.
    """
    takes = keras.tree.map_structure(_spec, model.signature())
    ids = model.ids_signature()
    takes_ids = ids is not None
    ids = keras.tree.map_structure(_spec, ids) if takes_ids else takes

    def function(of: Callable, takes: Any) -> Callable:
        return _function(of if constants is None else constants.within(of), takes)

    # Encoder and head are traced once, and called by all of the others.
    of_ids = function(model.of_ids, ids)
    module = _Module()
    module.tables = _tables(model.layers)
    if constants is None:
        module.variables, module.trainable_variables = model.variables, model.trainable_variables
    module.serve = of_ids if ids == takes else function(model.served(of_ids), takes)

    def call(inputs):
        return (of_ids if isinstance(inputs, Mapping) else module.serve)(inputs)

    default = module.serve
    for name, endpoint in model.endpoints(call).items():
        default = function(endpoint, takes)
        setattr(module, name, default)
    signatures = {"serving_default": _signature(model, default, takes)}
    if takes_ids:
        signatures["tokens"] = _signature(model, of_ids, ids)
    labels = getattr(model, "labels", None)
    if labels is not None:
        module.labels = tf.function(lambda: tf.constant(labels), input_signature=[])
        signatures["labels"] = tf.function(lambda: {"labels": module.labels()}, input_signature=[])
    return module, signatures


def _tables(layers: Iterable[Any]) -> list[Any]:
    inside = (layer for outer in layers for layer in outer._flatten_layers())
    kind = tf.saved_model.experimental.TrackableResource
    return [part for layer in inside for part in vars(layer).values() if isinstance(part, kind)]


def _function(function: Callable, takes: Any) -> Callable:
    traced = tf.function(function, input_signature=[takes], autograph=False)
    traced = traced.get_concrete_function()

    # TensorFlow traces a function once more when it saves it: this one, and not what is in it.
    def call(inputs):
        return traced(inputs)

    return tf.function(call, input_signature=[takes], autograph=False)


def _signature(model: Any, function: Callable, takes: Any) -> Callable:
    """Returns the function with named inputs and with named, dense outputs."""

    def call(**named):
        inputs = keras.tree.map_structure(lambda spec: named[spec.name], takes)
        outputs = function(inputs)
        return _dense(model.named(outputs))

    specs = {spec.name: spec for spec in keras.tree.flatten(takes)}
    return tf.function(call, autograph=False).get_concrete_function(**specs)


def _dense(outputs: dict[str, Any]) -> dict[str, tf.Tensor]:
    ragged = [value for value in outputs.values() if isinstance(value, tf.RaggedTensor)]
    counts = {"count": tf.cast(ragged[0].row_lengths(), tf.int32)} if ragged else {}
    dense = {
        key: value.to_tensor() if isinstance(value, tf.RaggedTensor) else value
        for key, value in outputs.items()
    }
    return dense | counts


def _spec(spec: keras.InputSpec) -> tf.TensorSpec:
    return tf.TensorSpec(spec.shape, spec.dtype, name=spec.name)


def _check(folder: Any) -> None:
    """Raises ValueError if the folder contains anything other than a SavedModel."""
    strange = next(unknown_files(folder, SAVED_MODEL_FILES), None)
    if strange:
        raise ValueError(f"It contains {strange}, which is not part of a SavedModel.")
    if not (folder / "saved_model.pb").is_file():
        raise ValueError("It is not a SavedModel.")


_SAVED_MODEL = Replaceable("SavedModel", _check)
