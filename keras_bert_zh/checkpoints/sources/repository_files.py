"""Which files of a model repository are downloaded: what a checkpoint needs, and no more."""

import fnmatch
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


def wanted(names: Iterable[str]) -> list[str]:
    """Returns those of a repository's files that are downloaded: small ones, then one's weights."""
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
