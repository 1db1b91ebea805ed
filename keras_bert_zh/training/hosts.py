"""Several hosts that train one model: which of them writes, and that all read the same.

Keras has them on JAX alone; elsewhere there is one.
"""

import pathlib
from collections.abc import Iterable

import keras
import numpy as np

from keras_bert_zh.layers import kernels

ON_JAX = kernels.BACKEND == "jax"


def is_first() -> bool:
    """Whether this is the host that writes files."""
    if not ON_JAX:
        return True
    import jax

    return jax.process_index() == 0


def wait_for_all(what: str) -> None:
    """Returns when all hosts have come here.

    Args:
        what: str, the same on all of them.
    """
    if _are_several():
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(what)


def check_same(number: int, file: pathlib.Path) -> None:
    """Raises ValueError on all hosts unless each has read the same number of batches in a file."""
    if not _are_several():
        return
    from jax.experimental import multihost_utils

    found = multihost_utils.process_allgather(np.array(number, np.int32))
    if len(set(found.tolist())) > 1:
        raise ValueError(
            f"The hosts have read different numbers of batches in {file}: {found.tolist()}, with 0 "
            "where it is not there. The first one writes and all read it: name a file on a disk "
            "that all of them share, or copy it to each before they start."
        )


def check_whole(variables: Iterable[keras.Variable]) -> None:
    """Raises ValueError if a variable is split, and this host does not have all of it."""
    if not _are_several():
        return
    for variable in variables:
        if not (variable.value.is_fully_replicated or variable.value.is_fully_addressable):
            raise ValueError(
                f"TrainingState saves what one host has, and {variable.path} is split over several "
                "hosts. Train with keras.distribution.DataParallel, or on the devices of one host."
            )


def _are_several() -> bool:
    if not ON_JAX:
        return False
    import jax

    return jax.process_count() > 1
