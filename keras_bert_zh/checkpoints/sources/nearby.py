"""Guesses which path or URL was meant if a path does not exist."""

import difflib
import pathlib
import re

from keras_bert_zh.checkpoints.sources import default, published, tfhub_url
from keras_bert_zh.checkpoints.sources.huggingface_url import BASE
from keras_bert_zh.checkpoints.sources.local_path import SMALL
from keras_bert_zh.checkpoints.sources.resolve import SOURCES

_REPOSITORIES = (
    "google-bert/bert-base-chinese",
    "hfl/chinese-bert-wwm",
    "hfl/chinese-bert-wwm-ext",
    "hfl/chinese-macbert-base",
    "hfl/chinese-macbert-large",
    "hfl/chinese-roberta-wwm-ext",
    "hfl/chinese-roberta-wwm-ext-large",
    "hfl/rbt3",
    "hfl/rbt4",
    "hfl/rbt6",
    "hfl/rbtl3",
    "hfl/chinese-electra-180g-small-discriminator",
    "hfl/chinese-electra-180g-base-discriminator",
    "hfl/chinese-electra-180g-large-discriminator",
    "nghuyong/ernie-1.0-base-zh",
    "nghuyong/ernie-3.0-nano-zh",
    "nghuyong/ernie-3.0-micro-zh",
    "nghuyong/ernie-3.0-mini-zh",
    "nghuyong/ernie-3.0-medium-zh",
    "nghuyong/ernie-3.0-base-zh",
    "nghuyong/ernie-3.0-xbase-zh",
    "BAAI/bge-small-zh-v1.5",
    "BAAI/bge-base-zh-v1.5",
    "BAAI/bge-large-zh-v1.5",
)

# What users call the Chinese BERTs, in lower case and with hyphens: what is to be loaded.
_KNOWN = {
    "small": SMALL,
    **dict.fromkeys(("base", "bert", "bert-base", "bert-base-zh", "bert-chinese"), BASE),
    **{name.lower(): f"hf://{name}" for name in _REPOSITORIES},
    **{name.lower().partition("/")[2]: f"hf://{name}" for name in _REPOSITORIES},
    "chinese-l-12-h-768-a-12": published.URL,
    **dict.fromkeys(("default", "bert-chinese-l-12-h-768-a-12"), default.FORM),
    "google/bert-chinese-l-12-h-768-a-12": tfhub_url.MODULE,
}


def advice(path: pathlib.Path) -> str:
    """Returns a sentence that says what to pass instead of this path, which does not exist."""
    url = re.fullmatch(r"([a-z][a-z0-9+.-]*):/*(.+)", str(path))
    if url and url[1] in SOURCES:
        return f'Did you mean the URL "{url[1]}://{url[2]}", passed as a str?'
    found = [found for found in (_sibling(path), _known(path)) if found]
    if found:
        return f"Did you mean {' or '.join(found)}?"
    if _is_name(path) and len(path.parts) == 2 and not path.parent.exists():
        return f"It may be on the Hugging Face Hub: try hf://{path}."
    return f"Pass a path that exists, a URL such as {BASE}, or {SMALL}."


def _known(path: pathlib.Path) -> str | None:
    """Returns the source of the checkpoint that has a similar name."""
    if not _is_name(path):
        return None
    name = re.sub(r"/\d+$", "", str(path)).lower().replace("_", "-")
    close = difflib.get_close_matches(name, _KNOWN, n=1, cutoff=0.85)
    return _KNOWN[close[0]] if close else None


def _is_name(path: pathlib.Path) -> bool:
    return not path.is_absolute() and bool(re.fullmatch(r"[\w.-]+(/[\w.-]+){0,2}", str(path)))


def _sibling(path: pathlib.Path) -> str | None:
    """Returns an existing path that differs only in the spelling of the first missing part."""
    missing = path
    while not missing.parent.exists():
        missing = missing.parent
    try:
        names = [entry.name for entry in missing.parent.iterdir()]
    except OSError:  # No folder, or one that this user may not read.
        return None
    # The prefix of a TensorFlow checkpoint is no file.
    spellings = {name.removesuffix(".index").lower(): name.removesuffix(".index") for name in names}
    rest = path.relative_to(missing)
    for close in difflib.get_close_matches(missing.name.lower(), spellings, n=3, cutoff=0.7):
        found = missing.with_name(spellings[close]) / rest
        if found.exists() or found.with_name(f"{found.name}.index").exists():
            return str(found)
    return None
