"""The answer of a source: where the files of a checkpoint are, or why they are unreachable."""

import pathlib
from typing import NamedTuple


class Found(NamedTuple):
    """Where the files of a checkpoint are on this machine, and whether they were checked.

    Attributes:
        path: a folder, or the prefix of a TensorFlow checkpoint. Whether a user's path exists is
            not checked.
        verified: bool, whether each weight file was compared with a digest or a checksum of its
            source, now or when it was downloaded, so that no download is incomplete. False for
            files of the user or of this package, which have no digest.
        cached: the copy in a cache, a file or folder: if you delete it, the same source downloads
            or unpacks it again. `None` if the files are the only copy.
    """

    path: pathlib.Path
    verified: bool
    cached: pathlib.Path | None


class UnreachableError(OSError):
    """A source could not be downloaded; the message gives the reason, not what to do instead."""

    @classmethod
    def because(cls, error: Exception) -> "UnreachableError":
        return cls(f"{type(error).__name__}: {error}")
