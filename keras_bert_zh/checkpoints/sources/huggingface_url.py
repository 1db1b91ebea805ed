"""Repositories of the Hugging Face Hub, as `hf://org/name` or `hf://org/name@revision`."""

import os
import pathlib
import re

from keras_bert_zh.checkpoints.sources import digests
from keras_bert_zh.checkpoints.sources.found import Found, UnreachableError

BASE = "hf://google-bert/bert-base-chinese"
FORM = "hf://ORGANISATION/NAME or hf://ORGANISATION/NAME@REVISION, on the Hugging Face Hub"

# Nothing else is downloaded: the weights of other frameworks least of all.
FILES = (
    "config.json",
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*.safetensors",
    # How Sentence Transformers pools: a folder a module.
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "[0-9]*_*/config.json",
    "[0-9]*_Dense/model.safetensors",
)
_PICKLE = "pytorch_model.bin"


def fetch(url: str) -> Found:
    """Returns the folder of the repository's files in the cache of huggingface_hub.

    That library downloads what is not in its cache, or newer than there, and takes what is there
    if the network is down. It reads HF_ENDPOINT, HF_HOME, HF_HUB_OFFLINE and HF_TOKEN.

    Raises:
        ImportError: if huggingface_hub is not installed.
        UnreachableError: if the files can't be downloaded and are not in the cache.
        ValueError: if the URL has another form, the repository has no safetensors, or a file is
            not what its digest says.
    """
    match = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:@(.+))?", url)
    if not match:
        raise ValueError(f"{url} must look like {BASE}, or {BASE}@REVISION.")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise ImportError(
            f"{url} is downloaded by huggingface_hub: pip install 'keras-bert-zh[huggingface]'."
        ) from error
    repository, revision = match.groups()
    try:
        snapshot = snapshot_download(repository, revision=revision, allow_patterns=list(FILES))
    except Exception as error:  # From those of its HTTP client to its own: one advice.
        raise UnreachableError.because(error) from error
    folder = pathlib.Path(snapshot)
    if not any(folder.glob("*.safetensors")):
        _refuse(url, repository, folder)
    compared = {file for file in sorted(folder.iterdir()) if _compare(url, file)}
    verified = compared.issuperset(folder.glob("*.safetensors"))
    # PATH/snapshots/COMMIT: deleting the commit alone leaves the files that it links to.
    return Found(folder, verified, cached=folder.parents[1])


def instead(url: str) -> list[str]:
    """Returns what works without the Hugging Face Hub."""
    return [
        "HF_ENDPOINT=https://... in the environment, for a mirror; HF_TOKEN, for a repository that "
        "needs permission;",
        "the path of a folder with the repository's config.json, model.safetensors and vocab.txt, "
        "in place of the URL;",
        "a cache folder that was filled elsewhere: HF_HOME chooses it;",
    ]


def _refuse(url: str, repository: str, folder: pathlib.Path) -> None:
    """Says why a snapshot has no weights: the repository has none that are read, or a cut cable."""
    from huggingface_hub import list_repo_files

    try:
        # The folder's name is the commit.
        files = list_repo_files(repository, revision=folder.name)
    except Exception as error:
        raise UnreachableError(
            f"its copy in {folder} has no weights yet: {type(error).__name__}: {error}"
        ) from error
    if _PICKLE not in files:
        raise ValueError(
            f"{url} has no model.safetensors. It holds {', '.join(sorted(files)[:20])}."
        )
    raise ValueError(
        f"{url} has no model.safetensors, but {_PICKLE}, which is not read: a pickle can run any "
        "code when it is opened. If one of the repository's pull requests has a converted copy, "
        f"load {url.partition('@')[0]}@refs/pr/NUMBER. Or download the repository, and load its "
        "folder: the error then says how to convert it."
    )


def _compare(url: str, file: pathlib.Path) -> bool:
    """Compares a file with the digest that huggingface_hub names a large one by, if it has one."""
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
