"""Downloads single files."""

import contextlib
import hashlib
import pathlib
import re
import sys
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping

from keras_bert_zh.checkpoints.sources import cache
from keras_bert_zh.checkpoints.sources.found import UnreachableError

_CHUNK = 1 << 20
_SECONDS = 30


def zip_path(url: str) -> pathlib.Path:
    """Returns where the zip archive of this URL is kept, whether it exists or not."""
    name = f"{hashlib.sha256(url.encode()).hexdigest()}.zip"
    return cache.folder() / "downloads" / name


def fetch_zip(url: str) -> pathlib.Path:
    """Returns the file in the cache with the zip archive of this URL, downloaded only once.

    Raises:
        UnreachableError: if it can't be downloaded completely, or is not a zip archive.
    """
    return cache.keep(zip_path(url), lambda path: _download_zip(url, path))


def read(url: str, secrets: Mapping[str, str]) -> bytes:
    """Returns the content at this URL, a small file."""
    with urllib.request.urlopen(_request(url, secrets), timeout=_SECONDS) as response:
        return response.read()


def download(url: str, path: pathlib.Path, secrets: Mapping[str, str] | None = None) -> None:
    """Downloads this URL to a new file.

    Args:
        url: the URL.
        path: the file to create.
        secrets: headers for this server, which are not sent to servers that it redirects to.

    Raises:
        UnreachableError: if it can't be downloaded, or not completely.
    """
    with path.open("xb") as file:
        try:
            with urllib.request.urlopen(_request(url, secrets), timeout=_SECONDS) as response:
                length = response.headers.get("Content-Length")
                total = int(length) if length else None
                chunks = iter(lambda: response.read(_CHUNK), b"")
                with _progress(url, total) as advance:
                    for chunk in chunks:
                        file.write(chunk)
                        advance(len(chunk))
        except Exception as error:  # From URLError to HTTPException and a wrong Content-Length.
            raise UnreachableError.because(error) from error
        came = file.tell()
    if total is not None and came != total:
        raise UnreachableError(f"only {came:,} of {total:,} bytes were received")


def _download_zip(url: str, path: pathlib.Path) -> None:
    download(url, path)
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            start = file.read(40)
        raise UnreachableError(
            f"the downloaded file is not a zip archive: it begins with {start!r}"
        )


def _request(url: str, secrets: Mapping[str, str] | None) -> urllib.request.Request:
    request = urllib.request.Request(url, headers={"User-Agent": "keras-bert-zh"})
    for name, value in (secrets or {}).items():
        request.add_unredirected_header(name, value)
    return request


@contextlib.contextmanager
def _progress(url: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Shows a progress bar on a terminal; yields a function to call with each count of bytes."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        # The last part of a path, or of a query that names the file.
        task = bar.add_task(re.split("[/=]", url)[-1], total=total)
        yield lambda count: bar.advance(task, count)
