"""Compresses what tests read."""

import gzip
import lzma

import pyarrow as pa


def compressed(content: bytes, ending: str) -> bytes:
    """Returns bytes as a file has them whose name ends like this."""
    if ending.lower() == ".zst":
        return pa.compress(content, "zstd", asbytes=True)
    return {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}[ending.lower()](content)
