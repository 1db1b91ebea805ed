"""Splits a model of texts into what comes before the ids, and what is called on them."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_bert_zh.heads.on_text import OnText
from keras_bert_zh.preprocess import BertPreprocess


class NotOfIdsError(TypeError):
    """A model that does not compute on ids, or not only on ids."""


def is_functional(model: Any) -> bool:
    """Tells whether it is a functional model, which knows its inputs."""
    return (
        isinstance(model, keras.Model)
        and not isinstance(model, keras.Sequential)
        and bool(getattr(model, "inputs", None))
    )


def inputs_of(model: keras.Model) -> dict[str, keras.KerasTensor]:
    """Returns the inputs of a functional model by their names."""
    given = model.input
    return given if isinstance(given, dict) else {x.name: x for x in keras.tree.flatten(given)}


def first_of(model: Any) -> Any:
    """Returns the layer that gets the inputs first, also inside nested Sequentials."""
    while isinstance(model, keras.Sequential) and model.layers:
        model = model.layers[0]
    return model


def takes_pairs(model: Any) -> bool:
    """Tells whether a model of texts takes pairs: a Sequential, as in its last call or build."""
    path = [model]
    while isinstance(path[-1], keras.Sequential) and path[-1].layers:
        path.append(path[-1].layers[0])
    if isinstance(path[-1], OnText):
        return path[-1].takes_pairs
    if is_functional(path[-1]):
        return len(path[-1].inputs) == 2
    built = [layer.get_build_config() for layer in path[:-1]]
    shapes = [config["input_shape"] for config in built if config and "input_shape" in config]
    if not shapes or isinstance(shapes[-1], Mapping):
        return bool(shapes) and len(shapes[-1]) == 2
    return len(shapes[-1]) == 2 and all(isinstance(part, (list, tuple)) for part in shapes[-1])


def split(model: Any) -> tuple[BertPreprocess | None, list[Any]]:
    """Returns the preprocess that gets the texts first, and the layers called on its ids."""
    if isinstance(model, BertPreprocess):
        return model, []
    if isinstance(model, keras.Sequential) and model.layers:
        first, *others = model.layers
        preprocess, layers = split(first)
        return preprocess, [*layers, *others]
    if is_functional(model) and any(x.dtype == "string" for x in model.inputs):
        first, behind = _cut(model)
        preprocess, layers = split(first)
        return preprocess, [*layers, *behind]
    return None, [model]


def _node_of_texts(model: keras.Model) -> Any:
    """Returns the layer call in a functional model that takes its texts."""
    # A layer may have been called elsewhere, too.
    texts = set(map(id, model.inputs))
    nodes = [node for layer in model.layers for node in layer._inbound_nodes]
    found = [node for node in nodes if {id(x) for x in node.input_tensors} == texts]
    if len(found) != 1:
        raise refusal(model)
    return found[0]


def text_names(model: Any) -> list[str] | None:
    """Returns the names of a functional model's texts, in the order of a pair, if it has any."""
    first = first_of(model)
    if not is_functional(first) or all(x.dtype != "string" for x in first.inputs):
        return None
    tensors = _node_of_texts(first).input_tensors
    if not isinstance(first.input, dict):
        return [x.name for x in tensors]
    return [next(key for key, x in first.input.items() if x is each) for each in tensors]


def _cut(model: keras.Model) -> tuple[Any, list[keras.Model]]:
    """Returns the layer of a functional model that gets its texts, and what comes after it."""
    node = _node_of_texts(model)
    first, outputs = node.operation, node.output_tensors
    names = [x.name for x in node.input_tensors]
    if not isinstance(model.input, dict) and names != [x.name for x in model.inputs]:
        raise ValueError(
            f"This model uses its texts in the order {', '.join(names)}, but its inputs are in "
            f"another order: create it with keras.Model([{', '.join(names)}], ...)."
        )
    if isinstance(first, BertPreprocess):
        behind = {x.name: x for x in outputs}
    elif len(outputs) == 1:
        behind = outputs[0]
    else:
        raise refusal(model)
    if model.output is behind:
        return first, []
    try:
        return first, [keras.Model(behind, model.output)]
    except ValueError as error:  # There is another way from the inputs to the outputs.
        raise refusal(model) from error


def refusal(model: Any) -> NotOfIdsError:
    first = first_of(model)
    given = type(first).__name__
    given = given if first is model else f"a Sequential that begins with {given}"
    return NotOfIdsError(
        "model must be a BertEncoder, a MaskedLM or a model of texts such as TextClassifier; a "
        "functional keras.Model of texts, or only of input_ids, input_mask and segment_ids, with a "
        "BertEncoder in it; or a keras.Sequential that begins with one of these or with "
        f"BertPreprocess; got {given}."
    )
