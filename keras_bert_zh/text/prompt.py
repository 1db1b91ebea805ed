"""Prepares texts before they are tokenised."""

from typing import Any

import tensorflow as tf

from keras_bert_zh.messages import says_it_all
from keras_bert_zh.text.inputs import split_pair, to_texts


@says_it_all
def check_single(inputs: Any) -> None:
    """Raises ValueError if there are two texts in each row; works on symbolic tensors too."""
    if len(split_pair(inputs)) == 2:
        raise ValueError(
            "SentenceEncoder takes single texts, got pairs. Pass a batch of texts as one list or "
            "one array, and call the model once for each side of a pair."
        )


def with_prompt(inputs: Any, prompt: str, *, lowercase: bool) -> tf.Tensor | tf.RaggedTensor:
    """Puts a prompt before each text, and lower-cases both if asked.

    Args:
        inputs: single texts, as `BertPreprocess` takes them.
        prompt: str. For texts that are split into words, it is one more word.
        lowercase: bool. Accents are kept, and U+0000 becomes U+0001.
    """
    with tf.device("CPU"):
        texts = to_texts(inputs)
        found = texts.first
        if isinstance(found, tf.RaggedTensor):
            found = tf.concat([tf.fill([found.nrows(), 1], prompt), found], axis=1)
        else:
            found = prompt + found
        if lowercase:
            found = tf.ragged.map_flat_values(_lowered, found)
        return found[0] if texts.is_scalar else found


def _lowered(texts: tf.Tensor) -> tf.Tensor:
    # The kernel takes U+0000 for the end of a text. The tokeniser drops both characters.
    return tf.strings.lower(tf.strings.regex_replace(texts, r"\x00", "\1"), "utf-8")
