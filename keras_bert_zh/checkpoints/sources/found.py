"""What a source answers: where the files of a checkpoint are, or why they can't be had."""

import pathlib
from typing import NamedTuple


class Found(NamedTuple):
    """Where the files of a checkpoint are on this machine, and how far they were checked.

    Attributes:
        path: a folder, or the prefix of a TensorFlow checkpoint. Whether there is anything at a
            user's path is not checked.
        verified: bool, whether each file of weights was compared with a digest or a checksum of
            its source, now or when it came: none is half a download. False for what the user or
            this package put there, which nothing is compared with.
        cached: the copy in a cache, file or folder: if it is deleted, the same source downloads or
            unpacks it again. `None` if the files are no copy, so that deleting them loses them.
    """

    path: pathlib.Path
    verified: bool
    cached: pathlib.Path | None


class UnreachableError(OSError):
    """A source that could not be downloaded; the message says why, not what to do instead."""

    @classmethod
    def because(cls, error: Exception) -> "UnreachableError":
        return cls(f"{type(error).__name__}: {error}")
