"""How a server serves."""

import dataclasses
import hashlib
import os


@dataclasses.dataclass(frozen=True)
class Options:
    """All that can be chosen of a server, beside the model.

    Args:
        name: str, what clients call the model.
        batch_tokens: int, the most tokens of a batch; one text may have more.
        max_wait_ms: float, how long an idle engine waits for a batch to become full.
        queue_tokens: int, the most tokens that wait. With more, requests are refused with 429.
        max_texts: int, the most texts of a request.
        max_body_bytes: int, the most bytes of a request.
        timeout: float, in seconds: when a request that is not answered is given up. Clients ask
            for less by the header `X-Request-Timeout`.
        threads: int, how many threads compute; `None` for as many as the engine takes by itself.
        engine: str, as for `ExportedModel`.
        keys: tuple of str, digests of `read_keys`; with any, requests need one of the keys as
            `Authorization: Bearer KEY`.
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
    """Reads keys from a file, one a line; blank lines and those that begin with # are none.

    Returns:
        The SHA-256 of each in hexadecimal digits: the keys themselves are not kept.

    Raises:
        ValueError: if it holds no key, or one with characters that no header can hold.
        OSError: if it can't be read.
    """
    from keras_bert_zh.files.utf8 import read_utf8

    lines = (line.strip() for line in read_utf8(path).splitlines())
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys:
        raise ValueError(f"{path} contains no key: write one key per line.")
    if not all(key.isascii() and key.isprintable() and " " not in key for key in keys):
        raise ValueError(f"{path}: keys must be printable ASCII without spaces.")
    return tuple(hashlib.sha256(key.encode()).hexdigest() for key in keys)
