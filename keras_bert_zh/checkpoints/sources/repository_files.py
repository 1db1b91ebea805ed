"""The meaning of a model repository's URL, and the files that a checkpoint needs from it."""

import fnmatch
import re
from collections.abc import Iterable

from keras_bert_zh.checkpoints.weight_kinds import safest

BESIDE_WEIGHTS = (
    "config.json",
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "added_tokens.json",
    # How Sentence Transformers pools: one folder for each module.
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "[0-9]*_*/config.json",
    "[0-9]*_Dense/model.safetensors",
)


def parsed(url: str, example: str) -> tuple[str, str | None]:
    """Returns the repository, as OWNER/NAME, and the revision, if the URL has one.

    Args:
        url: the URL.
        example: a URL with the same scheme, for the error message.

    Raises:
        ValueError: if the URL has another form.
    """
    scheme = example.partition("://")[0]
    match = re.fullmatch(rf"{scheme}://([\w.-]+/[\w.-]+)(?:@(.+))?", url)
    if not match:
        raise ValueError(f"{url} must look like {example}, or {example}@REVISION.")
    return match[1], match[2]


def wanted(names: Iterable[str]) -> list[str]:
    """Returns the files of a repository to download: the small ones, then one kind of weights."""
    names = sorted(names)
    return [name for name in names if _fits(name, BESIDE_WEIGHTS)] + weights(names)


def weights(names: Iterable[str]) -> list[str]:
    """Returns the files of the weights, of the safest kind that the repository has."""
    names = sorted(names)
    kind = safest(names)
    if kind is None:
        return []
    return [kind.file] if kind.file in names else [n for n in names if _fits(n, kind.patterns)]


def _fits(name: str, patterns: Iterable[str]) -> bool:
    # Part by part: none of the patterns fits "..", and so no name that leads out of a folder.
    parts = name.split("/")
    return any(
        len(parts) == pattern.count("/") + 1
        and all(map(fnmatch.fnmatchcase, parts, pattern.split("/")))
        for pattern in patterns
    )
