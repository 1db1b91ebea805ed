"""A classifier of texts in its first `fit`, as a newcomer writes it; in a process of its own."""

import sys
import time
import warnings
from typing import Any

from benchmarks.workloads import SIZES

LATER = 3  # Batches, after one that does not count.


class FirstStep:
    """A preprocess, an encoder and a dense layer in a Sequential, or a `TextClassifier`.

    Args:
        place: where the package is imported from; `None` for this checkout.
        size: a key of `SIZES`, or `"preset"` for the small checkpoint that comes with the package.
        dtype: dtype policy.
        kind: `"Sequential"` or `"TextClassifier"`.
        ours: whether the optimiser is `adamw`, and not Keras's AdamW.
    """

    def __init__(self, place: str | None, size: str, dtype: str, kind: str, ours: bool):
        if place is not None:
            _import_from(place)
        import keras

        from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess, TextClassifier, adamw

        warnings.simplefilter("ignore")  # Some texts are cut.
        source: Any = {"checkpoint": "small"}
        if size != "preset":
            source = {"checkpoint": None, "config": BertConfig(**SIZES[size])}
        encoder = BertEncoder(dtype=dtype, **source)
        preprocess = BertPreprocess(source["checkpoint"], max_length=128)
        optimizer = adamw(5e-5, 1000) if ours else keras.optimizers.AdamW(5e-5, clipnorm=1.0)
        if kind == "TextClassifier":
            self._model = TextClassifier(encoder, labels=["差评", "好评"], preprocess=preprocess)
            self._model.compile(optimizer)
        else:
            self._model = keras.Sequential([preprocess, encoder, keras.layers.Dense(2)])
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            self._model.compile(optimizer, loss, metrics=["accuracy"])

    def run(self, texts: list[str], labels: list[int]) -> dict[str, float]:
        """Returns what the first batch took, and one of those that come later.

        `first` are seconds of the first `fit`, `cpu` those of all cores, `tracing` those that
        Python spent on writing the graph, in `traces` times, with so many `operations` in it.
        `step` are seconds of a later step.
        """
        import numpy as np

        found = self._watch_tracing()
        x, y = np.array(texts, object), np.array(labels)
        start, cpu = time.perf_counter(), time.process_time()
        self._model.fit(x, y, batch_size=len(x), verbose=0)
        found["first"], found["cpu"] = time.perf_counter() - start, time.process_time() - cpu
        self._model.fit(x, y, batch_size=len(x), verbose=0)
        x, y = np.tile(x, LATER), np.tile(y, LATER)
        start = time.perf_counter()
        self._model.fit(x, y, batch_size=len(texts), verbose=0)
        return found | {"step": (time.perf_counter() - start) / LATER}

    def _watch_tracing(self) -> dict[str, float]:
        import tensorflow as tf

        found, train_step = {"tracing": 0.0, "traces": 0, "operations": 0}, self._model.train_step

        def watched(data):
            start = time.perf_counter()
            logs = train_step(data)
            found["tracing"] += time.perf_counter() - start
            found["traces"] += 1
            found["operations"] = len(tf.compat.v1.get_default_graph().get_operations())
            return logs

        self._model.train_step = watched
        return found


def _import_from(place: str) -> None:
    """Forgets the package, of which some is imported already, and finds it there from now on."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "keras_bert_zh":
            del sys.modules[name]
    sys.path.insert(0, place)
