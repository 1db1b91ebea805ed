"""What arguments must be."""

import numbers
from typing import Any


def is_int(value: Any) -> bool:
    """Tells whether the value is an int, Python's or NumPy's; True and False are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Tells whether the value is a real number; True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def check_int(name: str, value: Any, least: int | None = None) -> int:
    """Returns the value as an int.

    Raises:
        ValueError: if it is none, does not fit into 64 bits, or is less than `least`.
    """
    if not is_int(value) or not -(2**63) <= value < 2**63 or (least is not None and value < least):
        expected = "an int of 64 bits" if least is None else f"an int of at least {least}"
        raise ValueError(f"{name} must be {expected}, got {value!r}.")
    return int(value)


def check_number(name: str, value: Any, least: float) -> float:
    """Returns the value as a float.

    Raises:
        ValueError: if it is no number, or less than `least`.
    """
    if not is_number(value) or not value >= least:
        raise ValueError(f"{name} must be a number from {least} on, got {value!r}.")
    return float(value)


def check_share(name: str, value: Any, *, above_zero: bool = False) -> float:
    """Returns the value as a float.

    Raises:
        ValueError: if it is no number from 0 to 1, or is 0 where it must be above.
    """
    if not is_number(value) or not 0 <= value <= 1 or (above_zero and value == 0):
        expected = "above 0 and at most 1" if above_zero else "from 0 to 1"
        raise ValueError(f"{name} must be a number {expected}, got {value!r}.")
    return float(value)
