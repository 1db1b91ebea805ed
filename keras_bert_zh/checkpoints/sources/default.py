"""The default checkpoint, Google's Chinese BERT, from the first server that has it."""

import dataclasses
import pathlib
import threading
import warnings

from keras_bert_zh.checkpoints.readers.json_files import read_config
from keras_bert_zh.checkpoints.sources import (
    digests,
    huggingface_url,
    modelscope_url,
    published,
    tfhub_url,
    zip_url,
)
from keras_bert_zh.checkpoints.sources.found import Found, UnreachableError
from keras_bert_zh.config import BertConfig

DEFAULT = "default"
FORM = f'"{DEFAULT}", Google\'s Chinese BERT from the first server that has it'

# Where the same weights are, in the order in which they are asked for.
PLACES = (
    (tfhub_url.MODULE, tfhub_url),
    (published.URL, zip_url),
    (huggingface_url.BASE, huggingface_url),
    (modelscope_url.BASE, modelscope_url),
)
# Those that were made by others than Google, whose files are looked at before they are taken.
COPIES = (huggingface_url.BASE, modelscope_url.BASE)
ARCHITECTURE = BertConfig()

_lock = threading.Lock()
# What this process took; empty until it took something.
_taken: list[Found] = []


def fetch(source: str = DEFAULT) -> Found:
    """Returns the files from the first source that has them, and remembers it for this process.

    So layers that are created one after the other have the same weights, and no source is asked
    twice. A copy in a cache is used before the network. A source that does not answer is skipped.
    If one answers with wrong files, that is an error: something changes what is downloaded.

    Raises:
        UnreachableError: if no source answers; it gives the reason for each source.
        ValueError: if files are damaged, or are not those of Google's Chinese BERT.
    """
    with _lock:
        # It may have been deleted since.
        if not _taken or not _taken[0].path.exists():
            _taken[:] = [_from_a_cache() or _from_the_network()]
        return _taken[0]


def instead(source: str) -> list[str]:
    """Returns what works if no source answers."""
    return [
        tfhub_url.LATER,
        "HF_ENDPOINT=https://... or MODELSCOPE_ENDPOINT=https://... in the environment, for a "
        "mirror;",
        "the path of a copy of any of these that was downloaded elsewhere, a folder or a zip "
        'archive: BertEncoder("PATH"), BertPreprocess("PATH");',
        f"the module unpacked into {tfhub_url.cache_folder(tfhub_url.MODULE)}, which is checked "
        "first (TFHUB_CACHE_DIR chooses the parent folder);",
    ]


def _from_a_cache() -> Found | None:
    for url, place in PLACES:
        found = place.cached(url)
        if found is not None:
            _check(url, found.path)
            if url != PLACES[0][0]:
                _say(f"The default checkpoint is {url}, which is already downloaded.")
            return found
    return None


def _from_the_network() -> Found:
    failed: dict[str, Exception] = {}
    for url, place in PLACES:
        try:
            found = place.fetch(url)
        except (UnreachableError, ImportError) as error:
            failed[url] = error
            continue
        _check(url, found.path)
        if failed:
            _say(
                f"The default checkpoint is {url}, because it could not be downloaded from "
                f"{' or '.join(failed)}."
            )
        return found
    reasons = "".join(f"\n- {url}: {error}" for url, error in failed.items())
    raise UnreachableError(
        "no server that has it answered. To use a mirror, set HF_ENDPOINT or "
        f"MODELSCOPE_ENDPOINT in the environment. The error of each server:{reasons}"
    )


def _check(url: str, folder: pathlib.Path) -> None:
    """Raises ValueError if a copy is not Google's Chinese BERT."""
    if url not in COPIES:
        return
    problems = digests.mismatches(folder, {"vocab.txt": published.SHA256["vocab.txt"]})
    config = read_config(folder / "config.json", gelu="tanh")
    if dataclasses.replace(config, hidden_act=ARCHITECTURE.hidden_act) != ARCHITECTURE:
        problems.append(f"config.json describes {config}")
    if problems:
        raise ValueError(
            f"The files of {url} in {folder} are not Google's Chinese BERT: {'; '.join(problems)}. "
            "Delete this folder and try again, or pass another source: BertEncoder(SOURCE)."
        )


def _say(line: str) -> None:
    warnings.warn(line, stacklevel=2)
