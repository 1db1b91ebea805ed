"""Which files of a model repository are downloaded: what a checkpoint needs, and no more."""

import fnmatch
from collections.abc import Iterable

SAFETENSORS = ("model.safetensors", "model.safetensors.index.json", "model-*.safetensors")
SMALL = (
    "config.json",
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    # What Sentence Transformers keeps beside a model.
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "*_Pooling/config.json",
    "*_Normalize/config.json",
)

# The forms that weights come in, the safest first. Only one of them is downloaded.
_WEIGHTS = (
    SAFETENSORS[:1],
    SAFETENSORS[1:],
    ("tf_model.h5",),
    ("flax_model.msgpack",),
    ("pytorch_model.bin",),
    ("pytorch_model.bin.index.json", "pytorch_model-*.bin"),
)


def wanted(names: Iterable[str]) -> list[str]:
    """Returns those of a repository's files that are downloaded: small ones, then one's weights."""
    names = sorted(names)
    return [name for name in names if _fits(name, SMALL)] + weights(names)


def weights(names: Iterable[str]) -> list[str]:
    """Returns the files of the weights, in the safest form that the repository has."""
    names = sorted(names)
    for patterns in _WEIGHTS:
        if any(_fits(name, patterns[-1:]) for name in names):
            return [name for name in names if _fits(name, patterns)]
    return []


def _fits(name: str, patterns: Iterable[str]) -> bool:
    # Part by part: none of the patterns fits "..", and so no name that leads out of a folder.
    parts = name.split("/")
    return any(
        len(parts) == pattern.count("/") + 1
        and all(map(fnmatch.fnmatchcase, parts, pattern.split("/")))
        for pattern in patterns
    )
