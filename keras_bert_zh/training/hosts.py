"""Several hosts that train one model: one host writes, and all must read the same file.

Keras supports several hosts on JAX only; on other backends there is one.
"""

import contextlib
import pathlib
from collections.abc import Iterable, Iterator

import keras
import numpy as np

from keras_bert_zh.files.sha256 import sha256_of
from keras_bert_zh.layers import kernels

ON_JAX = kernels.BACKEND == "jax"

_SHARE = (
    "The first host writes the file and all hosts read it: use a file on a disk that they share, "
    "or copy it to each host before they start."
)


def is_first() -> bool:
    """Whether this is the host that writes files."""
    if not ON_JAX:
        return True
    import jax

    return jax.process_index() == 0


def check_same(number: int, file: pathlib.Path) -> None:
    """Raises ValueError on all hosts unless each has read the same file.

    Args:
        number: int, how many batches this host has read there.
        file: the file, which need not be there.
    """
    if not _are_several():
        return
    found = _gathered(number)
    if len(set(found)) > 1:
        raise ValueError(
            f"The hosts have read different numbers of batches in {file}: {found}; 0 means that "
            f"the file is missing. {_SHARE}"
        )
    digests = _gathered(int(sha256_of(file)[:7], 16) if file.exists() else 0)
    if len(set(digests)) > 1:
        raise ValueError(f"The hosts have read different files {file}. {_SHARE}")


@contextlib.contextmanager
def together(what: str) -> Iterator[None]:
    """Waits for all hosts at the end of the block; what is raised on one ends it on all.

    Args:
        what: str, what fails.

    Raises:
        RuntimeError: where it has failed on another host.
    """
    try:
        yield
    except Exception:
        _gathered(1)
        raise
    failed = _gathered(0)
    if any(failed):
        raise RuntimeError(f"{what} failed on host {failed.index(1)}: see the error there.")


def _gathered(number: int) -> list[int]:
    """Returns the numbers of all hosts, in their order."""
    if not _are_several():
        return [number]
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(np.array(number, np.int32)).tolist()


def check_whole(variables: Iterable[keras.Variable]) -> None:
    """Raises ValueError if a variable is split, and this host does not have all of it."""
    if not _are_several():
        return
    for variable in variables:
        if not (variable.value.is_fully_replicated or variable.value.is_fully_addressable):
            raise ValueError(
                f"TrainingState saves the variables of one host, but {variable.path} is split over "
                "several hosts. Train with keras.distribution.DataParallel, or on the devices of "
                "one host."
            )


def _are_several() -> bool:
    if not ON_JAX:
        return False
    import jax

    return jax.process_count() > 1
