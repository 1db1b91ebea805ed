"""What the tests of damaged files share."""

import numpy as np

from keras_bert_zh.checkpoints import load_checkpoint


def same(checkpoint, other):
    return (
        checkpoint.config == other.config
        and checkpoint.vocabulary == other.vocabulary
        and checkpoint.lowercase == other.lowercase
        and checkpoint.weights.keys() == other.weights.keys()
        and all(np.array_equal(checkpoint.weights[n], w) for n, w in other.weights.items())
    )


def attempt(folder):
    """Returns the checkpoint, or what the ValueError says."""
    try:
        return load_checkpoint(folder), None
    except ValueError as error:
        return None, str(error)


def flipped_bits(path, step):
    """Flips one bit in the file for each yield, `step` bytes further each time."""
    content = path.read_bytes()
    for position in range(0, len(content), step):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        yield
