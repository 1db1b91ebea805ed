"""The part of a model that computes on ids, without everything that comes before them."""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
from keras import ops

from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.export.cut import (
    NotOfIdsError,
    first_of,
    inputs_of,
    is_functional,
    refusal,
    split,
    takes_pairs,
    text_names,
)
from keras_bert_zh.export.description import MASKED_LM, SENTENCE_EMBEDDING
from keras_bert_zh.heads.fine_tuned import FineTuned
from keras_bert_zh.heads.masked_lm import MaskedLM
from keras_bert_zh.heads.on_text import OnText
from keras_bert_zh.heads.sentence_encoder import SentenceEncoder
from keras_bert_zh.heads.two_towers import TwoTowers
from keras_bert_zh.preprocess import BertPreprocess

POSITIONS = "mlm_positions"


class Named:
    """An object with named outputs.

    Attributes:
        outputs: the structure of the outputs, in which each output is its name.
    """

    outputs: Any

    def named(self, outputs: Any) -> dict[str, Any]:
        """Returns the results of a call, by the names in `outputs` and in their order."""
        names, values = keras.tree.flatten(self.outputs), keras.tree.flatten(outputs)
        return dict(zip(names, values, strict=True))


@dataclasses.dataclass(frozen=True)
class OfIds(Named):
    """The part of a model that computes on the ids of texts; call it to get its outputs.

    Call it with a dict of `<int32>[B, S]` with all names in `takes`.

    Attributes:
        layers: the layers that are called one after the other, the first one with the ids:
            BertEncoder, MaskedLM, a model of texts such as TextClassifier, or a functional
            model; and everything that comes after it.
        encoder: the BertEncoder in them, whose `config` gives the possible values of ids.
        takes: the names of the ids, in the order of `BertConfig.input_sizes`; for a MaskedLM,
            followed by `mlm_positions`.
        length: int, S if it is fixed; `None` if it is open.
        preprocess: the BertPreprocess that came before, or `None`.
        takes_pairs: bool, whether its texts were pairs.
        text_names: list of str, the names of its texts, or `None`.
        outputs: the structure of the outputs, in which each output is its name: str, dict or
            list.
    """

    layers: tuple[Any, ...]
    encoder: BertEncoder
    takes: tuple[str, ...]
    length: int | None
    preprocess: BertPreprocess | None
    takes_pairs: bool
    text_names: list[str] | None = None
    outputs: Any = None

    def __call__(self, ids: Mapping[str, Any]) -> Any:
        first, ids = self.layers[0], {name: ids[name] for name in self.takes}
        if self.scaled_after:
            return self._behind(first.unscaled(ids))
        return self._behind(first(_arranged(first, ids), training=False))

    def specs(self) -> dict[str, Any]:
        """Returns the TensorSpecs of what it takes."""
        import tensorflow as tf

        return {
            name: tf.TensorSpec((None, None if name == POSITIONS else self.length), tf.int32, name)
            for name in self.takes
        }

    def of_texts(self, texts: Any) -> Any:
        """Returns the outputs for texts, if a model of texts gets them first."""
        return self._behind(self.layers[0](texts, training=False))

    def _behind(self, value):
        for layer in self.layers[1:]:
            value = layer(value, training=False)
        return value

    @property
    def variables(self) -> list[Any]:
        return [variable for layer in self.layers for variable in layer.variables]

    @property
    def dtype(self) -> str:
        """The dtype that the encoder computes in."""
        return self.encoder.compute_dtype

    @property
    def head(self) -> OnText | None:
        """The model of texts that gets the ids first, if there is one: its stride, its prompt."""
        return self.layers[0] if isinstance(self.layers[0], OnText) else None

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The names of the outputs of a model of texts with nothing after it."""
        return getattr(self.head, "labels", None) if len(self.layers) == 1 else None

    @property
    def task(self) -> str | None:
        """The meaning of the outputs for ids, as in `Description`."""
        first, *behind = self.layers
        if behind or self.beyond_ids is not None:
            return None
        if isinstance(first, MaskedLM):
            return None if first.next_sentence else MASKED_LM
        if isinstance(first, SentenceEncoder):
            return SENTENCE_EMBEDDING
        return first.head.task if isinstance(first, FineTuned) else None

    @property
    def scaled_after(self) -> bool:
        """Whether vectors are not scaled here, because the mean over windows must come first.

        This is so for a SentenceEncoder with a stride and nothing after it.
        """
        head = self.head
        if not isinstance(head, SentenceEncoder) or len(self.layers) > 1:
            return False
        return head.stride is not None and head.pooling.normalize

    @property
    def beyond_ids(self) -> str | None:
        """Why ids give other outputs than texts, as an error message; `None` if they do not."""
        head = self.head
        if head is not None and head.stride is not None and len(self.layers) > 1:
            return (
                f"This {type(head).__name__} combines the windows of long texts, and later layers "
                "use the result: export it without these layers, or with format='savedmodel'."
            )
        if isinstance(head, SentenceEncoder) and head.left_out:
            return (
                "This SentenceEncoder does not pool the tokens of its prompt, but ids do not show "
                'which tokens these are: create it with prompt="", or export it with '
                "format='savedmodel', which takes texts."
            )
        return None


def of_ids(model: Any) -> OfIds:
    """Returns the part of a model that computes on ids.

    Args:
        model: BertEncoder, MaskedLM, a model of texts such as TextClassifier, a functional
            `keras.Model` of texts or of ids, or a `keras.Sequential` that begins with one of these
            or with BertPreprocess; Sequentials may be nested.

    Raises:
        NotOfIdsError: if it is something else, or computes on more than ids.
    """
    if isinstance(first_of(model), TwoTowers):
        raise NotOfIdsError("TwoTowers only trains its encoder: export its sentence_encoder.")
    preprocess, layers = split(model)
    encoder = next(iter(encoders_in(layers)), None)
    if encoder is None:
        raise refusal(model)
    first, takes, length = layers[0], tuple(encoder.config.input_sizes), None
    if isinstance(first, MaskedLM):
        takes = (*takes, POSITIONS)
    elif is_functional(first):
        given = inputs_of(first)
        if not given.keys() <= set(takes):
            raise refusal(model)
        takes = tuple(name for name in takes if name in given)
        length = given[takes[0]].shape[1]
    if isinstance(first, OnText):
        preprocess = first.preprocess
    pairs = preprocess is not None and takes_pairs(model)
    names = text_names(model)
    found = OfIds(tuple(layers), encoder, takes, length, preprocess, pairs, names)
    rows = (1, length or (preprocess.max_length if preprocess else 2))
    example = {name: ops.zeros(rows, "int32") for name in takes}
    try:
        outputs = found(example | {"input_mask": ops.ones(rows, "int32")})
    except Exception as error:
        if isinstance(first, (BertEncoder, MaskedLM, OnText)) or is_functional(first):
            raise
        raise refusal(model) from error
    return dataclasses.replace(found, outputs=names_of(outputs, _own_name(found)))


@contextlib.contextmanager
def uncompiled(source: Any) -> Iterator[None]:
    """Turns off XLA for all encoders in its layers: the compiled functions contain variables."""
    compiled = [encoder for encoder in encoders_in(source.layers) if encoder.jit_compile]
    try:
        for encoder in compiled:
            encoder.jit_compile = False
        yield
    finally:
        for encoder in compiled:
            encoder.jit_compile = True


def encoders_in(layers: Iterable[Any]) -> list[BertEncoder]:
    """Returns the encoders among layers and inside them, each once."""
    keras_layers = (layer for layer in layers if isinstance(layer, keras.layers.Layer))
    inside = (inner for layer in keras_layers for inner in layer._flatten_layers())
    return list(dict.fromkeys(layer for layer in inside if isinstance(layer, BertEncoder)))


def _arranged(model: Any, ids: dict[str, Any]) -> Any:
    """Returns the ids in the structure of a functional model's inputs."""
    if not is_functional(model) or isinstance(model.input, dict):
        return ids
    return keras.tree.map_structure(lambda x: ids[x.name], model.input)


def _own_name(found: OfIds) -> str:
    """Returns the name of an output that has no name of its own."""
    last = found.layers[-1]
    if isinstance(last, BertEncoder):
        return last.output_key or ""
    if isinstance(last, MaskedLM):
        return "mlm_logits"
    return last.output_name if isinstance(last, OnText) else "outputs"


def names_of(outputs: Any, name: str) -> Any:
    """Returns the structure of outputs, in which each output is its name.

    The name is the innermost key; if two are the same, all keys on the path to it.
    """
    names = _names(outputs, (name,))
    if len(set(keras.tree.flatten(names))) == len(keras.tree.flatten(names)):
        return names
    return _names(outputs, () if isinstance(outputs, Mapping) else (name,), whole=True)


def _names(value: Any, path: tuple[str, ...], *, whole: bool = False) -> Any:
    if isinstance(value, Mapping):
        return {key: _names(part, (*path, key), whole=whole) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [(*path[:-1], f"{path[-1]}_{index}") for index in range(len(value))]
        return [_names(*each, whole=whole) for each in zip(value, parts, strict=True)]
    return "_".join(path) if whole else path[-1]
