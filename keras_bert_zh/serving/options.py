"""The options of a server."""

import dataclasses
import hashlib
import os


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of a server, except for the model.

    Args:
        name: str, the name of the model for clients.
        batch_tokens: int, the most tokens in a batch; a single text may have more.
        max_wait_ms: float, the milliseconds that an idle engine waits for a batch to become full.
        queue_tokens: int, the most tokens that may wait. Further requests are refused with 429.
        max_texts: int, the most texts in a request.
        max_body_bytes: int, the most bytes in a request.
        timeout: float, the seconds after which a request without an answer fails. Clients can set
            a shorter time with the header `X-Request-Timeout`.
        threads: int, the number of threads that compute; `None` for the engine's default.
        engine: str, as for `ExportedModel`.
        keys: tuple of str, digests from `read_keys`. If there are any, each request needs one of
            the keys as `Authorization: Bearer KEY`.
        access_log: bool, whether to write a line of JSON for each request.
    """

    name: str = "bert"
    batch_tokens: int = 4096
    max_wait_ms: float = 0.0
    queue_tokens: int = 65_536
    max_texts: int = 1024
    max_body_bytes: int = 4 * 2**20
    timeout: float = 60.0
    threads: int | None = None
    engine: str | None = None
    keys: tuple[str, ...] = ()
    access_log: bool = False


def read_keys(path: str | os.PathLike) -> tuple[str, ...]:
    """Reads keys from a file, one per line; blank lines and lines that begin with # are skipped.

    Returns:
        The SHA-256 of each key in hexadecimal digits: the keys themselves are not kept.

    Raises:
        ValueError: if the file has no key, or a key has characters that a header can't have.
        OSError: if the file can't be read.
    """
    from keras_bert_zh.files.utf8 import read_utf8

    lines = (line.strip() for line in read_utf8(path).splitlines())
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys:
        raise ValueError(f"{path} contains no key: write one key per line.")
    if not all(key.isascii() and key.isprintable() and " " not in key for key in keys):
        raise ValueError(f"{path}: keys must be printable ASCII without spaces.")
    return tuple(hashlib.sha256(key.encode()).hexdigest() for key in keys)
