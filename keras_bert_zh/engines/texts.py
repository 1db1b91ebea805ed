"""The texts that are passed to an exported model, and their ids."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_bert_zh.data.windows import join_mean
from keras_bert_zh.export.description import Description
from keras_bert_zh.preprocess import BertPreprocess
from keras_bert_zh.text.inputs import PAIR_KEYS, to_texts
from keras_bert_zh.text.prompt import with_prompt

_TAKES = {
    "texts": (
        "This model takes single texts, as a list or an array of str, but got pairs. To export a "
        "model for pairs, call the Sequential on a pair before; for a model such as "
        "TextClassifier, set takes_pairs = True before."
    ),
    "pairs": (
        "This model takes pairs of texts, as a tuple of two lists or arrays of str, or a dict of "
        "text_a and text_b, but got single texts."
    ),
}


class Texts:
    """Prepares texts for a model, and computes their ids.

    Args:
        preprocess: BertPreprocess.
        description: the description of the model.
    """

    def __init__(self, preprocess: BertPreprocess, description: Description):
        self._preprocess, self._description = preprocess, description
        stride = description.stride
        # In a graph, a few texts take a tenth of the time.
        self._ids = tf.function(
            preprocess if stride is None else lambda texts: preprocess.windows(texts, stride),
            autograph=False,
            reduce_retracing=True,
        )

    def without_names(self, inputs: Any) -> Any:
        """Takes texts out of a dict with the model's own names, as texts or as a pair."""
        names = self._description.text_names
        if names is None or not isinstance(inputs, Mapping) or inputs.keys() != set(names):
            return inputs
        texts = tuple(inputs[name] for name in names)
        return texts if len(texts) == 2 else texts[0]

    def rows(self, inputs: Any) -> dict[str, tf.Tensor | tf.RaggedTensor]:
        """Returns texts as `text`, or pairs as `text_a` and `text_b`, as the model takes them.

        Each is `<string>[B]` or ragged words. A warning says if texts are cut.

        Args:
            inputs: anything that `BertPreprocess` takes; a single text is a batch of one.

        Raises:
            TypeError, ValueError: as in BertPreprocess; and if pairs are passed to a model of
                single texts, or single texts to a model of pairs.
        """
        found = to_texts(inputs, split=self._preprocess.word_ids)
        first, second = found.first, found.second
        if (second is not None) != (self._description.takes == "pairs"):
            raise ValueError(_TAKES[self._description.takes])
        if self._description.stride is None:
            texts = self._prompted(first) if second is None else (first, second)
            self._preprocess.look_for_cuts(texts)
        parts = (first,) if second is None else (first, second)
        return dict(zip(("text",) if second is None else PAIR_KEYS, parts, strict=True))

    def _prompted(self, texts):
        prompt, lowercase = self._description.prompt, self._description.lower_first
        return with_prompt(texts, prompt, lowercase=lowercase) if prompt or lowercase else texts

    def ids(self, rows: dict[str, Any]) -> dict[str, np.ndarray]:
        """Returns the outputs of the preprocess for rows, or for their windows."""
        texts = tuple(rows.values())
        found = self._ids(texts if len(texts) == 2 else self._prompted(texts[0]))
        return {name: np.asarray(value) for name, value in found.items()}

    def count(self, texts: Any) -> np.ndarray:
        """Returns the number of tokens of each text before it is cut, `<int64>[B]`."""
        (single,) = self.rows(texts).values()
        return self._preprocess.tokenize(self._prompted(single)).row_lengths().numpy() + 2

    def joined(self, outputs: list[np.ndarray], ids: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Combines the outputs of windows into the outputs of their texts."""
        if self._description.stride is None:
            return outputs
        return [np.asarray(join_mean(values, ids)) for values in outputs]
