"""What the tests of packed text share."""

import numpy as np

CHARACTERS = list("今天气很好我们去公园吧几点开门早上九")
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS, "##九"]
CLS, SEP = 2, 3
LENGTH = 10


def in_file(packed):
    """The rows as they stand in the file."""
    shape = (-1, packed.sequence_length)
    return np.fromfile(packed._folder / "ids.bin", "<u2").reshape(shape).astype(int)


def tokens_of(text, preprocess):
    return preprocess.tokenize([text]).values.numpy().tolist()


def batches_of(dataset):
    return [
        ({name: value.numpy() for name, value in inputs.items()}, int(step))
        for inputs, step in dataset
    ]


def same(one, other):
    return len(one) == len(other) and all(
        step == other_step
        and list(inputs) == list(others)
        and all(np.array_equal(inputs[name], others[name]) for name in inputs)
        for (inputs, step), (others, other_step) in zip(one, other, strict=True)
    )
