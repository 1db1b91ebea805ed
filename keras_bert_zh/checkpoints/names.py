"""Names and shapes of the encoder's weights, here and in the formats that are read.

Tables are in forward order; `{i}` stands for the number of a transformer block.
"""

import collections
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

Shape = tuple[int | None, ...]

# Our names: attribute paths of `BertEncoder`. Axes: fields of `BertConfig`.
SHAPES = {
    "embeddings.word.embeddings": ("vocab_size", "hidden_size"),
    "embeddings.segment.embeddings": ("type_vocab_size", "hidden_size"),
    "embeddings.position.embeddings": ("max_position_embeddings", "hidden_size"),
    "embeddings.norm.gamma": ("hidden_size",),
    "embeddings.norm.beta": ("hidden_size",),
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
}

# google-research/bert's checkpoints and the TF1 Hub modules made from them.
TF1 = {
    "embeddings.word.embeddings": "bert/embeddings/word_embeddings",
    "embeddings.segment.embeddings": "bert/embeddings/token_type_embeddings",
    "embeddings.position.embeddings": "bert/embeddings/position_embeddings",
    "embeddings.norm.gamma": "bert/embeddings/LayerNorm/gamma",
    "embeddings.norm.beta": "bert/embeddings/LayerNorm/beta",
    "blocks.{i}.attention.query.kernel": "bert/encoder/layer_{i}/attention/self/query/kernel",
    "blocks.{i}.attention.query.bias": "bert/encoder/layer_{i}/attention/self/query/bias",
    "blocks.{i}.attention.key.kernel": "bert/encoder/layer_{i}/attention/self/key/kernel",
    "blocks.{i}.attention.key.bias": "bert/encoder/layer_{i}/attention/self/key/bias",
    "blocks.{i}.attention.value.kernel": "bert/encoder/layer_{i}/attention/self/value/kernel",
    "blocks.{i}.attention.value.bias": "bert/encoder/layer_{i}/attention/self/value/bias",
    "blocks.{i}.attention.projection.kernel": (
        "bert/encoder/layer_{i}/attention/output/dense/kernel"
    ),
    "blocks.{i}.attention.projection.bias": "bert/encoder/layer_{i}/attention/output/dense/bias",
    "blocks.{i}.attention_norm.gamma": "bert/encoder/layer_{i}/attention/output/LayerNorm/gamma",
    "blocks.{i}.attention_norm.beta": "bert/encoder/layer_{i}/attention/output/LayerNorm/beta",
    "blocks.{i}.feed_forward.inner.kernel": "bert/encoder/layer_{i}/intermediate/dense/kernel",
    "blocks.{i}.feed_forward.inner.bias": "bert/encoder/layer_{i}/intermediate/dense/bias",
    "blocks.{i}.feed_forward.outer.kernel": "bert/encoder/layer_{i}/output/dense/kernel",
    "blocks.{i}.feed_forward.outer.bias": "bert/encoder/layer_{i}/output/dense/bias",
    "blocks.{i}.feed_forward_norm.gamma": "bert/encoder/layer_{i}/output/LayerNorm/gamma",
    "blocks.{i}.feed_forward_norm.beta": "bert/encoder/layer_{i}/output/LayerNorm/beta",
    "pooler.dense.kernel": "bert/pooler/dense/kernel",
    "pooler.dense.bias": "bert/pooler/dense/bias",
}

# What such files hold beside the encoder: pretraining heads, the step, the optimiser's slots.
TF1_LEFTOVERS = ("cls/*", "global_step", "*adam_m", "*adam_v")


def translation(scheme: Mapping[str, str], layers: int) -> dict[str, str]:
    """Returns the scheme's name of every weight of an encoder, by our name, in forward order."""
    return {
        name.format(i=i): scheme[name].format(i=i) for name, i in _numbered(tuple(scheme), layers)
    }


def shapes(config: object) -> dict[str, Shape]:
    """Returns the shape of every weight by our name, in forward order.

    Args:
        config: BertConfig, or any object with its sizes; a size of None is left open.
    """
    return {
        name.format(i=i): tuple(getattr(config, size) for size in SHAPES[name])
        for name, i in _numbered(tuple(SHAPES), config.num_hidden_layers)
    }


def sizes(found: Mapping[str, Shape]) -> dict[str, int | None]:
    """Returns the sizes that most of the found shapes agree on, None where no shape tells.

    The majority decides, so that one misshapen weight is reported and not all the others.

    Args:
        found: shapes by our names.
    """
    votes = {size: collections.Counter() for axes in SHAPES.values() for size in axes}
    for name, shape in found.items():
        axes = SHAPES[re.sub(r"\.\d+\.", ".{i}.", name)]
        if len(axes) == len(shape):
            for size, length in zip(axes, shape, strict=True):
                votes[size][length] += 1
    return {size: max(count, key=count.get, default=None) for size, count in votes.items()}


def differences(
    expected: Mapping[str, Shape], found: Mapping[str, Shape], leftovers: tuple[str, ...] = ()
) -> list[str]:
    """Returns one line for each name that is missing, unexpected or of another shape.

    Args:
        expected: the shapes wanted, by name; an axis of None may have any length.
        found: the shapes there, by name.
        leftovers: patterns of names that may be found without being expected.
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


def _numbered(names: tuple[str, ...], layers: int) -> list[tuple[str, int]]:
    block = [name for name in names if "{i}" in name]
    before = names[: names.index(block[0])]
    after = names[names.index(block[-1]) + 1 :]
    rows = [(name, 0) for name in before]
    rows += [(name, i) for i in range(layers) for name in block]
    return rows + [(name, 0) for name in after]


def _fits(found: Shape, expected: Shape) -> bool:
    return len(found) == len(expected) and all(
        length in (axis, None) for axis, length in zip(found, expected, strict=True)
    )


def _text(shape: Shape) -> str:
    return f"[{', '.join('?' if axis is None else str(axis) for axis in shape)}]"
