"""Zip archives by URL, downloaded and unpacked into the package's cache."""

from keras_bert_zh.checkpoints.sources import archive, downloads, published
from keras_bert_zh.checkpoints.sources.found import Found

FORM = f"the https:// or http:// URL of a zip archive, such as {published.URL}"


def fetch(url: str) -> Found:
    """Returns the folder with the content of the archive, downloading it first.

    Raises:
        UnreachableError: if it can't be downloaded.
        ValueError: if the archive is damaged, unsafe to unpack, or not the one Google published.
    """
    file = downloads.fetch_zip(url)
    try:
        folder = archive.unpack(file, from_google=url == published.URL)
    except ValueError as error:
        error.add_note(f"Delete {file} and load {url} again.")
        raise
    return Found(folder, verified=True, cached=folder)


def cached(url: str) -> Found | None:
    """Returns what was downloaded before and still exists, without the network."""
    return fetch(url) if downloads.zip_path(url).exists() else None


def instead(url: str) -> list[str]:
    """Returns what works without the server of the archive."""
    return ["the path of a copy of the archive, or of its unpacked folder, in place of the URL;"]
