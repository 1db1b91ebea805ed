"""Selects BERT's weights from the tensors of a file, or lists all problems with them."""

from collections.abc import Mapping
from typing import Any

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.schemes import Scheme
from keras_bert_zh.checkpoints.tensors import Tensor, Weights

FLOATS = ("float16", "bfloat16", "float32", "float64")


def select(
    problem: str,
    tensors: Mapping[str, Tensor],
    scheme: Scheme,
    config: Any,
    *,
    optional: tuple[str, ...] = names.HEADS,
    dtypes: tuple[str, ...] = ("float32",),
) -> tuple[Weights, tuple[str, ...]]:
    """Returns the weights by our names, and the names of the tensors that are not BERT's.

    Args:
        problem: the beginning of the error message: what does not match what.
        tensors: all tensors of the file.
        scheme: the names in the file.
        config: BertConfig, or any object with its sizes; a size of None matches any size.
        optional: parts whose weights may all be missing.
        dtypes: the dtypes that a weight may have.

    Raises:
        ValueError: if a tensor is missing, unexpected, or has a wrong shape or dtype; the message
            lists them all.
    """
    parts = tuple(
        part
        for part in names.PARTS
        if part not in optional
        or any(
            names.part_of(ours) == part and name in tensors for ours, name in scheme.names.items()
        )
    )
    shapes = names.shapes(config, parts)
    translated = names.translation(scheme.names, config.num_hidden_layers, parts)
    # What a format has no name for is missing there.
    theirs = {ours: translated.get(ours, ours) for ours in shapes}
    flipped = {ours for ours in theirs if scheme.is_transposed(ours)}
    expected = {
        theirs[ours]: shape[::-1] if ours in flipped else shape for ours, shape in shapes.items()
    }
    problems = names.differences(
        expected, {name: tensor.shape for name, tensor in tensors.items()}, scheme.leftovers
    )
    problems += [
        f"not {' or '.join(dtypes)}: {name} is {tensors[name].dtype}"
        for name in expected
        if name in tensors and tensors[name].dtype not in dtypes
    ]
    if problems:
        raise ValueError(f"{problem} {len(problems)} found:\n  " + "\n  ".join(problems))
    weights = {
        ours: tensors[name].transposed() if ours in flipped else tensors[name]
        for ours, name in theirs.items()
    }
    return Weights(weights), tuple(name for name in tensors if name not in expected)


def weight_problems(expected: Mapping[str, names.Shape], weights: Weights) -> list[str]:
    """Returns a line for each weight that is missing, unexpected, or has a wrong shape or dtype.

    Args:
        expected: the expected shapes, by our names.
        weights: the actual weights.
    """
    return names.differences(expected, weights.shapes) + [
        f"not of floats: {name} is {dtype}"
        for name, dtype in weights.dtypes.items()
        if dtype not in FLOATS
    ]
