"""The format "savedmodel", which TensorFlow and TensorFlow Serving run."""

import pathlib
from typing import Any

import keras
from keras import ops

from keras_bert_zh.export.formats import Written
from keras_bert_zh.export.of_ids import POSITIONS, OfIds, uncompiled
from keras_bert_zh.export.of_tensors import OfTensors
from keras_bert_zh.files.freed_memory import give_back
from keras_bert_zh.heads.constants import Constants
from keras_bert_zh.heads.on_text import texts_signature
from keras_bert_zh.heads.saved_model import save, saved_module
from keras_bert_zh.layers.encoder_inputs import complete


def write(source: OfIds | OfTensors, folder: pathlib.Path, dtype: str | None) -> Written:
    """Writes a SavedModel with the weights as constants; see `saved_module` for its content.

    On a CPU, TensorFlow reorders weights before each matrix product. For constants it does this
    only once, which halves the time for few tokens. For many tokens it makes no difference.
    """
    model: Any = source
    if isinstance(source, OfIds):
        is_alone = source.head is not None and len(source.layers) == 1
        model = source.head if is_alone else _Plain(source)
    constants = Constants(model.variables)
    with uncompiled(source):
        module, signatures = saved_module(model, constants)
    save(module, signatures, folder, constants)
    give_back()
    takes = model.ids_signature() or model.signature()
    names = takes if isinstance(takes, dict) else [x.name for x in keras.tree.flatten(takes)]
    return Written({name: name for name in names}, source.dtype)


class _Plain:
    """A model with the interface of `Exported`."""

    def __init__(self, source: OfIds):
        self._source = source
        self.layers = source.layers
        self.labels = source.labels
        self.variables = source.variables

    def signature(self) -> Any:
        source = self._source
        if source.preprocess is None:
            return self.ids_signature()
        return texts_signature("model", source.preprocess, takes_pairs=source.takes_pairs)

    def ids_signature(self):
        return {name: _ids(name, self._source.length) for name in self._source.takes}

    def of_ids(self, ids):
        return self._source(ids)

    def named(self, outputs):
        return self._source.named(outputs)

    def served(self, of_ids):
        source = self._source
        if source.head is None:
            return lambda texts: of_ids(self._completed(source.preprocess(texts)))
        return source.head.served(of_ids) if source.beyond_ids is None else source.of_texts

    def _completed(self, tokens):
        found = complete(tokens, self._source.encoder.config.input_sizes)
        if POSITIONS in self._source.takes:
            rows, length = ops.shape(tokens["input_ids"])
            found[POSITIONS] = ops.broadcast_to(ops.arange(length), (rows, length))
        return {name: found[name] for name in self._source.takes}

    def endpoints(self, call):
        return {}


def _ids(name: str, length: int | None) -> keras.InputSpec:
    shape = (None, None if name == POSITIONS else length)
    return keras.InputSpec("int32", shape, name=name)
