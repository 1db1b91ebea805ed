"""Texts that `max_length` cuts: how many there are, and the warning about them."""

import sys
import warnings
from types import FrameType
from typing import Any, NamedTuple

# Enough to tell, and too few to wait for.
_LOOKED_AT = 10_000

_LIBRARIES = ("keras", "keras_bert_zh", "tensorflow")


class Truncated(NamedTuple):
    """The number of texts or pairs that are cut, and of the tokens that are left out."""

    texts: int
    tokens: int


class TruncationWarning(UserWarning):
    """Given once for each BertPreprocess whose `max_length` cuts texts.

    To turn it off, pass `BertPreprocess(warn_of_cuts=False)`, or filter this class of warnings.

    Example:

    >>> import warnings
    >>> from keras_bert_zh import BertPreprocess, TruncationWarning
    >>> warnings.simplefilter("ignore", TruncationWarning)
    >>> BertPreprocess(None, max_length=4)(["今天天气很好"])["input_ids"].shape
    TensorShape([1, 4])
    """


class Watch:
    """Warns once if texts are cut, with the location of the user's code.

    Attributes:
        left: int, the number of texts still to check; 0 after the warning.
    """

    def __init__(self, max_length: int):
        self._max_length = max_length
        self.left = _LOOKED_AT

    def tell(self, counts: Any) -> None:
        """Takes the numbers of cut texts, of tokens left out, and of all texts checked."""
        cut, lost, looked_at = counts.numpy().tolist()
        self.left = max(0, self.left - looked_at)
        if not cut:
            return
        self.left = 0
        warnings.warn(
            f"max_length={self._max_length} cuts {cut:,} of {looked_at:,} checked texts: "
            f"{lost:,} of their tokens are left out. Pass a larger max_length, up to the number of "
            "positions of the encoder, or split long texts into windows with "
            "BertPreprocess.windows. To turn this warning off, pass warn_of_cuts=False.",
            TruncationWarning,
            stacklevel=2 + _library_frames(),
        )


def _library_frames() -> int:
    """Returns the number of library calls between the caller's caller and the user's code."""
    count = 0
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and _is_library(frame):
        count, frame = count + 1, frame.f_back
    return count


def _is_library(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] in _LIBRARIES
