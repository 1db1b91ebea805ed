"""Reads a checkpoint's JSON files."""

import json
import pathlib
from typing import Any

from keras_bert_zh.config import BertConfig


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Returns the JSON object in the file.

    Raises:
        ValueError: if there is no such file, or it is not a JSON object in UTF-8.
    """
    fields = _parsed(path)
    if not isinstance(fields, dict):
        raise ValueError(f"{path} must hold a JSON object, got {type(fields).__name__}.")
    return fields


def read_json_list(path: pathlib.Path) -> list[Any]:
    """Does the same for a JSON array."""
    entries = _parsed(path)
    if not isinstance(entries, list):
        raise ValueError(f"{path} must hold a JSON array, got {type(entries).__name__}.")
    return entries


def read_config(path: pathlib.Path, *, gelu: str | None) -> BertConfig:
    """Returns the BertConfig in the file; `gelu` is what it means by `"gelu"`."""
    try:
        return BertConfig.from_dict(read_json(path), gelu=gelu)
    except ValueError as error:
        message = str(error)
        raise ValueError(message if str(path) in message else f"{path}: {message}") from error


def _parsed(path: pathlib.Path) -> Any:
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ValueError(f"{path} is no file, but the checkpoint needs it.") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}.") from error
