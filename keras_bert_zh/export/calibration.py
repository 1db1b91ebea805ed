"""Example texts, from which the value ranges for int8 are measured."""

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
    """Returns batches of ids; each batch is as long as its longest row.

    Args:
        source: OfIds.
        calibration: anything that its preprocess takes, or the dict of ids.

    Raises:
        ValueError: if it is texts but the model has no preprocess, is empty or a single text, or
            the ids are not valid inputs of the encoder.
    """
    if isinstance(calibration, (str, bytes, os.PathLike)):
        raise ValueError(
            "calibration must be a list of a few hundred texts, not a single text or a path, got "
            f"{calibration!r}."
        )
    if not are_ids(calibration):
        if source.preprocess is None:
            raise ValueError(
                f"This model takes ids: pass a dict of {', '.join(source.takes)} as calibration, "
                "or pass preprocess= too."
            )
        calibration = source.preprocess(calibration)
    given = {name: ops.convert_to_tensor(value) for name, value in calibration.items()}
    beside = {name: given.pop(name) for name in set(source.takes) & {POSITIONS} & set(given)}
    config = source.encoder.config
    check_signature(given, config.input_sizes, config.max_position_embeddings)
    ids = source.encoder.complete_inputs(given) | beside
    if POSITIONS in source.takes and POSITIONS not in ids:
        raise ValueError(f"calibration must be a dict of ids that includes {POSITIONS}.")
    ids = {name: np.asarray(ids[name], "int32") for name in source.takes}
    rows = len(ids["input_ids"])
    if not rows:
        raise ValueError("calibration is empty: pass a few hundred texts like the model's inputs.")
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
