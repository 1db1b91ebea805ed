"""Texts by which the ranges of products in int8 are found."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_bert_zh.export.of_ids import POSITIONS
from keras_bert_zh.heads.on_text import are_ids
from keras_bert_zh.layers.encoder_inputs import check_signature

_BATCH = 8


def calibration_batches(source: Any, calibration: Any) -> list[dict[str, np.ndarray]]:
    """Returns batches of ids, each as long as its longest row.

    Args:
        source: OfIds.
        calibration: all that its preprocess takes, or the dict of ids.

    Raises:
        ValueError: if these are texts and the model has no preprocess, there are none, it is one
            text, or ids are not what the encoder takes.
    """
    if isinstance(calibration, (str, bytes, os.PathLike)):
        raise ValueError(
            f"calibration is a list of some hundred texts, not one text or a path: got "
            f"{calibration!r}."
        )
    if not are_ids(calibration):
        if source.preprocess is None:
            raise ValueError(
                f"This model takes ids: pass calibration a dict of {', '.join(source.takes)}, or "
                "pass preprocess= too."
            )
        calibration = source.preprocess(calibration)
    given = {name: ops.convert_to_tensor(value) for name, value in calibration.items()}
    beside = {name: given.pop(name) for name in set(source.takes) & {POSITIONS} & set(given)}
    config = source.encoder.config
    check_signature(given, config.input_sizes, config.max_position_embeddings)
    ids = source.encoder.complete_inputs(given) | beside
    if POSITIONS in source.takes and POSITIONS not in ids:
        raise ValueError(f"calibration needs {POSITIONS} too, as a dict of ids.")
    ids = {name: np.asarray(ids[name], "int32") for name in source.takes}
    rows = len(ids["input_ids"])
    if not rows:
        raise ValueError("calibration has no texts: pass some hundred of those the model is for.")
    starts = range(0, rows, _BATCH)
    return [_cut({name: value[i : i + _BATCH] for name, value in ids.items()}) for i in starts]


def _cut(batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if "input_mask" not in batch:
        return dict(batch)
    used = np.flatnonzero(batch["input_mask"].any(0))
    length = used[-1] + 1 if len(used) else 1
    return {
        name: value[:, :length] if value.shape == batch["input_mask"].shape else value
        for name, value in batch.items()
    }
