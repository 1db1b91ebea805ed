"""What every checkpoint format is read into."""

import dataclasses

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.tensors import Weights
from keras_bert_zh.config import BertConfig
from keras_bert_zh.vocabulary import rows_fit


# Compared by identity: arrays have no one truth value.
@dataclasses.dataclass(frozen=True, eq=False)
class Checkpoint:
    """A pretrained BERT, opened and checked: everything that an encoder and its tokeniser need.

    Args:
        config: BertConfig, the architecture.
        vocabulary: tuple of str, the token of each id; `None` if the files have none.
        lowercase: bool, whether the tokeniser lowercases text and strips accents; `None` if the
            files do not say.
        weights: float arrays under the names of `names.SHAPES`; kernels are `[in, out]`. Each is
            read from its file when it is asked for. The names that begin with `pooler.`,
            `masked_lm.` or `next_sentence.` are there only if the files have them.
        format: str, the format of the files, in brackets the file of weights where there may be
            several kinds; `None` for arrays in memory.
        leftovers: tuple of str, names of the tensors in the files that are not BERT's.

    Raises:
        ValueError: if there are more or fewer tokens than rows of embeddings.

    Example:

    >>> from keras_bert_zh import load_checkpoint
    >>> checkpoint = load_checkpoint("small")
    >>> checkpoint.vocabulary[769:772], checkpoint.lowercase, checkpoint.missing
    (('交', '亥', '亦'), True, ('next_sentence',))
    >>> checkpoint.weights["pooler.dense.kernel"].shape
    (384, 384)
    """

    config: BertConfig
    vocabulary: tuple[str, ...] | None = dataclasses.field(repr=False)
    lowercase: bool | None
    weights: Weights = dataclasses.field(repr=False)
    format: str | None = None
    leftovers: tuple[str, ...] = dataclasses.field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.weights, Weights):
            object.__setattr__(self, "weights", Weights.of_arrays(self.weights))
        if self.vocabulary is not None and not rows_fit(self.vocabulary, self.config.vocab_size):
            raise ValueError(
                f"The vocabulary has {len(self.vocabulary)} tokens and the embeddings have "
                f"{self.config.vocab_size} rows; each token needs a row of its own."
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """Those of `names.PARTS` whose weights the files have."""
        found = {names.part_of(name) for name in self.weights}
        return tuple(part for part in names.PARTS if part in found)

    @property
    def missing(self) -> tuple[str, ...]:
        """What the files do not have of `vocabulary`, `lowercase`, the pooler and the heads."""
        fields = [name for name in ("vocabulary", "lowercase") if getattr(self, name) is None]
        parts = self.parts
        return (*fields, *(part for part in names.PARTS if part not in parts))
