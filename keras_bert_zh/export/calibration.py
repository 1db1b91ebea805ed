"""Texts by which the ranges of products in int8 are found."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_bert_zh.heads.on_text import are_ids

_BATCH = 8


def calibration_batches(source: Any, calibration: Any) -> list[dict[str, np.ndarray]]:
    """Returns batches of ids, each as long as its longest row.

    Args:
        source: OfIds.
        calibration: all that its preprocess takes, or the dict of ids.

    Raises:
        ValueError: if these are texts and the model has no preprocess, or there are none.
    """
    if not are_ids(calibration):
        if source.preprocess is None:
            raise ValueError(
                f"This model takes ids: pass calibration a dict of {', '.join(source.takes)}, or "
                "pass preprocess= too."
            )
        calibration = source.preprocess(calibration)
    ids = {name: np.asarray(value) for name, value in calibration.items() if name in source.takes}
    missing = [name for name in source.takes if name not in ids]
    if missing:
        raise ValueError(
            f"calibration needs all ids that the model takes: {missing[0]} is missing."
        )
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
