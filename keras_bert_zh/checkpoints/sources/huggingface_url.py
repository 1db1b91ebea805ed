"""Repositories of the Hugging Face Hub, as `hf://org/name` or `hf://org/name@revision`."""

import os
import pathlib
import re
from collections.abc import Callable, Iterable

from keras_bert_zh.checkpoints.sources import digests
from keras_bert_zh.checkpoints.sources.found import Found, UnreachableError
from keras_bert_zh.checkpoints.sources.repository_files import BESIDE_WEIGHTS, parsed
from keras_bert_zh.checkpoints.weight_kinds import KINDS, Kind, safest
from keras_bert_zh.extras import imported
from keras_bert_zh.messages import listing

BASE = "hf://google-bert/bert-base-chinese"
FORM = "hf://ORGANISATION/NAME or hf://ORGANISATION/NAME@REVISION, on the Hugging Face Hub"


def fetch(url: str) -> Found:
    """Returns the folder of the repository's files in the cache of huggingface_hub.

    huggingface_hub downloads files that are missing in its cache or have a newer version, and
    uses the cache if the network is down. It reads HF_ENDPOINT, HF_HOME, HF_HUB_OFFLINE and
    HF_TOKEN.

    Raises:
        ImportError: if huggingface_hub is not installed.
        UnreachableError: if the files can't be downloaded and are not in the cache.
        ValueError: if the URL has another form, the repository has no weights that can be read, or
            a file does not match its digest.
    """
    repository, revision = parsed(url, BASE)
    download = _downloader(url)
    kind, *others = KINDS
    try:
        patterns = [*BESIDE_WEIGHTS, *kind.patterns]
        folder = pathlib.Path(download(repository, revision=revision, allow_patterns=patterns))
        while not _holds(folder, kind) and others:
            kind, *others = others
            # The folder's name is the commit.
            download(repository, revision=folder.name, allow_patterns=[*kind.patterns])
    except Exception as error:  # From those of its HTTP client to its own: one advice.
        raise UnreachableError.because(error) from error
    if not _holds(folder, kind):
        _refuse(url, repository, folder)
    return _found(url, folder, kind)


def cached(url: str) -> Found | None:
    """Returns what is in the cache of huggingface_hub, without the network."""
    repository, revision = parsed(url, BASE)
    needed = ["config.json", "vocab.txt"]
    try:
        folder = pathlib.Path(
            _downloader(url)(
                repository, revision=revision, allow_patterns=needed, local_files_only=True
            )
        )
    except Exception:  # Its own errors for what is not there, and it may be missing itself.
        return None
    # Other programs may have asked for the tokenizer alone.
    kind = safest([file.name for file in folder.iterdir()])
    complete = all((folder / name).exists() for name in needed)
    return _found(url, folder, kind) if kind and complete else None


def instead(url: str) -> list[str]:
    """Returns what works without the Hugging Face Hub."""
    return [
        "HF_ENDPOINT=https://... in the environment, for a mirror; HF_TOKEN, for a repository that "
        "needs permission;",
        "the path of a folder with the repository's config.json, weights and vocab.txt, "
        "in place of the URL;",
        "a cache folder that was filled elsewhere: HF_HOME chooses it;",
    ]


def _downloader(url: str) -> Callable[..., str]:
    return imported("huggingface_hub", "huggingface", f"Downloading {url}").snapshot_download


def _found(url: str, folder: pathlib.Path, kind: Kind) -> Found:
    weights = _files(folder, kind.patterns)
    compared = {file for file in [*_files(folder, BESIDE_WEIGHTS), *weights] if _compare(url, file)}
    # PATH/snapshots/COMMIT: deleting the commit alone leaves the files that it links to.
    return Found(folder, verified=compared.issuperset(weights), cached=folder.parents[1])


def _holds(folder: pathlib.Path, kind: Kind) -> bool:
    return safest([file.name for file in _files(folder, kind.patterns)]) == kind


def _files(folder: pathlib.Path, patterns: Iterable[str]) -> list[pathlib.Path]:
    return sorted({file for pattern in patterns for file in folder.glob(pattern)})


def _refuse(url: str, repository: str, folder: pathlib.Path) -> None:
    """Raises an error: the repository has no weights that can be read, or the network failed."""
    from huggingface_hub import list_repo_files

    try:
        files = list_repo_files(repository, revision=folder.name)
    except Exception as error:
        raise UnreachableError(
            f"the local copy in {folder} has no weights yet: {type(error).__name__}: {error}"
        ) from error
    raise ValueError(
        f"{url} has none of the weight files {', '.join(kind.file for kind in KINDS)}. It "
        f"contains {listing(sorted(files), 20)}."
    )


def _compare(url: str, file: pathlib.Path) -> bool:
    """Compares a file with its digest, if huggingface_hub has one for it."""
    # One step only: the named file may itself be a link to a store that several caches share.
    name = pathlib.Path(os.readlink(file)).name if file.is_symlink() else ""
    if not re.fullmatch("[0-9a-f]{64}", name):
        return False
    found = digests.sha256_once(file, name)
    if found != name:
        raise ValueError(
            f"{file} is damaged: its sha256 is {found}, expected {name}. Delete "
            f"{file.resolve()} and load {url} again."
        )
    return True
