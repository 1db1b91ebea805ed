"""What a CRF says of one text: the best labels and their probabilities, in NumPy.

Reference: `layers.crf.CRF`, whose `decode` and `marginals` these are.
"""

import pathlib

import numpy as np
from safetensors.numpy import load_file

from keras_bert_zh.export.description import CRF_SCORES


class Chain:
    """The scores of a CRF.

    Args:
        folder: what `export_model` wrote.
    """

    def __init__(self, folder: pathlib.Path):
        scores = load_file(folder / CRF_SCORES)
        self._transitions, self._start, self._end = (
            scores[name].astype(np.float32) for name in ("transitions", "start", "end")
        )

    def decode(self, logits: np.ndarray) -> np.ndarray:
        """Returns the best labels, `<int>[T]`, of logits `<float32>[T, K]` of one text or more."""
        score = logits[0] + self._start
        back = np.empty(logits.shape, np.intp)
        for place in range(1, len(logits)):
            paths = score[:, None] + self._transitions
            back[place] = paths.argmax(0)
            score = paths.max(0) + logits[place]
        labels = np.empty(len(logits), np.intp)
        labels[-1] = (score + self._end).argmax()
        for place in range(len(logits) - 1, 0, -1):
            labels[place - 1] = back[place, labels[place]]
        return labels

    def marginals(self, logits: np.ndarray) -> np.ndarray:
        """Returns the probabilities of all labels, `<float32>[T, K]`."""
        logits = logits - _log_sum(logits, 1)[:, None]
        before, after = np.empty_like(logits), np.empty_like(logits)
        before[0] = logits[0] + self._start
        for place in range(1, len(logits)):
            paths = before[place - 1][:, None] + self._transitions
            before[place] = _log_sum(paths, 0) + logits[place]
        after[-1] = self._end
        for place in range(len(logits) - 2, -1, -1):
            paths = self._transitions + (logits[place + 1] + after[place + 1])
            after[place] = _log_sum(paths, 1)
        through = before + after
        chances = np.exp(through - through.max(1, keepdims=True))
        return chances / chances.sum(1, keepdims=True)


def _log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    most = values.max(axis, keepdims=True)
    return np.log(np.exp(values - most).sum(axis)) + most.squeeze(axis)
