"""The answers that a SpanReader finds for questions in texts."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_bert_zh.heads.on_text import only_ids
from keras_bert_zh.preprocess import BertPreprocess
from keras_bert_zh.text.entities import characters
from keras_bert_zh.text.inputs import to_texts
from keras_bert_zh.text.spans import best_spans


def find_answers(
    preprocess: BertPreprocess,
    pairs: Any,
    call: Callable,
    *,
    max_length: int,
    stride: int | None = None,
    null_threshold: float | None = None,
) -> dict[str, tf.Tensor]:
    """Finds answers, as described in `SpanReader.answers`.

    Args:
        preprocess: the preprocess of the model.
        pairs: a tuple of questions and texts, as `BertPreprocess` takes them.
        call: returns the logits for the dict of ids: the model, or its only trace.
        max_length: int, the maximum number of tokens of an answer.
        stride: int or `None`, the stride of the windows.
        null_threshold: float or `None`.
    """
    with tf.device("CPU"):
        texts = to_texts(pairs)
        if texts.is_scalar:
            raise ValueError(
                "answers takes a batch. For a single question, pass [question] and [text]."
            )
        if any(isinstance(part, tf.RaggedTensor) for part in texts[:2]):
            raise ValueError("answers takes texts as strings, got texts that are split into words.")
        windows = preprocess.windows(texts[:2], stride, offsets="characters", word_ids=False)
    logits = call(only_ids(windows))
    with tf.device("CPU"):
        spans = best_spans(
            logits["start_logits"],
            logits["end_logits"],
            windows,
            max_length=min(max_length, preprocess.max_length),  # No span is longer.
        )
        exists = spans.exists
        if null_threshold is not None:
            exists &= spans.null_score - spans.score <= null_threshold
        start, end = (
            tf.where(exists, tf.gather_nd(windows[key], tf.stack([spans.window, place], 1)), 0)
            for key, place in (("starts", spans.first), ("ends", spans.last))
        )
        rows = tf.range(tf.size(exists))
        return {
            "text": characters(texts.second, rows, start, end),
            "start": start,
            "end": end,
            "score": spans.score,
            "null_score": spans.null_score,
        }
