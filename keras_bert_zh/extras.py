"""Packages that only some features need; each is installed by an extra of this package."""

import importlib
from types import ModuleType


def imported(module: str, extra: str, use: str) -> ModuleType:
    """Returns a module of a package that may not be installed.

    Args:
        module: str, its full name.
        extra: str, the extra that installs the package.
        use: str, what needs it.

    Raises:
        ModuleNotFoundError: if it is not installed. The message says how to install it.

    Example:

    >>> from keras_bert_zh.extras import imported
    >>> imported("no_such.module", "embed", use="Reading Parquet")
    Traceback (most recent call last):
    ModuleNotFoundError: Reading Parquet needs no_such: pip install 'keras-bert-zh[embed]'.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or package).partition(".")[0] != package:
            raise  # It is there, and something that it imports is not.
        raise ModuleNotFoundError(
            f"{use} needs {package}: pip install 'keras-bert-zh[{extra}]'."
        ) from error
