"""Arrow, which reads and writes Parquet, and is an extra."""

from types import ModuleType

from keras_bert_zh.extras import imported

_USE = "Vectors of a corpus are stored as Parquet, which"


def arrow() -> ModuleType:
    """Returns `pyarrow`.

    Raises:
        ModuleNotFoundError: if it is not installed; says how to install it.
    """
    return imported("pyarrow", "embed", _USE)


def parquet() -> ModuleType:
    """Returns `pyarrow.parquet`.

    Raises:
        ModuleNotFoundError: as `arrow` does.
    """
    return imported("pyarrow.parquet", "embed", _USE)
