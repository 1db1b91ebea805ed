"""Finds the tokens of each word, for whole-word masking."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_bert_zh.extras import imported
from keras_bert_zh.preprocess import BertPreprocess
from keras_bert_zh.text.unicode_tables import CJK
from keras_bert_zh.vocabulary import later_pieces

if TYPE_CHECKING:
    import tensorflow as tf


def tokenize_words(
    texts: Sequence[str | bytes], preprocess: BertPreprocess
) -> tuple["tf.RaggedTensor", "tf.RaggedTensor"]:
    """Tokenises texts, and finds where words begin.

    rjieba, the implementation of jieba in Rust (the extra `words`), cuts runs of ideographs into
    words, with its dictionary and the words added with `rjieba.add_word`. In other text, the words
    are those of the tokeniser: a token that begins with `##` continues the word before it.

    Args:
        texts: list of str, or of bytes in UTF-8.
        preprocess: BertPreprocess.

    Returns:
        Two ragged tensors of the same shape: the ids that `preprocess.tokenize(texts)` returns,
        `<int32>[B, (tokens)]`, one for one; and which tokens begin a word,
        `<bool>[B, (tokens)]`.

    Raises:
        ModuleNotFoundError: if rjieba is not installed.

    Example:

    >>> from keras_bert_zh import BertPreprocess
    >>> from keras_bert_zh.data.words import tokenize_words
    >>> ids, starts = tokenize_words(["我们用Keras写代码"], BertPreprocess(None))
    >>> starts.to_list()
    [[True, False, True, True, False, False, True, True, False]]
    """
    # Imported here: the package can be used without TensorFlow where no string is.
    import tensorflow as tf

    cut = _segmenter()
    pieces: list[str] = []
    are_ideographs: list[bool] = []
    counts: list[int] = []
    for text in texts:
        before = len(pieces)
        # What is between two runs of ideographs stands at even places, the runs at odd ones.
        for index, piece in enumerate(_runs().split(_decode(text))):
            words = cut(piece) if index % 2 else [piece]
            pieces += words
            are_ideographs += [index % 2 == 1] * len(words)
        counts.append(len(pieces) - before)
    # An ideograph is a token of its own, so that a cut beside one changes none.
    tokens = preprocess.tokenize(pieces)
    ids, firsts = tokens.values.numpy(), tokens.row_starts().numpy()
    lengths = tokens.row_lengths().numpy()
    are_later = np.array(later_pieces(preprocess.vocabulary))
    within = np.repeat(np.array(are_ideographs, bool), lengths) | are_later[ids]
    starts = ~within
    starts[firsts[lengths > 0]] = True
    ids = tf.RaggedTensor.from_nested_row_lengths(ids, [counts, lengths]).merge_dims(1, 2)
    return ids, ids.with_values(tf.constant(starts))


def _segmenter() -> Callable[[str], list[str]]:
    return imported("rjieba", "words", "Looking for whole words of Chinese").cut


@functools.cache
def _runs() -> re.Pattern:
    return re.compile(f"([{''.join(f'{chr(first)}-{chr(last)}' for first, last in CJK)}]+)")


def _decode(text: str | bytes) -> str:
    """Returns the text without what the tokeniser drops because it is not UTF-8."""
    encoded = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return encoded.decode("utf-8", "ignore")
