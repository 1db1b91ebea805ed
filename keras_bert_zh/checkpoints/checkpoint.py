"""The result of reading a checkpoint, the same for every format."""

import dataclasses
from collections.abc import Mapping

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.head import TASKS, Head
from keras_bert_zh.checkpoints.pooling import Pooling
from keras_bert_zh.checkpoints.tensors import Weights
from keras_bert_zh.config import BertConfig
from keras_bert_zh.messages import listing
from keras_bert_zh.vocabulary import rows_fit


# Compared by identity: arrays have no one truth value.
@dataclasses.dataclass(frozen=True, eq=False)
class Checkpoint:
    """A pretrained BERT, opened and checked, with everything for an encoder and its tokeniser.

    Args:
        config: BertConfig, the architecture.
        vocabulary: tuple of str, the token of each id; `None` if the files have no vocabulary.
        lowercase: bool, whether the tokeniser lowercases text and strips accents; `None` if the
            files do not say.
        weights: float arrays with the names in `names.SHAPES`; kernels are `[in, out]`. Each array
            is read from its file when you access it. Names that begin with `pooler.`,
            `masked_lm.`, `next_sentence.`, `classifier.`, `crf.` or `span.` exist only if the files
            have these weights.
        format: str, the format of the files. If the format has several kinds of weight files, the
            kind follows in brackets. `None` for arrays in memory.
        leftovers: tuple of str, names of the tensors in the files that are not BERT's.
        pooling: how a Sentence Transformers model turns a text into one vector, with `mode`,
            `normalize`, `max_length`, `prompts` and more; `None` if the files do not say.
        head: Head, the head of a fine-tuned model: its `task`, its `labels`, its `problem_type`.
            `None` for a BERT that was only pretrained, or if this package can't read the head.

    Raises:
        ValueError: if the number of tokens does not match the rows of the embeddings, or the
            weights of the head, its labels and `head` do not match each other.

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
    pooling: Pooling | None = None
    head: Head | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.weights, Weights):
            object.__setattr__(self, "weights", Weights.of_arrays(self.weights))
        if self.vocabulary is not None and not rows_fit(self.vocabulary, self.config.vocab_size):
            raise ValueError(
                f"The vocabulary has {len(self.vocabulary)} tokens, but the word embeddings have "
                f"{self.config.vocab_size} rows; each token needs its own row."
            )
        _check_head(self.head, self.weights.shapes)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts in `names.PARTS` whose weights the files have."""
        found = {names.part_of(name) for name in self.weights}
        return tuple(part for part in names.PARTS if part in found)

    @property
    def missing(self) -> tuple[str, ...]:
        """Which of `vocabulary`, `lowercase`, the pooler and the pretraining heads are missing.

        Heads of fine-tuned models are not included: see `head`.
        """
        fields = [name for name in ("vocabulary", "lowercase") if getattr(self, name) is None]
        parts = self.parts
        return (*fields, *(part for part in names.PRETRAINED if part not in parts))


def _check_head(head: Head | None, shapes: Mapping[str, names.Shape]) -> None:
    """Raises ValueError unless the weights of heads are those of this one."""
    _check_crf(head, {n: shape for n, shape in shapes.items() if names.part_of(n) == "crf"})
    for part in dict.fromkeys(TASKS.values()):
        found = {name: shape for name, shape in shapes.items() if names.part_of(name) == part}
        if head is None or head.part != part:
            if found:
                raise ValueError(
                    f"The weights {', '.join(found)} belong to the head of a fine-tuned model, but "
                    f"head={head!r}. Pass the Head that they belong to, or remove them with "
                    "weights.only(names)."
                )
            continue
        counts = {name: found.get(f"{part}.{name}", (0,))[-1] for name in ("kernel", "bias")}
        if set(counts.values()) != {head.outputs}:
            raise ValueError(
                f"The {head.task} head is inconsistent: {part}.kernel has "
                f"{counts['kernel']} outputs, {part}.bias has {counts['bias']}, and there are "
                f"{head.outputs} labels ({listing(head.labels or ('start', 'end'), 6)}). These "
                "three numbers must be equal."
            )


def _check_crf(head: Head | None, found: Mapping[str, names.Shape]) -> None:
    """Raises ValueError unless the weights of a CRF, if there are any, fit the head."""
    if not found:
        return
    count = head.outputs if head is not None and head.task == "token_classification" else None
    expected = {"crf.start": (count,), "crf.end": (count,), "crf.transitions": (count, count)}
    if count is None or found != expected:
        raise ValueError(
            f"CRF weights need a Head for token_classification and, with K labels, the shapes [K], "
            f"[K] and [K, K]; got {dict(found)} and head={head!r}."
        )
