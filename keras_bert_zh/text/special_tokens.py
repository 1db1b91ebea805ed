"""Recognises special tokens that are written in a text."""

import re
from collections.abc import Callable, Mapping

import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert_zh.text.offsets import rows_of
from keras_bert_zh.text.windows import Columns


class SpecialTokens:
    """Splits texts at special tokens, such as `[MASK]`, so that each is one token.

    The text between them is tokenised as a separate text, as in Hugging Face.

    Args:
        ids: the ids of the tokens, by their exact spelling.
    """

    def __init__(self, ids: Mapping[str, int]):
        self._tokens, self._ids = list(ids), list(ids.values())
        self._pattern = "|".join(map(re.escape, ids))

    def tokenize(
        self,
        texts: tf.Tensor,
        unit: str | None,
        tokenize: Callable[[tf.Tensor, str | None], Columns],
    ) -> Columns:
        """`<string>[B]` -> the same as the given `tokenize`, with special tokens recognised."""
        # The kernel takes U+0000 for the end of a text. Both characters are dropped later on.
        texts = tf.strings.regex_replace(texts, r"\x00", "\1")
        pieces, begins, _ = tf_text.regex_split_with_offsets(texts, self._pattern, self._pattern)
        hits = pieces.values[:, None] == tf.constant(self._tokens)
        is_special = tf.reduce_any(hits, 1)
        columns = tokenize(tf.where(is_special, "", pieces.values), unit)
        # The pieces that are special have no token yet.
        ids = tf.boolean_mask(tf.gather(self._ids, tf.argmax(hits, 1)), is_special)
        special = tf.RaggedTensor.from_row_lengths(ids, tf.cast(is_special, tf.int64))
        further = {"ids": special}
        if unit is not None:
            sizes = tf.strings.length(tf.boolean_mask(pieces.values, is_special))
            further |= {
                "starts": special.with_values(tf.zeros_like(sizes)),
                "ends": special.with_values(sizes),
            }
        joined = {name: tf.concat([columns[name], further[name]], 1) for name in further}
        if unit is not None:
            begin = (
                tf.cast(begins.values, tf.int32) if unit == "bytes" else _characters_before(pieces)
            )
            begin = tf.gather(begin, rows_of(joined["ids"]))
            for name in ("starts", "ends"):
                joined[name] = joined[name].with_values(joined[name].values + begin)
        return {
            name: pieces.with_values(column).merge_dims(1, 2) for name, column in joined.items()
        }


def _characters_before(pieces: tf.RaggedTensor) -> tf.Tensor:
    """Returns the number of characters of the text before each piece, `<int32>[pieces]`."""
    valid = tf.strings.unicode_transcode(
        pieces.values, "UTF-8", "UTF-8", errors="ignore", replace_control_characters=False
    )
    sizes = tf.strings.length(valid, "UTF8_CHAR")
    of_texts = tf.reduce_sum(pieces.with_values(sizes), 1)
    before_texts = tf.gather(tf.cumsum(of_texts, exclusive=True), rows_of(pieces))
    return tf.cumsum(sizes, exclusive=True) - before_texts
