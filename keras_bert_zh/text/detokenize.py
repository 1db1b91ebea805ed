"""Turns ids into readable text."""

import numpy as np
import tensorflow as tf

from keras_bert_zh.text.unicode_tables import load_tables
from keras_bert_zh.vocabulary import later_pieces

_HIDDEN = frozenset({"[PAD]", "[CLS]", "[SEP]"})
# ASCII punctuation that a blank follows; there are no blanks around all other punctuation.
_BLANK_AFTER = list(",;!?")
_KANA = range(0x3041, 0x3100)


class Detokenizer:
    """Joins tokens with spaces between words, and none around Chinese characters or punctuation."""

    def __init__(self, vocabulary: tuple[str, ...]):
        tables = load_tables()
        is_piece = np.array(later_pieces(vocabulary))
        is_mark = np.array(
            [len(token) == 1 and ord(token) in tables.punctuation for token in vocabulary]
        )
        self._size = len(vocabulary)
        text = [
            token[2:] if piece else token for token, piece in zip(vocabulary, is_piece, strict=True)
        ]
        self._text = tf.constant(text)
        self._is_hidden = tf.constant([token in _HIDDEN for token in vocabulary])
        # A special token such as [MASK] stands for a character as often as for a word.
        self._is_ideograph = tf.constant(
            [
                shown.startswith("[")
                or all(ord(char) in tables.cjk or ord(char) in _KANA for char in shown)
                for shown in text
            ]
        )
        self._joins_left = tf.constant(is_piece | is_mark)
        self._joins_right = tf.constant(is_mark & ~np.isin(vocabulary, _BLANK_AFTER))

    def detokenize(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """Ragged `<int32>[B, (tokens)]` -> `<string>[B]`.

        Raises:
            tf.errors.InvalidArgumentError: if an id is outside the vocabulary.
        """
        valid = tf.reduce_all((ids.values >= 0) & (ids.values < self._size))
        message = f"ids must be in [0, {self._size}), the size of the vocabulary, got"
        with tf.control_dependencies([tf.debugging.Assert(valid, [message, ids.values])]):
            is_hidden = tf.gather(self._is_hidden, ids.values)
        ids = tf.ragged.boolean_mask(ids, ids.with_values(~is_hidden))
        right, row = ids.values, ids.value_rowids()
        left = tf.roll(right, 1, 0)
        apart = ~(tf.gather(self._joins_right, left) | tf.gather(self._joins_left, right))
        apart &= ~(tf.gather(self._is_ideograph, left) & tf.gather(self._is_ideograph, right))
        # The first token of a row has no left neighbour.
        apart &= tf.concat([tf.zeros_like(apart[:1]), row[1:] == row[:-1]], 0)
        blank = tf.where(apart, " ", "")
        return tf.strings.reduce_join(ids.with_values(blank + tf.gather(self._text, right)), axis=1)
