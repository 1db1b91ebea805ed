"""What every checkpoint format is read into."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from keras_bert_zh.config import BertConfig


# Compared by identity: arrays have no one truth value.
@dataclasses.dataclass(frozen=True, eq=False)
class Checkpoint:
    """A pretrained BERT, read and checked: everything that an encoder and its tokeniser need.

    Args:
        config: BertConfig, the architecture.
        vocabulary: tuple of str, the token of each id.
        lowercase: bool, whether the tokeniser lowercases text and strips accents.
        weights: dict of float arrays under the names of `names.SHAPES`; kernels are `[in, out]`.
    """

    config: BertConfig
    vocabulary: tuple[str, ...] = dataclasses.field(repr=False)
    lowercase: bool
    weights: Mapping[str, np.ndarray] = dataclasses.field(repr=False)
