"""Checks of arguments: one function and one message for each kind."""

import math
import numbers
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any


def is_int(value: Any) -> bool:
    """Tells whether the value is an int of Python or NumPy; True and False are not."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Tells whether the value is a real number; True and False are not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def check_int(name: str, value: Any, least: int | None = None) -> int:
    """Returns the value as an int.

    Raises:
        ValueError: if it is not an int, does not fit into 64 bits, or is less than `least`.
    """
    if not is_int(value) or not -(2**63) <= value < 2**63 or (least is not None and value < least):
        expected = "a 64-bit int" if least is None else f"an int of at least {least}"
        raise ValueError(f"{name} must be {expected}, got {value!r}.")
    return int(value)


def check_number(name: str, value: Any, least: float) -> float:
    """Returns the value as a float.

    Raises:
        ValueError: if it is not a number, or less than `least`.
    """
    if not is_number(value) or not value >= least:
        raise ValueError(f"{name} must be a number of at least {least}, got {value!r}.")
    return float(value)


def check_positive(name: str, value: Any) -> float:
    """Returns the value as a float.

    Raises:
        ValueError: if it is not a finite number above 0.
    """
    if not is_number(value) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be a positive number, got {value!r}.")
    return float(value)


def check_share(name: str, value: Any, *, above_zero: bool = False) -> float:
    """Returns the value as a float.

    Raises:
        ValueError: if it is not a number from 0 to 1, or is 0 with `above_zero=True`.
    """
    if not is_number(value) or not 0 <= value <= 1 or (above_zero and value == 0):
        expected = "above 0 and at most 1" if above_zero else "from 0 to 1"
        raise ValueError(f"{name} must be a number {expected}, got {value!r}.")
    return float(value)


def check_rate(name: str, value: Any) -> float:
    """Returns the value, a dropout rate, as a float.

    Raises:
        ValueError: if it is not a number in [0, 1).
    """
    if not is_number(value) or not 0 <= value < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value!r}.")
    return float(value)


def check_flag(name: str, value: Any) -> bool:
    """Returns the value as a bool.

    Raises:
        ValueError: if it is not True or False, of Python or NumPy.
    """
    if not _is_flag(value):
        raise ValueError(f"{name} must be True or False, got {value!r}.")
    return bool(value)


def check_flag_or_none(name: str, value: Any) -> bool | None:
    """Returns the value as a bool, or None.

    Raises:
        ValueError: if it is not True, False or None.
    """
    if value is not None and not _is_flag(value):
        raise ValueError(f"{name} must be True, False or None, got {value!r}.")
    return value if value is None else bool(value)


def _is_flag(value: Any) -> bool:
    # NumPy's is registered as no kind of number; before NumPy 2 it was called bool_.
    return type(value).__name__ in ("bool", "bool_")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Returns the value.

    Raises:
        ValueError: if it is not one of the choices.
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be {' or '.join(map(repr, choices))}, got {value!r}.")
    return value


def check_offsets(name: str, value: Any) -> str | None:
    """Returns the unit in which offsets of tokens are counted; None for no offsets.

    Raises:
        ValueError: if it is not True, False, `"characters"` or `"bytes"`.
    """
    if _is_flag(value):
        return "characters" if value else None
    if value not in ("characters", "bytes"):
        expected = "True, False, 'characters' or 'bytes'"
        raise ValueError(f"{name} must be {expected}, got {value!r}.")
    return value


def check_path_to_write(name: str, value: Any) -> pathlib.Path:
    """Returns the path, with `~` as the home folder.

    Args:
        name: what is written, `"file"` or `"folder"`.
        value: the path.

    Raises:
        ValueError: if it is a URL.
        TypeError: if it is not a path.
    """
    if not isinstance(value, (str, os.PathLike)) or isinstance(os.fspath(value), bytes):
        raise TypeError(f"{name} must be a path, got {value!r}.")
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", os.fspath(value)):
        raise ValueError(
            f"{value} is a URL, which can't be written to: pass the path of a {name} on this "
            "machine."
        )
    return pathlib.Path(value).expanduser()
