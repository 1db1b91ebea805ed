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

    def __post_init__(self) -> None:
        if len(self.vocabulary) != self.config.vocab_size:
            raise ValueError(
                f"The vocabulary has {len(self.vocabulary)} tokens and the embeddings have "
                f"{self.config.vocab_size} rows; each token needs a row of its own."
            )
