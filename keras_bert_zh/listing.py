"""Long lists of names, as messages show them."""

from collections.abc import Iterable


def listing(names: Iterable[object], most: int) -> str:
    """Returns the first names, and how many there are beyond."""
    names = list(map(str, names))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
