"""Downloads a plain file into the cache, once."""

import contextlib
import hashlib
import pathlib
import sys
import urllib.request
import zipfile
from collections.abc import Callable, Iterator

from keras_bert_zh.checkpoints.sources import cache
from keras_bert_zh.checkpoints.sources.found import UnreachableError

_CHUNK = 1 << 20
_SECONDS = 30


def fetch_zip(url: str) -> pathlib.Path:
    """Returns the file in the cache that holds the zip archive at this URL.

    Raises:
        UnreachableError: if it can't be downloaded completely, or what comes is no zip archive.
    """
    name = f"{hashlib.sha256(url.encode()).hexdigest()}.zip"
    return cache.keep(cache.folder() / "downloads" / name, lambda path: _download(url, path))


def _download(url: str, path: pathlib.Path) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "keras-bert-zh"})
    with path.open("xb") as file:
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:
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
        raise UnreachableError(f"only {came:,} of {total:,} bytes came")
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            start = file.read(40)
        raise UnreachableError(f"what came is no zip archive: it begins with {start!r}")


@contextlib.contextmanager
def _progress(url: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Draws a bar where somebody can see it; yields a function to call with each count of bytes."""
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
        task = bar.add_task(url.rpartition("/")[2], total=total)
        yield lambda count: bar.advance(task, count)
