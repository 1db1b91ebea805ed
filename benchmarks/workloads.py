"""The weights and cases that encoders are timed with, and the operations of each case."""

import statistics
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray]

REVIEWS, REVIEW_LENGTH = 32, 128
REVIEW_CASE = f"{REVIEWS}x{REVIEW_LENGTH} reviews"
TEXT_CASE = f"{REVIEWS} reviews as text"
_SEED = 0

# Where in the folder of an encoder's files each format is.
HUGGINGFACE, ORIGINAL, TF1_MODULE = "huggingface", "original", "module"
ONNX, INT8, STATIC_INT8 = "bert.onnx", "bert_int8.onnx", "bert_static_int8.onnx"

# `BertConfig` arguments; BERT-base with the Chinese vocabulary are its defaults.
SIZES = {
    "base": {},
    "small": {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    },
}


class Case(NamedTuple):
    """Inputs of an encoder, by the names that `BertEncoder` has for them, `<int32>[B, S]`."""

    name: str
    inputs: Arrays

    @property
    def mask(self) -> np.ndarray:
        return self.inputs["input_mask"] > 0

    @property
    def lengths(self) -> np.ndarray:
        """Real tokens of each row."""
        return self.mask.sum(1)


class Series(NamedTuple):
    """Cases that differ in one thing.

    Args:
        title: what stands above the plot.
        label: what differs.
        cases: by its values.
        logarithmic: whether both axes are.
    """

    title: str
    label: str
    cases: dict[float, Case]
    logarithmic: bool = True


def make_case(name: str) -> Case:
    """Returns a case by its name: `"32x128 real"`, `"8x128 full"`, or `"1x16"`, which is full.

    Real stands for the lengths that reviews have, which are near a log-normal distribution.
    """
    shape, _, kind = name.partition(" ")
    batch, length = map(int, shape.split("x"))
    random = np.random.default_rng(_SEED)
    ids = random.integers(1000, 8000, (batch, length))
    lengths = np.full(batch, length)
    if kind == "real":
        drawn = random.lognormal(np.log(0.25 * length), 0.6, batch)
        lengths = np.clip(drawn.astype(int), 4, length)
    return Case(name, _inputs(ids, lengths))


def evenly_real(batch: int, length: int) -> Case:
    """Returns a case whose lengths are quantiles of what `real` draws from: no batch is lucky."""
    normal = statistics.NormalDist(np.log(0.25 * length), 0.6)
    quantiles = [normal.inv_cdf((row + 0.5) / batch) for row in range(batch)]
    lengths = np.clip(np.exp(quantiles).astype(int), 4, length)
    return Case(f"{batch}x{length} evenly real", _inputs(_ids(batch, length), lengths))


def filled(batch: int, length: int, share: float) -> Case:
    """Returns a case each of whose rows has this share of real tokens."""
    lengths = np.full(batch, max(1, round(share * length)))
    return Case(f"{batch}x{length} {share:.0%}", _inputs(_ids(batch, length), lengths))


def draw_reviews(count: int = REVIEWS) -> list[str]:
    """Returns real reviews, always the same ones."""
    # Imported here: it needs packages that cases of random ids do without.
    from examples.parts.reviews import load_reviews

    texts = load_reviews()["train"].texts
    return list(np.random.default_rng(_SEED).choice(texts, count, replace=False))


def operations(lengths: np.ndarray, sizes: Mapping[str, int], *, sequence: bool) -> float:
    """Returns the floating-point operations in matrix products of real tokens.

    With T real tokens in B rows of lengths l, and D, I as in the layers, a block has
    `2 T (4 D D + 2 D I)` of them in dense layers and `4 D sum(l l)` in attention. For the pooled
    output alone, all tokens of the last block need keys and values, `2 T (2 D D)`, and the first
    of each row the rest, `2 B (2 D D + 2 D I)` and `4 D T`. The pooler adds `2 B D D`.

    Args:
        lengths: `<int>[B]`, real tokens of each row.
        sizes: the fields of a `BertConfig`.
        sequence: whether all tokens of the last block are computed, and not only the first ones.
    """
    width, inner = sizes["hidden_size"], sizes["intermediate_size"]
    blocks, rows, tokens = sizes["num_hidden_layers"], len(lengths), int(lengths.sum())
    whole = 2 * tokens * (4 * width**2 + 2 * width * inner)
    whole += 4 * width * int((lengths.astype(np.int64) ** 2).sum())
    only_first = 2 * tokens * 2 * width**2 + 4 * width * tokens
    only_first += 2 * rows * (2 * width**2 + 2 * width * inner)
    last = whole if sequence else only_first
    return float((blocks - 1) * whole + last + 2 * rows * width**2)


def _ids(batch: int, length: int) -> np.ndarray:
    return np.random.default_rng(_SEED).integers(1000, 8000, (batch, length))


def _inputs(ids: np.ndarray, lengths: np.ndarray) -> Arrays:
    mask = (np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int32)
    ids = ids.astype(np.int32) * mask
    return {"input_ids": ids, "input_mask": mask, "segment_ids": np.zeros_like(ids)}
