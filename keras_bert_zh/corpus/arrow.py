"""Arrow, which reads and writes Parquet, and is an extra."""

import importlib
from types import ModuleType


def arrow() -> ModuleType:
    """Returns `pyarrow`.

    Raises:
        ImportError: if it is not installed; says how to.
    """
    return _imported("pyarrow")


def parquet() -> ModuleType:
    """Returns `pyarrow.parquet`.

    Raises:
        ImportError: as `arrow` does.
    """
    return _imported("pyarrow.parquet")


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            "Vectors of a corpus are stored as Parquet, which needs pyarrow: "
            "pip install 'keras-bert-zh[embed]'."
        ) from error
