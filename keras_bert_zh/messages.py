"""What messages to users have in common."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

# Keras's own mark of an error that it has added the arguments of a call to.
_BEEN_THROUGH = "_keras_call_info_injected"


def listing(names: Iterable[object], most: int) -> str:
    """Returns the first names, and how many there are beyond."""
    shown = list(map(str, names))
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more


def says_it_all(check: Callable) -> Callable:
    """Decorates a check, so that the message of its error is all that users see.

    Where a layer is called, Keras writes "Exception encountered when calling" before the message
    of an error and all arguments behind it, arrays too. It does not for an error with this mark,
    which it gives those that it has been through already. Types stay as they are.
    """

    @functools.wraps(check)
    def checked(*args: Any, **kwargs: Any) -> Any:
        try:
            return check(*args, **kwargs)
        except (TypeError, ValueError) as error:
            setattr(error, _BEEN_THROUGH, True)
            raise

    return checked
