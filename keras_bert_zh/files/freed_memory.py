"""Returns free memory to the operating system."""

import ctypes
import functools
from collections.abc import Callable


def give_back() -> None:
    """Returns this process's free memory to the operating system.

    Reading one tensor after the other leaves gaps in memory that are slightly too small for the
    next aligned tensor: up to a quarter of the model. Without glibc, this does nothing.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
