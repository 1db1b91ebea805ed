"""From texts to vectors: sorted by length, in batches with similar numbers of tokens."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from keras_bert_zh.engines.exported_model import ExportedModel
from keras_bert_zh.engines.load import process_threads
from keras_bert_zh.export.description import read_description

# The tokeniser is fastest on so many texts.
_TOKENIZED_AT_ONCE = 1024

# A batch has as many rows as there would be of so many tokens, if its rows are shorter.
_LEAST = 16


class Embedded(NamedTuple):
    """The vectors of texts.

    Attributes:
        vectors: `<float32>[N, D]`, in the order of the texts.
        lengths: `<int64>[N]`, the number of tokens of each text before it is cut, with `[CLS]`,
            `[SEP]` and its prompt.
        tokens: int, the number of tokens that were computed.
    """

    vectors: np.ndarray
    lengths: np.ndarray
    tokens: int


class Embedder:
    """Computes the vectors of many texts.

    Args:
        folder: an exported model that returns one vector for each text.
        engine: the engine that runs it.
        batch_tokens: int, the most tokens in a batch; a single text may have more.
        threads: int, the number of threads that compute; `None` for the engine's default. In
            TensorFlow, all models of the process share the threads, and their number must be set
            before the first computation.

    Attributes:
        size: int, D.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        engine: str | None,
        batch_tokens: int,
        threads: int | None = None,
    ):
        threads = process_threads(read_description(folder), threads)
        self._model = ExportedModel(folder, engine, threads=threads)
        self._batch_tokens = batch_tokens
        self._longest = longest_of(folder)
        found = self._model([""]) if self._model.preprocess is not None else None
        if not isinstance(found, np.ndarray) or found.ndim != 2:
            raise ValueError(
                f"{folder} does not contain a model that returns one vector for each text: export "
                "a SentenceEncoder."
            )
        self.size = found.shape[1]

    def __call__(self, texts: Sequence[str]) -> Embedded:
        starts = range(0, len(texts), _TOKENIZED_AT_ONCE)
        counts: list[np.ndarray] = [
            self._model.count_tokens(texts[i : i + _TOKENIZED_AT_ONCE]) for i in starts
        ]
        lengths = np.concatenate([np.zeros(0, np.int64), *counts])
        cut = lengths if self._longest is None else np.minimum(lengths, self._longest)
        vectors = np.empty((len(texts), self.size), np.float32)
        for places in batches_by_tokens(cut, self._batch_tokens):
            vectors[places] = self._model([texts[place] for place in places])
        return Embedded(vectors, lengths, int(cut.sum()))


def longest_of(folder: pathlib.Path) -> int | None:
    """Returns at how many tokens an exported model cuts texts; `None` for windows."""
    described = read_description(folder)
    if described.preprocess is None or described.stride is not None:
        return None
    return described.preprocess["max_length"]


def batches_by_tokens(lengths: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Yields the indices of the texts of each batch, with texts of similar length together.

    Args:
        lengths: `<int>[N]`, the number of tokens of each text.
        most: int, the most tokens in a batch, where each text counts as at least 16; a single text
            may have more.

    Example:

    >>> import numpy as np
    >>> from keras_bert_zh.corpus.embedder import batches_by_tokens
    >>> [places.tolist() for places in batches_by_tokens(np.array([19, 2, 40, 3]), 32)]
    [[1, 3], [0], [2]]
    """
    order = np.argsort(lengths, kind="stable")
    begin = total = 0
    for place, length in enumerate(lengths[order]):
        is_full = total + length > most or (place - begin) * _LEAST >= most
        if place > begin and is_full:
            yield order[begin:place]
            begin, total = place, 0
        total += length
    if len(order):
        yield order[begin:]
