"""Spans of ids as the inputs of an encoder, the student's or the teacher's."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np


def rows(spans: Sequence[np.ndarray], special_ids: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Returns spans as the encoder's inputs, padded to the longest."""
    begin, end = special_ids["[CLS]"], special_ids["[SEP]"]
    texts = [[begin, *span, end] for span in spans]
    ids = keras.utils.pad_sequences(texts, padding="post", value=special_ids["[PAD]"])
    mask = keras.utils.pad_sequences([[1] * len(text) for text in texts], padding="post")
    return {"input_ids": ids, "input_mask": mask, "segment_ids": np.zeros_like(ids)}
