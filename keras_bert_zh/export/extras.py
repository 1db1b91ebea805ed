"""Packages that a format needs."""

import importlib.util
from collections.abc import Iterable


def needs(extra: str, modules: Iterable[str]) -> None:
    """Raises ImportError, which says how to install them, if one of these modules is missing.

    Args:
        extra: str, the extra of this package that brings them along.
        modules: what is imported of them.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"This export needs {', '.join(missing)}: pip install 'keras-bert-zh[{extra}]'."
        )
