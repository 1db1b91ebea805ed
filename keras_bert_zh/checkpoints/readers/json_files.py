"""Reads a checkpoint's JSON files."""

import json
import pathlib
from typing import Any

from keras_bert_zh.config import BertConfig


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Returns the JSON object in the file.

    Raises:
        ValueError: if the file does not exist, or is not a JSON object in UTF-8.
    """
    fields = _parsed(path)
    if not isinstance(fields, dict):
        raise ValueError(f"{path} must contain a JSON object, got {type(fields).__name__}.")
    return fields


def read_json_list(path: pathlib.Path) -> list[Any]:
    """Returns the JSON array in the file, with the errors of `read_json`."""
    entries = _parsed(path)
    if not isinstance(entries, list):
        raise ValueError(f"{path} must contain a JSON array, got {type(entries).__name__}.")
    return entries


def read_config(path: pathlib.Path, *, gelu: str | None) -> BertConfig:
    """Returns the BertConfig in the file; `gelu` says which GELU `"gelu"` means there."""
    try:
        return BertConfig.from_dict(read_json(path), gelu=gelu)
    except ValueError as error:
        message = str(error)
        raise ValueError(message if str(path) in message else f"{path}: {message}") from error


def _parsed(path: pathlib.Path) -> Any:
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ValueError(f"{path} is not a file, but the checkpoint needs it.") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}.") from error
