"""Converts a label for each word to entities, with their places in the text and scores."""

import tensorflow as tf

from keras_bert_zh.text.plain_entities import LabelTable


def first_pieces(
    follows: tf.RaggedTensor, ends: tf.RaggedTensor
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Finds the words to which tokens belong.

    Args:
        follows: ragged `<bool>[B, (tokens)]`, whether a token is a later piece of a word.
        ends: ragged `<int32>[B, (tokens)]`, where each token ends in its text.

    Returns:
        Ragged `<bool>[B, (tokens)]`, whether a token is the first piece of its word, and ragged
        `<int32>[B, (words)]`, where each word ends.
    """
    first = follows.with_values(~follows.values | _row_begins(follows))
    word = tf.cumsum(tf.cast(first.values, tf.int32)) - 1
    last = tf.math.segment_max(ends.values, word)
    return first, tf.ragged.boolean_mask(ends, first).with_values(last)


def to_entities(
    texts: tf.Tensor,
    labels: tf.RaggedTensor,
    probabilities: tf.RaggedTensor,
    starts: tf.RaggedTensor,
    ends: tf.RaggedTensor,
    *,
    table: LabelTable,
) -> dict[str, tf.RaggedTensor]:
    """Joins words to entities as conlleval and seqeval do.

    An entity begins at B- or S-, after E- or S-, after a word outside entities and where the kind
    changes. Every other word continues the entity of the previous word.

    Args:
        texts: `<string>[B]`, UTF-8. Invalid bytes do not count as characters.
        labels: ragged `<int>[B, (words)]`.
        probabilities: ragged `<float>[B, (words)]`, of these labels.
        starts, ends: ragged `<int32>[B, (words)]`, in characters of the text.
        table: the meanings of the labels.

    Returns:
        dict of ragged `text <string>`, `start <int32>`, `end <int32>`, `label <string>` and
        `score <float32>`, the mean of the probabilities of its words, each `[B, (entities)]`.
    """
    ids = labels.values
    kind = tf.gather(table.kinds, ids)
    row_begins = _row_begins(labels)
    before = tf.where(row_begins, -1, tf.roll(kind, 1, 0))
    closed = tf.roll(tf.gather(table.closes, ids), 1, 0)
    inside = kind >= 0
    begins = inside & (tf.gather(table.opens, ids) | closed | (kind != before))
    first, words = tf.where(begins)[:, 0], tf.where(inside)[:, 0]
    entity = tf.gather(tf.cumsum(tf.cast(begins, tf.int32)) - 1, words)
    row = tf.gather(labels.value_rowids(), first)
    start = tf.gather(starts.values, first)
    end = tf.math.segment_max(tf.gather(ends.values, words), entity)
    score = tf.math.segment_mean(tf.gather(probabilities.values, words), entity)
    found = {
        "text": characters(texts, row, start, end),
        "start": start,
        "end": end,
        "label": tf.gather(table.names, tf.gather(kind, first)),
        "score": tf.cast(score, tf.float32),
    }
    rows = labels.nrows()
    return {
        key: tf.RaggedTensor.from_value_rowids(value, row, rows, validate=False)
        for key, value in found.items()
    }


def _row_begins(ragged: tf.RaggedTensor) -> tf.Tensor:
    """Returns which values are the first of their rows."""
    row = ragged.value_rowids()
    return (row != tf.roll(row, 1, 0)) | (tf.range(tf.size(row)) == 0)


def characters(texts: tf.Tensor, row: tf.Tensor, start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    """Returns characters `start` to `end` of the texts of these rows, `<string>[entities]`.

    This does not use `tf.strings.substr`, which would count the characters from the beginning of
    the text for each entity.
    """
    split = tf.strings.unicode_split(texts, "UTF-8", errors="ignore")
    offset = tf.gather(split.row_starts(), row)
    places = tf.ragged.range(offset + tf.cast(start, tf.int64), offset + tf.cast(end, tf.int64))
    return tf.strings.unsorted_segment_join(
        tf.gather(split.values, places.values), places.value_rowids(), tf.size(row)
    )
