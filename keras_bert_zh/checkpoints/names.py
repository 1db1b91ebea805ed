"""Names and shapes of BERT's weights, and the differences between two sets of them.

Tables are in forward order; `{i}` stands for the number of a transformer block.
"""

import collections
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

Shape = tuple[int | None, ...]

# What is on top of the blocks: the pooler, and the heads. A checkpoint holds all the weights of
# one, or none. Those that a BERT is pretrained with come first.
PRETRAINED = ("pooler", "masked_lm", "next_sentence")
PARTS = (*PRETRAINED, "classifier", "crf", "span")
HEADS = PARTS[1:]

# Our names: attribute paths of `BertEncoder` and of the heads. Axes: fields of `BertConfig`, or
# None for one that may have any length.
SHAPES = {
    "embeddings.word.embeddings": ("vocab_size", "embedding_size"),
    "embeddings.segment.embeddings": ("type_vocab_size", "embedding_size"),
    "embeddings.position.embeddings": ("max_position_embeddings", "embedding_size"),
    "embeddings.task.embeddings": ("task_type_vocab_size", "embedding_size"),
    "embeddings.norm.gamma": ("embedding_size",),
    "embeddings.norm.beta": ("embedding_size",),
    "embeddings.projection.kernel": ("embedding_size", "hidden_size"),
    "embeddings.projection.bias": ("hidden_size",),
    "blocks.{i}.attention.query.kernel": ("hidden_size", "hidden_size"),
    "blocks.{i}.attention.query.bias": ("hidden_size",),
    "blocks.{i}.attention.key.kernel": ("hidden_size", "hidden_size"),
    "blocks.{i}.attention.key.bias": ("hidden_size",),
    "blocks.{i}.attention.value.kernel": ("hidden_size", "hidden_size"),
    "blocks.{i}.attention.value.bias": ("hidden_size",),
    "blocks.{i}.attention.projection.kernel": ("hidden_size", "hidden_size"),
    "blocks.{i}.attention.projection.bias": ("hidden_size",),
    "blocks.{i}.attention_norm.gamma": ("hidden_size",),
    "blocks.{i}.attention_norm.beta": ("hidden_size",),
    "blocks.{i}.feed_forward.inner.kernel": ("hidden_size", "intermediate_size"),
    "blocks.{i}.feed_forward.inner.bias": ("intermediate_size",),
    "blocks.{i}.feed_forward.outer.kernel": ("intermediate_size", "hidden_size"),
    "blocks.{i}.feed_forward.outer.bias": ("hidden_size",),
    "blocks.{i}.feed_forward_norm.gamma": ("hidden_size",),
    "blocks.{i}.feed_forward_norm.beta": ("hidden_size",),
    "pooler.dense.kernel": ("hidden_size", "hidden_size"),
    "pooler.dense.bias": ("hidden_size",),
    "masked_lm.dense.kernel": ("hidden_size", "hidden_size"),
    "masked_lm.dense.bias": ("hidden_size",),
    "masked_lm.norm.gamma": ("hidden_size",),
    "masked_lm.norm.beta": ("hidden_size",),
    "masked_lm.bias": ("vocab_size",),
    "next_sentence.kernel": ("hidden_size", 2),
    "next_sentence.bias": (2,),
    "classifier.kernel": ("hidden_size", None),
    "classifier.bias": (None,),
    "crf.start": (None,),
    "crf.end": (None,),
    "crf.transitions": (None, None),
    "span.kernel": ("hidden_size", 2),
    "span.bias": (2,),
}

# Which field of the configuration says that there are such weights.
_ONLY_WITH = {
    "embeddings.task.": "task_type_vocab_size",
    "embeddings.projection.": "embedding_size",
}

# The axes whose lengths the weights of a BERT tell.
_SIZES = tuple(
    dict.fromkeys(
        axis
        for axes in SHAPES.values()
        for axis in axes
        if isinstance(axis, str) and axis not in ("embedding_size", "task_type_vocab_size")
    )
)


def translation(
    names: Mapping[str, str], layers: int, parts: tuple[str, ...] = ("pooler",)
) -> dict[str, str]:
    """Returns a format's name for every weight that it has, by our names, in forward order.

    Args:
        names: the format's table, from our names to its own.
        layers: number of transformer blocks.
        parts: those of `PARTS` to include.
    """
    numbered = [(name, i) for name, i in _numbered(layers, parts) if name in names]
    return {name.format(i=i): names[name].format(i=i) for name, i in numbered}


def shapes(config: Any, parts: tuple[str, ...] = ("pooler",)) -> dict[str, Shape]:
    """Returns the shape of every weight by our name, in forward order.

    Args:
        config: BertConfig, or any object with its sizes; a size of None matches any size.
        parts: those of `PARTS` to include.
    """
    return {
        name.format(i=i): tuple(_length(config, axis) for axis in SHAPES[name])
        for name, i in _numbered(config.num_hidden_layers, parts)
        if _is_in(config, name)
    }


def part_of(name: str) -> str | None:
    """Returns the part in `PARTS` that a weight belongs to; None for embeddings and blocks."""
    first = name.split(".", maxsplit=1)[0]
    return first if first in PARTS else None


def sizes(found: Mapping[str, Shape]) -> dict[str, Any]:
    """Returns the sizes of a BERT that most of the shapes agree on; None if no shape has it.

    The majority decides, so that one wrong shape is reported, and not all the others.

    Args:
        found: shapes by our names.
    """
    votes: dict[str, collections.Counter[int | None]] = {
        size: collections.Counter() for size in _SIZES
    }
    for name, shape in found.items():
        axes = SHAPES[re.sub(r"\.\d+\.", ".{i}.", name)]
        if len(axes) == len(shape):
            for axis, length in zip(axes, shape, strict=True):
                size = "hidden_size" if axis == "embedding_size" else axis
                if size in votes:
                    votes[size][length] += 1
    return {size: max(count, key=count.__getitem__, default=None) for size, count in votes.items()}


def differences(
    expected: Mapping[str, Shape], found: Mapping[str, Shape], leftovers: tuple[str, ...] = ()
) -> list[str]:
    """Returns one line for each name that is missing, unexpected or has another shape.

    Args:
        expected: the expected shapes, by name; an axis of None may have any length.
        found: the actual shapes, by name.
        leftovers: patterns of names that are allowed but not expected.
    """
    missing = [f"missing: {name}" for name in expected if name not in found]
    unexpected = [
        f"unexpected: {name}"
        for name in found
        if name not in expected and not any(fnmatchcase(name, known) for known in leftovers)
    ]
    misshapen = [
        f"misshapen: {name} is {_text(found[name])}, expected {_text(shape)}"
        for name, shape in expected.items()
        if name in found and not _fits(found[name], shape)
    ]
    return missing + unexpected + misshapen


def _numbered(layers: int, parts: tuple[str, ...]) -> list[tuple[str, int]]:
    wanted = [name for name in SHAPES if part_of(name) in (None, *parts)]
    block = [name for name in wanted if "{i}" in name]
    first, last = wanted.index(block[0]), wanted.index(block[-1])
    rows = [(name, 0) for name in wanted[:first]]
    rows += [(name, i) for i in range(layers) for name in block]
    return rows + [(name, 0) for name in wanted[last + 1 :]]


def _is_in(config: Any, name: str) -> bool:
    """Tells whether a model of that configuration has the weight of this name."""
    return all(
        getattr(config, field, None)
        for start, field in _ONLY_WITH.items()
        if name.startswith(start)
    )


def _length(config: Any, axis: str | int | None) -> int | None:
    if axis == "embedding_size":
        width = getattr(config, axis, None)
        return config.hidden_size if width is None else width
    return getattr(config, axis) if isinstance(axis, str) else axis


def _fits(found: Shape, expected: Shape) -> bool:
    return len(found) == len(expected) and all(
        length in (axis, None) for axis, length in zip(found, expected, strict=True)
    )


def _text(shape: Shape) -> str:
    return f"[{', '.join('?' if axis is None else str(axis) for axis in shape)}]"
