"""Masked tokens found in held-out text: what training is judged by, and not trained on."""

import numpy as np

from keras_bert_zh import BertPreprocess, MaskedLM, MaskTokens
from recipes.small.corpus import HELD_OUT_BLOCK, LINES_A_BLOCK, Corpus
from recipes.small.rows import rows

SPAN, AT_ONCE = 126, 32


class HeldOut:
    """Rows of held-out text in an order that is random and never changes.

    Args:
        corpus: Corpus.
        preprocess: BertPreprocess.
        count: int, how many rows are taken, or all if there are fewer.

    Raises:
        ValueError: if not one row of the corpus was held out.
    """

    def __init__(self, corpus: Corpus, preprocess: BertPreprocess, count: int):
        text = corpus.held_out
        spans = text[: len(text) // SPAN * SPAN].reshape(-1, SPAN)
        if not len(spans):
            raise ValueError(
                f"The corpus has {len(text)} held-out tokens, and {SPAN} are needed: of each file "
                f"the {LINES_A_BLOCK} lines after {HELD_OUT_BLOCK * LINES_A_BLOCK:,} are held out."
            )
        self._spans = spans[np.random.default_rng(0).permutation(len(spans))[:count]]
        self._special_ids = preprocess.special_ids
        self._mask = MaskTokens(preprocess)

    def masked_accuracy(self, model: MaskedLM) -> float:
        """Returns the share of masked tokens that are the likeliest: 15% of full rows, 80/10/10."""
        hits = total = 0.0
        for step, begin in enumerate(range(0, len(self._spans), AT_ONCE)):
            inputs = rows(self._spans[begin : begin + AT_ONCE], self._special_ids)
            masked, labels, weights = self._mask(inputs, step)
            found = np.array(model(masked)).argmax(axis=-1) == labels.numpy()
            hits, total = hits + (found * weights.numpy()).sum(), total + weights.numpy().sum()
        return float(hits / total)
