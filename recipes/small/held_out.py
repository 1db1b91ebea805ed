"""Masked accuracy on held-out text, which is not used for training."""

import numpy as np

from keras_bert_zh import BertPreprocess, MaskedLM, MaskTokens
from recipes.small.corpus import HELD_OUT_BLOCK, LINES_A_BLOCK, Corpus
from recipes.small.rows import rows

SPAN, AT_ONCE = 126, 32


class HeldOut:
    """Rows of held-out text in a fixed random order.

    Args:
        corpus: Corpus.
        preprocess: BertPreprocess.
        count: int, the number of rows, or all if there are fewer.

    Raises:
        ValueError: if the held-out text is shorter than one row.
    """

    def __init__(self, corpus: Corpus, preprocess: BertPreprocess, count: int):
        text = corpus.held_out
        spans = text[: len(text) // SPAN * SPAN].reshape(-1, SPAN)
        if not len(spans):
            raise ValueError(
                f"The corpus has {len(text)} held-out tokens, but {SPAN} are needed: in each file, "
                f"the {LINES_A_BLOCK} lines after {HELD_OUT_BLOCK * LINES_A_BLOCK:,} are held out."
            )
        self._spans = spans[np.random.default_rng(0).permutation(len(spans))[:count]]
        self._special_ids = preprocess.special_ids
        self._mask = MaskTokens(preprocess)

    def masked_accuracy(self, model: MaskedLM) -> float:
        """Returns the share of masked tokens predicted correctly: 15% of full rows, 80/10/10."""
        hits = total = 0.0
        for step, begin in enumerate(range(0, len(self._spans), AT_ONCE)):
            inputs = rows(self._spans[begin : begin + AT_ONCE], self._special_ids)
            masked, labels, weights = self._mask(inputs, step)
            found = np.array(model(masked)).argmax(axis=-1) == labels.numpy()
            hits, total = hits + (found * weights.numpy()).sum(), total + weights.numpy().sum()
        return float(hits / total)
