"""A model of texts as a SavedModel: what can be called there, by Python and by servers."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_bert_zh.arguments import check_path_to_write
from keras_bert_zh.files.new_folder import new_folder
from keras_bert_zh.files.replaceable import Replaceable, unknown_files
from keras_bert_zh.input_keys import INPUT_KEYS

_FILES = {
    "": ("saved_model.pb", "fingerprint.pb"),
    "variables": ("variables.index", "variables.data-?????-of-?????"),
    "assets": (),
}


def write(model: Any, folder: str | os.PathLike) -> list[str]:
    """Writes a SavedModel, which TensorFlow and tensorflow-text run without this package.

    What `tf.saved_model.load` returns has `serve(inputs)`, which is calling the model, for tensors
    in the structure of `model.signature()`; the endpoints of the model, such as `entities(texts)`;
    and `labels()`, if it has labels. Servers, which take neither ragged tensors nor structures,
    have signatures: `serving_default`, from texts to what the endpoint returns, or else `serve`;
    `tokens`, from ids to what `serve` returns; and `labels`. Ragged outputs are padded there, and
    `count <int32>[B]` says how many values of each row are none of padding.

    Args:
        model: model of texts, on the TensorFlow backend.
        folder: the path, or a URL that TensorFlow can write to. A SavedModel that is there is
            replaced. On this machine the folder appears whole or not at all.

    Returns:
        The names of the signatures.

    Raises:
        ValueError: if there is anything else in the folder.
        OSError: if it can't be written.
    """
    module, signatures = _module(model)

    def save(path):
        try:
            tf.saved_model.save(module, str(path), signatures=signatures)
        except tf.errors.OpError as error:
            raise OSError(f"{folder} can't be written: {error.message}") from error

    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", os.fspath(folder)):
        save(folder)
    else:
        place = check_path_to_write("folder", folder)
        with new_folder(place, replaces=_SAVED_MODEL, overwrite=True) as new:
            save(new)
    return list(signatures)


class _Module(tf.Module):
    """What is saved; all its attributes are set in `_module`."""

    # In place of tf.Module's properties, which a SavedModel does not keep.
    variables: Sequence[tf.Variable] = ()
    trainable_variables: Sequence[tf.Variable] = ()


def _module(model: Any) -> tuple[_Module, dict[str, Callable]]:
    takes = keras.tree.map_structure(_spec, model.signature())
    of_texts = all(spec.dtype == tf.string for spec in keras.tree.flatten(takes))
    ids = {key: tf.TensorSpec((None, None), tf.int32, name=key) for key in INPUT_KEYS}

    # Encoder and head are traced once, and called by all of the others.
    of_ids = _function(model.of_ids, ids if of_texts else takes)
    module = _Module()
    module.variables, module.trainable_variables = model.variables, model.trainable_variables
    module.serve = _function(model.served(of_ids), takes) if of_texts else of_ids

    def call(inputs):
        return (of_ids if isinstance(inputs, Mapping) else module.serve)(inputs)

    default = module.serve
    for name, function in model.endpoints(call).items():
        default = _function(function, takes)
        setattr(module, name, default)
    signatures = {"serving_default": _signature(model, default, takes)}
    if of_texts:
        signatures["tokens"] = _signature(model, of_ids, ids)
    labels = getattr(model, "labels", None)
    if labels is not None:
        module.labels = tf.function(lambda: tf.constant(labels), input_signature=[])
        signatures["labels"] = tf.function(lambda: {"labels": module.labels()}, input_signature=[])
    return module, signatures


def _function(function: Callable, takes: Any) -> Callable:
    return tf.function(function, input_signature=[takes], autograph=False)


def _signature(model: Any, function: Callable, takes: Any) -> Callable:
    """Returns the function with named inputs, and outputs that are named and dense."""

    def call(**named):
        inputs = keras.tree.map_structure(lambda spec: named[spec.name], takes)
        outputs = function(inputs)
        return _dense(outputs if isinstance(outputs, dict) else {model.output_name: outputs})

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
    """Raises ValueError if the folder holds more or other things than a SavedModel does."""
    strange = next(unknown_files(folder, _FILES), None)
    if strange or not (folder / "saved_model.pb").is_file():
        what = f"{strange} in it is no file of a SavedModel" if strange else "It is no SavedModel"
        raise ValueError(f"{what}.")


_SAVED_MODEL = Replaceable("SavedModel", _check)
