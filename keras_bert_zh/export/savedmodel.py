"""The format "savedmodel": what TensorFlow and TensorFlow Serving run."""

import pathlib
from typing import Any

import keras

from keras_bert_zh.export.formats import Written
from keras_bert_zh.export.of_ids import POSITIONS, OfIds
from keras_bert_zh.files.freed_memory import give_back
from keras_bert_zh.heads.saved_model import save, saved_module


def write(source: OfIds, folder: pathlib.Path, dtype: str | None) -> Written:
    """Writes a SavedModel with the weights as constants; `saved_module` says what is in it.

    On a CPU, TensorFlow lays weights out for its matrix products before each of them. Of constants
    it does so once, and with few tokens that is half of the time. With many it makes no difference.
    """
    head, is_alone = source.head, len(source.layers) == 1
    model = head if head is not None and is_alone else _Plain(source)
    module, signatures = saved_module(model, constant=True)
    save(module, signatures, folder)
    takes = signatures["tokens"].structured_input_signature[1]
    give_back()
    return Written({name: name for name in takes}, source.encoder.compute_dtype)


class _Plain:
    """What a model computes, in the way in which `Exported` offers it."""

    def __init__(self, source: OfIds):
        self._source = source
        self.labels = source.labels
        self.variables = [variable for layer in source.layers for variable in layer.variables]

    def signature(self) -> Any:
        source = self._source
        if source.preprocess is None:
            return {name: _ids(name, source.length) for name in source.takes}
        names = ("text_a", "text_b") if source.takes_pairs else ("text",)
        texts = tuple(keras.InputSpec("string", (None,), name=name) for name in names)
        return texts if source.takes_pairs else texts[0]

    def of_ids(self, ids):
        return self._source(ids)

    def named(self, outputs):
        return self._source.named(outputs)

    def served(self, of_ids):
        source = self._source
        if source.head is None:
            return lambda texts: of_ids(source.preprocess(texts))
        return source.head.served(of_ids) if source.beyond_ids is None else source.of_texts

    def endpoints(self, call):
        return {}


def _ids(name: str, length: int | None) -> keras.InputSpec:
    shape = (None, None if name == POSITIONS else length)
    return keras.InputSpec("int32", shape, name=name)
