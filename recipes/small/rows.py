"""Spans of ids as the inputs of an encoder, the student's or the teacher's, and masked rows."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_bert_zh import MaskTokens


def rows(spans: Sequence[np.ndarray], special_ids: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Returns spans as the encoder's inputs, padded to the longest."""
    begin, end = special_ids["[CLS]"], special_ids["[SEP]"]
    texts = [[begin, *span, end] for span in spans]
    ids = keras.utils.pad_sequences(texts, padding="post", value=special_ids["[PAD]"])
    mask = keras.utils.pad_sequences([[1] * len(text) for text in texts], padding="post")
    return {"input_ids": ids, "input_mask": mask, "segment_ids": np.zeros_like(ids)}


def mask_some(mask: MaskTokens, inputs: dict[str, np.ndarray], step: int, share: float) -> tuple:
    """Returns the result of `mask`, but masks only a share of the rows.

    The other rows do not change, and their tokens have no weight.
    """
    masked, labels, weights = mask(inputs, step)
    chosen = np.random.default_rng([mask.seed, 1, step]).random((len(labels), 1)) < share
    ids = tf.where(chosen, masked["input_ids"], inputs["input_ids"])
    return masked | {"input_ids": ids}, labels, weights * chosen
