"""Repositories of ModelScope, as `modelscope://owner/name` or `modelscope://owner/name@revision`.

Only two addresses are needed, the ones that ModelScope's own library uses
(https://github.com/modelscope/modelscope_hub). That library installs more packages, needs the
network each time, and then reads all weights again to compare them.
"""

import hashlib
import json
import os
import pathlib
import urllib.error
import urllib.parse
from typing import NamedTuple

from keras_bert_zh.checkpoints.sources import cache, downloads, repository_files
from keras_bert_zh.checkpoints.sources.found import Found, UnreachableError
from keras_bert_zh.files.new_file import new_file
from keras_bert_zh.files.sha256 import sha256_of
from keras_bert_zh.messages import listing

BASE = "modelscope://google-bert/bert-base-chinese"
FORM = "modelscope://OWNER/NAME or modelscope://OWNER/NAME@REVISION, on ModelScope"

_SITE = "https://modelscope.cn"


class _File(NamedTuple):
    """A file in the list of a repository; `sha256` is empty if the list has none."""

    path: str
    size: int
    sha256: str


def fetch(url: str) -> Found:
    """Returns the folder of the repository's files in this package's cache, downloading it first.

    The list of files is requested each time, and a new version is downloaded. If the network is
    down, the last downloaded version is used. MODELSCOPE_ENDPOINT chooses another site, and
    MODELSCOPE_API_TOKEN is sent to it.

    Raises:
        UnreachableError: if the files can't be downloaded and are not in the cache.
        ValueError: if the URL has another form, the repository has no weights, or a file does not
            match its digest. Then nothing of that version is kept.
    """
    repository, revision = repository_files.parsed(url, BASE)
    try:
        files = _listing(repository, revision)
    except UnreachableError:
        found = cached(url)
        if found is None:
            raise
        return found
    chosen = [files[name] for name in repository_files.wanted(files)]
    if not repository_files.weights(files):
        raise ValueError(
            f"{url} has no weights that can be read. It contains {listing(sorted(files), 20)}."
        )
    version = hashlib.sha256(json.dumps(chosen).encode()).hexdigest()

    def make(folder: pathlib.Path) -> None:
        for file in chosen:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            _download(repository, revision, file, path)

    folder = cache.keep(_folder(repository) / version, make)
    verified = all(file.sha256 for file in chosen)
    with new_file(_latest(repository, revision)) as latest:
        latest.write_text(json.dumps([version, verified]))
    return Found(folder, verified, cached=folder)


def cached(url: str) -> Found | None:
    """Returns what is in the cache for this repository, without the network."""
    repository, revision = repository_files.parsed(url, BASE)
    latest = _latest(repository, revision)
    if not latest.is_file():
        return None
    version, verified = json.loads(latest.read_text())
    folder = _folder(repository) / version
    return Found(folder, verified, cached=folder) if folder.is_dir() else None


def instead(url: str) -> list[str]:
    """Returns what works without ModelScope."""
    return [
        "MODELSCOPE_ENDPOINT=https://... in the environment, for another ModelScope site; "
        "MODELSCOPE_API_TOKEN, for a repository that needs permission;",
        "the path of a folder with the repository's config.json, weights and vocab.txt, in place "
        "of the URL: ModelScope's own library keeps such folders in ~/.cache/modelscope;",
    ]


def _folder(repository: str) -> pathlib.Path:
    return cache.folder() / "modelscope" / repository.replace("/", "--")


def _latest(repository: str, revision: str | None) -> pathlib.Path:
    """Returns the file that records the last downloaded version of a revision."""
    name = urllib.parse.quote(revision or "", safe="")
    return _folder(repository) / "latest" / f"@{name}.json"


def _listing(repository: str, revision: str | None) -> dict[str, _File]:
    """Returns the files of the revision by their paths."""
    address = _address(repository, "repo/files", revision, Recursive="true")
    try:
        answer = json.loads(downloads.read(address, _secrets()))
        entries = answer["Data"]["Files"]
    except urllib.error.HTTPError as error:
        said = error.read(300).decode(errors="replace")
        raise UnreachableError(f"HTTPError: {error} {said}".rstrip()) from error
    except Exception as error:  # From URLError to what is no such JSON.
        raise UnreachableError.because(error) from error
    # A revision that does not exist is answered like one without files.
    if not entries:
        named = f"revision {revision}" if revision else "main branch"
        raise UnreachableError(f"ModelScope lists no files for the {named}")
    return {
        entry["Path"]: _File(entry["Path"], entry["Size"], entry.get("Sha256") or "")
        for entry in entries
        if entry["Type"] != "tree"
    }


def _download(repository: str, revision: str | None, file: _File, path: pathlib.Path) -> None:
    address = _address(repository, "repo", revision, FilePath=file.path)
    downloads.download(address, path, _secrets())
    came = path.stat().st_size
    if came < file.size:
        raise UnreachableError(f"only {came:,} of {file.size:,} bytes of {file.path} were received")
    found = sha256_of(path) if file.sha256 else ""
    if came > file.size or found != file.sha256:
        raise ValueError(
            f"{file.path} of modelscope://{repository} was damaged in the download from {address}: "
            f"got {came:,} bytes with sha256 {found or 'unknown'}, expected {file.size:,} bytes "
            f"with {file.sha256 or 'unknown'}. Load it again, or set another MODELSCOPE_ENDPOINT."
        )


def _address(repository: str, what: str, revision: str | None, **query: str) -> str:
    # Without a revision, the site takes the main branch, whatever its name.
    query = {"Revision": revision, **query} if revision else query
    site = os.environ.get("MODELSCOPE_ENDPOINT") or _SITE
    return f"{site.rstrip('/')}/api/v1/models/{repository}/{what}?{urllib.parse.urlencode(query)}"


def _secrets() -> dict[str, str]:
    token = os.environ.get("MODELSCOPE_API_TOKEN")
    return {"Authorization": f"Bearer {token}", "Cookie": f"m_session_id={token}"} if token else {}
