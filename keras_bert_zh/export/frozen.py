"""A model for prediction alone, with its weights inside the graph."""

import os
import pathlib
from typing import Any

import keras

from keras_bert_zh.arguments import check_flag, check_path_to_write
from keras_bert_zh.checkpoints.readers.formats import contents
from keras_bert_zh.checkpoints.readers.tensorflow_files import FROZEN, OBJECTS, open_tensors
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.export.frozen_inputs import (
    arrange,
    complete,
    first_layer,
    signature,
    takes_ids,
    watch,
    with_string_input,
)
from keras_bert_zh.files.freed_memory import give_back
from keras_bert_zh.files.new_folder import new_folder
from keras_bert_zh.files.replaceable import SAVED_MODEL_FILES, Replaceable, unknown_files
from keras_bert_zh.layers import kernels

# What `save` writes.
_PREFIX = "variables/variables"


class FrozenModel:
    """A model as one graph that holds its weights as constants, for a few texts at a time.

    On a CPU, TensorFlow lays weights out for its matrix products before each of them. Of constants
    it does so once, and with few tokens that is half of the time. With many it makes no difference.
    The price is memory, several times that of the weights, and seconds for making it and for its
    first call. The weights stay what they were when it was made. TensorFlow backend only.

    Args:
        model: BertEncoder, MaskedLM, a model of texts such as TextClassifier, functional
            `keras.Model`, or `keras.Sequential` that begins with one of these, BertPreprocess or
            `keras.Input`, in Sequentials of its own too. One that begins with BertPreprocess and
            was called on pairs of texts before takes pairs, and so does a model of texts whose
            `takes_pairs` is set, as it is in SpanReader; any other takes single texts.

    Call arguments:
        inputs: what the model takes: for BertPreprocess a list, tuple, array or tensor of single
            texts, `<string>[B]`, or a pair of these: a tuple, or a dict of `text_a` and `text_b`;
            for BertEncoder and MaskedLM the dict of its inputs, `<int32>[B, S]`; else tensors or
            arrays in the structure of the model's inputs, a tuple for a list, or a dict by their
            names. Where texts are taken, one `str` is a batch of one.

    Returns:
        What the model returns when `training` is False: tensors.

    Raises:
        TypeError: if `model` is something else, for inputs of another structure than the model's,
            or for anything but text where it takes texts; TensorFlow's own for another shape.
        ValueError: on another backend than TensorFlow, or for inputs that BertEncoder, MaskedLM
            or BertPreprocess do not take.

    Example:

    >>> import keras
    >>> from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess, FrozenModel
    >>> config = BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4)
    >>> encoder = BertEncoder(None, config=config)
    >>> model = keras.Sequential([BertPreprocess(None), encoder, keras.layers.Dense(2)])
    >>> frozen = FrozenModel(model)
    >>> frozen(["今天天气很好"]).shape
    TensorShape([1, 2])

    Reference:
        `convert_variables_to_constants_v2` in TensorFlow's
        `python/framework/convert_to_constants.py`.
    """

    def __init__(self, model: keras.Model | BertEncoder):
        kernels.require_tensorflow("FrozenModel")
        # Imported here: the package can be used without TensorFlow where no string is.
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        first = first_layer(model)
        self._completing = first if takes_ids(first) else None
        self._watch = watch(first)
        self._takes = signature(model)
        called = with_string_input(model, self._takes)
        traced = tf.function(
            lambda inputs: called(inputs, training=False),
            input_signature=[self._takes],
            autograph=False,
        ).get_concrete_function()
        constant = convert_variables_to_constants_v2(traced)

        def serve(inputs):
            outputs = constant(*tf.nest.flatten(inputs))
            return tf.nest.pack_sequence_as(traced.structured_outputs, tf.nest.flatten(outputs))

        self._serve = tf.function(serve, input_signature=[self._takes], autograph=False)
        self._serve.get_concrete_function()
        give_back()

    def __call__(self, inputs: Any) -> Any:
        if self._completing is not None:
            return self._serve(complete(self._completing, inputs))
        arranged = arrange(inputs, self._takes)
        if self._watch is not None:
            self._watch(arranged)
        return self._serve(arranged)

    def __reduce__(self):
        raise TypeError(
            "A FrozenModel can't be pickled or copied: its weights are inside a graph of "
            "TensorFlow. Write it with save(folder) and read it with "
            "tf.saved_model.load(folder).serve, or pickle the model that it was made of."
        )

    def save(self, folder: str | os.PathLike, *, overwrite: bool = False) -> pathlib.Path:
        """Writes a SavedModel, which runs without this package.

        `tf.saved_model.load(folder).serve(inputs)` is what calling this is, for tensors in the
        structure of the model's inputs, a tuple for pairs; models that take texts need
        `import tensorflow_text` before. The folder appears whole or not at all.

        Args:
            folder: the path to write to.
            overwrite: bool, whether to replace a folder that holds what this has written and
                nothing else. A mark in the SavedModel tells; one without it, which the first
                versions of this package wrote, or one that is damaged, is left alone.

        Returns:
            The folder.

        Raises:
            FileExistsError: if the folder is not empty and `overwrite` is not set.
            ValueError: if it holds anything but a frozen model, or is a URL.
            OSError: if it can't be written.
        """
        import tensorflow as tf

        folder = check_path_to_write("folder", folder)
        overwrite = check_flag("overwrite", overwrite)
        module = tf.Module()
        module.serve = self._serve
        setattr(module, FROZEN, tf.Module())
        # Nothing is trained there, and gradients would be looked for in vain.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        with new_folder(folder, replaces=_FROZEN, overwrite=overwrite) as new:
            tf.saved_model.save(module, str(new), options=options)
        return folder


def _check_frozen(folder: pathlib.Path) -> None:
    """Raises ValueError if the folder does not hold what `save` has written, or holds more."""
    strange = next(unknown_files(folder, SAVED_MODEL_FILES), None)
    if strange:
        raise ValueError(f"{strange} in it is no file of a frozen model.")
    whole = all((folder / name).is_file() for name in ("saved_model.pb", f"{_PREFIX}.index"))
    try:
        # Small, as the weights are in saved_model.pb.
        tensors = open_tensors(folder / _PREFIX) if whole else {}
        attributes = _attributes(tensors[OBJECTS].read()) if tensors.keys() == {OBJECTS} else []
    except ValueError as error:
        raise ValueError(f"It holds no frozen model, or a damaged one: {error}") from error
    if FROZEN not in attributes:
        raise ValueError(
            f"It holds {contents(folder)}, without the mark of what FrozenModel.save writes: "
            "another SavedModel, or a frozen model that an older version of this package wrote."
        )


def _attributes(graph: Any) -> list[str]:
    """Returns the names of the attributes of a SavedModel's object."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    try:
        nodes = TrackableObjectGraph.FromString(graph).nodes
    except (DecodeError, TypeError) as error:
        raise ValueError(f"its object graph can't be read: {error}") from error
    return [child.local_name for node in nodes[:1] for child in node.children]


_FROZEN = Replaceable("frozen model", _check_frozen)
