"""What a tagger says of texts: the entities in them."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_bert_zh.text.entities import first_pieces, label_table, to_entities
from keras_bert_zh.text.inputs import split_pair, to_texts


def find_entities(model: Any, texts: Any, call: Callable) -> dict[str, tf.RaggedTensor]:
    """Finds entities, as `TokenTagger.entities` says.

    Args:
        model: TokenTagger with a preprocess.
        texts: single texts, as `BertPreprocess` takes them.
        call: gives the logits of the dict of ids: the model, or its one trace.
    """
    with tf.device("CPU"):
        texts = _single(texts)
        ids, starts, ends = model.preprocess.tokenize(texts, offsets=True)
    logits = call(model.preprocess(texts))
    with tf.device("CPU"):
        lengths = tf.minimum(ids.row_lengths(), model.preprocess.max_length - 2)
        logits = tf.RaggedTensor.from_tensor(logits[:, 1:], lengths)
        ids, starts, ends = (
            column[:, : model.preprocess.max_length - 2] for column in (ids, starts, ends)
        )
        first, ends = first_pieces(tf.gather(_are_later_pieces(model), ids), ends)
        starts, logits = (tf.ragged.boolean_mask(column, first) for column in (starts, logits))
        labels, probabilities = _decide(model, logits)
        table = label_table(model.labels)
        return to_entities(texts, labels, probabilities, starts, ends, table=table)


def _single(inputs: Any) -> tf.Tensor:
    """Returns single texts `<string>[B]`."""
    if len(split_pair(inputs)) == 2:
        raise ValueError(
            "Entities are found in single texts, got pairs: pass a batch of texts as one list or "
            "one array."
        )
    texts = to_texts(inputs)
    if texts.is_scalar:
        raise ValueError("Entities are found in a batch of texts: of one text, pass [text].")
    if isinstance(texts.first, tf.RaggedTensor):
        raise ValueError(
            "Entities are found in texts as they are, got words that are split already: call the "
            "model for the labels of words."
        )
    return texts.first


def _are_later_pieces(model: Any) -> list[bool]:
    """Returns of each token in the vocabulary whether it goes on with a word."""
    return [len(token) > 2 and token.startswith("##") for token in model.preprocess.vocabulary]


def _decide(model: Any, logits: tf.RaggedTensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Returns the label of each word, ragged `<int32>[B, (words)]`, and how probable it is."""
    probabilities = tf.nn.softmax(logits.values)
    labels = tf.argmax(logits.values, axis=-1, output_type=tf.int32)
    best = tf.gather(probabilities, labels, axis=1, batch_dims=1)
    return logits.with_values(labels), logits.with_values(best)
