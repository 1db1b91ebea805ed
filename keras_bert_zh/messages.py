"""Shared parts of the messages to users."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

# Keras's own mark of an error that it has added the arguments of a call to.
_BEEN_THROUGH = "_keras_call_info_injected"


def listing(names: Iterable[object], most: int) -> str:
    """Returns the first names, and how many more there are."""
    shown = list(map(str, names))
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more


def says_it_all(check: Callable) -> Callable:
    """Decorates a check so that users see only the message of its error.

    When a layer is called, Keras writes "Exception encountered when calling" before the message of
    an error and all arguments after it, arrays too. It does not do so for errors that it has marked
    as handled; this sets that mark. The types of errors do not change.
    """

    @functools.wraps(check)
    def checked(*args: Any, **kwargs: Any) -> Any:
        try:
            return check(*args, **kwargs)
        except (TypeError, ValueError) as error:
            setattr(error, _BEEN_THROUGH, True)
            raise

    return checked
