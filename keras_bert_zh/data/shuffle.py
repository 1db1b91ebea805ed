"""Shuffled rows, epoch after epoch, without a list of them.

`tf.random.experimental.index_shuffle` does the same with a cipher of four rounds, which mixes too
little: of 5,000 rows, 40 have the same position in two epochs, where chance would give 1.
"""

import numpy as np

_ROUNDS = 16
_GOLDEN = 0x9E3779B97F4A7C15


def shuffled(positions: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Returns the rows at these positions of an endless stream of epochs.

    The `count` positions from `count * epoch` on have each row once. Their order depends only on
    `(count, seed, epoch)`, and not on the random numbers of a library.

    Args:
        positions: `<int64>[N]`, from 0.
        count: int, the number of rows.
        seed: int of 64 bits.

    Returns:
        `<int64>[N]`, each in `[0, count)`.
    """
    epochs, indices = np.divmod(np.asarray(positions, np.uint64), np.uint64(count))
    keys = _mix(_mix(np.full(epochs.shape, seed % 2**64, np.uint64)) + epochs)
    bits = max((count - 1).bit_length(), 2)
    rows = _permute(indices, keys, bits)
    # The cipher permutes 2**bits numbers. One that is no row is followed until it comes to one.
    while (outside := rows >= count).any():
        rows[outside] = _permute(rows[outside], keys[outside], bits)
    return rows.astype(np.int64)


def _permute(numbers: np.ndarray, keys: np.ndarray, bits: int) -> np.ndarray:
    """A Feistel cipher: whatever is mixed, each round can be undone, so no two numbers meet."""
    halves = [numbers >> np.uint64(bits // 2), numbers & np.uint64(2 ** (bits // 2) - 1)]
    masks = [np.uint64(2 ** (bits - bits // 2) - 1), np.uint64(2 ** (bits // 2) - 1)]
    for turn in range(_ROUNDS):
        keys = keys + np.uint64(_GOLDEN)
        changed, other = turn % 2, 1 - turn % 2
        halves[changed] = halves[changed] ^ (_mix(keys ^ halves[other]) & masks[changed])
    return halves[0] << np.uint64(bits // 2) | halves[1]


def _mix(numbers: np.ndarray) -> np.ndarray:
    """Makes 64 bits of 64 bits, all of which change with each (the end of SplitMix64)."""
    numbers = (numbers ^ numbers >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return numbers ^ numbers >> np.uint64(31)
