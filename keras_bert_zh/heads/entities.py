"""The entities that a tagger finds in texts."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_bert_zh.data.windows import join_tokens
from keras_bert_zh.heads.on_text import only_ids
from keras_bert_zh.text.entities import first_pieces, to_entities
from keras_bert_zh.text.inputs import split_pair, to_texts
from keras_bert_zh.text.plain_entities import label_table
from keras_bert_zh.vocabulary import later_pieces


def find_entities(
    model: Any, texts: Any, call: Callable, stride: int | None
) -> dict[str, tf.RaggedTensor]:
    """Finds entities, as described in `TokenTagger.entities`.

    Args:
        model: TokenTagger with a preprocess.
        texts: single texts, as `BertPreprocess` takes them.
        call: returns the logits for the dict of ids: the model, or its only trace.
        stride: int or `None`, the stride of the windows.
    """
    preprocess = model.preprocess
    with tf.device("CPU"):
        texts = _single(texts)
        windows = preprocess.windows(texts, stride, offsets="characters", word_ids=False)
    logits = call(only_ids(windows))
    with tf.device("CPU"):
        ids, starts, ends, logits = (
            join_tokens(values, windows)
            for values in (*(windows[key] for key in ("input_ids", "starts", "ends")), logits)
        )
        first, ends = first_pieces(tf.gather(later_pieces(preprocess.vocabulary), ids), ends)
        starts, logits = (tf.ragged.boolean_mask(column, first) for column in (starts, logits))
        labels, probabilities = _decoded(model, logits)
        table = label_table(model.labels)
        return to_entities(texts, labels, probabilities, starts, ends, table=table)


def _single(inputs: Any) -> tf.Tensor:
    """Returns single texts `<string>[B]`."""
    if len(split_pair(inputs)) == 2:
        raise ValueError(
            "entities takes single texts, got pairs: pass a batch of texts as one list or one "
            "array."
        )
    texts = to_texts(inputs)
    if texts.is_scalar:
        raise ValueError("entities takes a batch of texts. For a single text, pass [text].")
    if isinstance(texts.first, tf.RaggedTensor):
        raise ValueError(
            "entities takes texts as strings, got texts that are split into words: call the model "
            "itself to label words."
        )
    return texts.first


def _decoded(model: Any, logits: tf.RaggedTensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Returns the label of each word, ragged `<int32>[B, (words)]`, and its probability."""
    lengths = logits.row_lengths()
    # One place more than the longest text has words: never none.
    padded = tf.pad(logits.to_tensor(), [[0, 0], [0, 1], [0, 0]])
    found = model.decode(padded, tf.sequence_mask(lengths, tf.shape(padded)[1]))
    labels, probabilities = (tf.RaggedTensor.from_tensor(values, lengths) for values in found)
    return labels, probabilities
