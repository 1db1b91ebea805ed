"""What a FrozenModel takes, and how what it is called with becomes that."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.heads.masked_lm import MaskedLM
from keras_bert_zh.heads.on_encoder import OnEncoder
from keras_bert_zh.heads.on_text import OnText
from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.encoder_inputs import check_signature
from keras_bert_zh.preprocess import BertPreprocess


def first_layer(model: Any) -> Any:
    """Returns what the inputs reach first, inside of Sequentials in Sequentials."""
    return _path(model)[-1]


def signature(model: Any) -> Any:
    """Returns the TensorSpecs of what the model takes, with open batch size and length.

    Raises:
        TypeError: if the model does not tell.
    """
    import tensorflow as tf

    first = first_layer(model)
    if isinstance(first, OnText):
        return keras.tree.map_structure(
            lambda spec: tf.TensorSpec(spec.shape, spec.dtype, name=spec.name), first.signature()
        )
    if isinstance(first, BertPreprocess):
        if _takes_pairs(model):
            return tuple(tf.TensorSpec([None], tf.string, name=key) for key in ("text_a", "text_b"))
        return tf.TensorSpec([None], tf.string, name="text")
    if takes_ids(first):
        encoder = first.encoder if isinstance(first, MaskedLM) else first
        positions = ("mlm_positions",) if isinstance(first, MaskedLM) else ()
        names = (*encoder.config.input_sizes, *positions)
        return {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in names}
    found = _own_input(first)
    if found is None:
        found = _own_input(model)
    if found is None:
        raise TypeError(
            "FrozenModel takes a BertEncoder, a MaskedLM, a model of texts such as TextClassifier, "
            "a functional keras.Model, or a keras.Sequential that begins with one of these, with "
            f"BertPreprocess or with keras.Input; got {_describe(model)}."
        )
    if isinstance(model, keras.Sequential) and isinstance(found, list) and len(found) == 1:
        found = found[0]  # As a Sequential hands it on.
    return keras.tree.map_structure(
        lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name), found
    )


def takes_ids(first: Any) -> bool:
    """Tells whether it takes a dict of ids as an encoder does, in which some may be missing."""
    if isinstance(first, OnText):
        return first.preprocess is None
    return isinstance(first, (BertEncoder, MaskedLM))


def watch(first: Any) -> Callable[[Any], None] | None:
    """Returns what warns of texts that are cut, if this takes texts; it holds no weights."""
    if isinstance(first, BertPreprocess):
        return first.look_for_cuts
    return first.watch() if isinstance(first, OnText) else None


def with_string_input(model: Any, takes: Any) -> Any:
    """Returns a Sequential of the same layers that takes strings; all else as it is.

    A Sequential makes its Input of the compute dtype of its first layer, and a nested model says
    "float32" also where it takes strings. The given one may still be called on pairs.
    """
    if type(model) is not keras.Sequential or getattr(takes, "dtype", None) != "string":
        return model
    first, *others = model.layers
    inputs = keras.Input(batch_shape=tuple(takes.shape), dtype="string")
    return keras.Sequential([inputs, with_string_input(first, takes), *others], name=model.name)


def complete(first: BertEncoder | OnEncoder, inputs: Any) -> dict[str, Any]:
    """Returns all inputs of what takes ids, with what is missing, checked."""
    if isinstance(inputs, Mapping):
        inputs = {name: ops.convert_to_tensor(value) for name, value in inputs.items()}
    if not isinstance(first, MaskedLM):
        return _complete_tokens(first if isinstance(first, BertEncoder) else first.encoder, inputs)
    positions = inputs.pop("mlm_positions", None) if isinstance(inputs, dict) else None
    inputs = _complete_tokens(first.encoder, inputs)
    rows, length = ops.shape(inputs["input_ids"])
    if positions is None:
        positions = ops.broadcast_to(ops.arange(length), (rows, length))
    return {
        **inputs,
        "mlm_positions": ops.cast(kernels.assert_positions(positions, length), "int32"),
    }


def arrange(inputs: Any, takes: Any) -> Any:
    """Returns the inputs as tensors in the structure of the TensorSpecs, or of names for places.

    Raises:
        TypeError: if they have another structure, or are not text where text is taken.
        ValueError: if texts have another shape.
    """
    if isinstance(takes, Mapping):
        if not isinstance(inputs, Mapping) or set(inputs) != set(takes):
            raise TypeError(_mismatch(inputs, takes))
        return {name: arrange(inputs[name], part) for name, part in takes.items()}
    if not isinstance(takes, (list, tuple)):
        return _tensor(inputs, takes)
    if isinstance(inputs, Mapping):
        names = [getattr(part, "name", None) for part in takes]
        if not set(names) <= set(inputs):
            raise TypeError(_mismatch(inputs, takes))
        inputs = [inputs[name] for name in names]
    elif len(takes) == 1 and not _is_list_of_one(inputs):
        inputs = [inputs]
    # A list of str is single texts, here as in BertPreprocess.
    texts = isinstance(inputs, list) and len(takes) > 1 and all(map(_is_text, inputs))
    if not isinstance(inputs, (list, tuple)) or texts or len(inputs) != len(takes):
        raise TypeError(_mismatch(inputs, takes))
    return type(takes)(arrange(given, part) for given, part in zip(inputs, takes, strict=True))


def _path(model: Any) -> list[Any]:
    path = [model]
    while isinstance(path[-1], keras.Sequential) and path[-1].layers:
        path.append(path[-1].layers[0])
    return path


def _takes_pairs(model: Any) -> bool:
    """Returns whether the innermost Sequential that was called or built took pairs of texts."""
    built = [layer.get_build_config() for layer in _path(model)[:-1]]
    shapes = [config["input_shape"] for config in built if config and "input_shape" in config]
    if not shapes:
        return False
    if isinstance(shapes[-1], Mapping):
        return len(shapes[-1]) == 2
    return len(shapes[-1]) == 2 and all(isinstance(part, (list, tuple)) for part in shapes[-1])


def _own_input(model: Any) -> Any:
    """Returns the symbolic input of a functional model, or of a Sequential that has an Input."""
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        return None
    if not isinstance(model, keras.Sequential):
        return model.input
    # Keras keeps the size of the batch that a Sequential was first called on.
    return [keras.KerasTensor((None, *x.shape[1:]), x.dtype, name=x.name) for x in model.inputs]


def _describe(model: Any) -> str:
    first = type(first_layer(model)).__name__
    return first if first_layer(model) is model else f"a Sequential that begins with {first}"


def _complete_tokens(encoder: BertEncoder, inputs: Any) -> dict[str, Any]:
    check_signature(inputs, encoder.config.input_sizes, encoder.config.max_position_embeddings)
    return encoder.complete_inputs(inputs)


def _tensor(inputs: Any, takes: Any) -> Any:
    import tensorflow as tf

    if isinstance(inputs, Mapping):
        inputs = inputs.get(takes.name, inputs)
    if takes.dtype != "string":
        return ops.convert_to_tensor(inputs, dtype=takes.dtype.name)
    if takes.shape.rank == 2 and takes.shape[1] != 1:
        return tf.convert_to_tensor(inputs, tf.string)
    texts = _texts(inputs, takes)
    return texts[:, None] if takes.shape.rank == 2 else texts


def _texts(inputs: Any, takes: Any) -> Any:
    """Returns single texts as `<string>[B]`: a single one as a row, tuples as lists."""
    import tensorflow as tf

    from keras_bert_zh.text.inputs import to_texts

    if isinstance(inputs, (list, tuple)):
        if any(not _is_text(item) and np.ndim(item) for item in inputs):
            raise TypeError(_mismatch(inputs, takes))
        scalars = [tf.is_tensor(item) for item in inputs]
        inputs = tf.stack(inputs) if inputs and all(scalars) else list(inputs)
    texts = to_texts(inputs)
    if texts.second is not None or isinstance(texts.first, tf.RaggedTensor):
        raise TypeError(_mismatch(inputs, takes))
    return texts.first


def _is_text(value: Any) -> bool:
    return isinstance(value, (str, bytes))


def _is_list_of_one(inputs: Any) -> bool:
    return isinstance(inputs, (list, tuple)) and len(inputs) == 1 and not _is_text(inputs[0])


def _mismatch(inputs: Any, takes: Any) -> str:
    names = keras.tree.map_structure(lambda part: part.name, takes)
    given = type(inputs).__name__
    if isinstance(inputs, Mapping):
        given = f"a dict of {sorted(map(str, inputs))}"
    elif isinstance(inputs, (list, tuple)):
        kinds = sorted({type(item).__name__ for item in inputs})
        given = f"a {given} of {len(inputs)} ({', '.join(kinds)})"
    if not isinstance(takes, (list, tuple, Mapping)):
        return (
            f"This FrozenModel takes single texts: str, a list or an array of str; got {given}. "
            "For pairs of texts, call the Sequential on a pair before you freeze it; of a model "
            "such as TextClassifier, set takes_pairs = True before. Words that are split already "
            "are not taken."
        )
    texts = all(part.dtype == "string" for part in keras.tree.flatten(takes))
    advice = " Pass a pair as a tuple of two texts, or of two lists or arrays of str."
    return (
        f"This FrozenModel takes {names}, as the model that it was made of; got {given}."
        f"{advice if texts else ''}"
    )
