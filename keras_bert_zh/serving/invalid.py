"""What is wrong with a body, in one sentence, of all that Pydantic finds."""

from collections.abc import Sequence
from typing import Any

from keras_bert_zh.serving import schemas
from keras_bert_zh.serving.errors import RefusedError

_FIELDS = {name for x in vars(schemas).values() for name in getattr(x, "model_fields", ())}

_SENTENCES = {
    "missing": "is missing.",
    "extra_forbidden": "is not a field of this request.",
    "string_type": "must be a text.",
    "too_short": "must not be empty.",
    "model_attributes_type": "must be a JSON object.",
    "model_type": "must be a text or an object.",
    "dict_type": "must be a JSON object.",
    "list_type": "must be a list.",
    "int_type": "must be a whole number.",
    "int_parsing": "must be a whole number.",
    "bool_type": "must be true or false.",
    "bool_parsing": "must be true or false.",
}

# Where a value was tried as several kinds, these tell least.
_OF_KIND = ("string_type", "list_type", "model_type", "model_attributes_type", "dict_type")


def of_validation(problems: Sequence[dict[str, Any]]) -> RefusedError:
    """Returns the error for a body that is not what its schema says.

    Args:
        problems: what Pydantic found, one at least.
    """
    found = max(problems, key=lambda x: (len(_way(x["loc"])), x["type"] not in _OF_KIND))
    kind, way = found["type"], _way(found["loc"])
    if kind == "json_invalid":
        reason = found.get("ctx", {}).get("error", found["msg"])
        return RefusedError(400, f"The body must be JSON: {reason}.", param="body", code="not_json")
    param = "".join(f"[{x}]" if isinstance(x, int) else f".{x}" for x in way).lstrip(".")
    if (
        kind == "string_type"
        and isinstance(found.get("input"), (int, list))
        and param[:5] == "input"
    ):
        sentence = "must be a text; send token ids to /v1/models/NAME:predict."
    else:
        text = found["msg"].removeprefix("Value error, ")
        sentence = _SENTENCES.get(kind, f"is wrong: {text[:1].lower()}{text[1:]}.")
    return RefusedError(422, f"{param or 'The body'} {sentence}", param=param or "body", code=kind)


def _way(loc: Sequence) -> list:
    """Returns the way to a field, without the kinds of values that it was tried as."""
    first, *rest = loc
    found = [] if first == "body" else [first]
    return found + [part for part in rest if isinstance(part, int) or _is_field(part)]


def _is_field(part: str) -> bool:
    # Unknown fields too, but not "str", "Pair", "list[...]" or "function-after[...]".
    return part in _FIELDS or (
        part.isidentifier() and part.islower() and part not in ("str", "list")
    )
