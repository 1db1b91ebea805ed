"""How a model turns a text into one vector, as its authors define it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

# What is computed here. All but the last are named as sentence-transformers names them.
MODES = ("cls", "mean", "max", "pooled_output")


@dataclasses.dataclass(frozen=True)
class Pooling:
    """How hidden states become the vector of a text.

    Args:
        mode: str, `"cls"` for the first token, `"mean"` or `"max"` over all tokens,
            `"pooled_output"` for the output of BERT's pooler; or the name of another method, which
            this package does not compute.
        max_length: int, the number of tokens at which a text is cut, including `[CLS]` and `[SEP]`.
        normalize: bool, whether vectors are scaled to length 1.
        prompts: dict, the texts to put before a text, by the names that the authors gave them.
        default_prompt: str, the name of the prompt that is used by default, or `None`.
        include_prompt: bool, whether the tokens of the prompt are pooled, too.
        lowercase: bool, whether texts are lower-cased before they are tokenised.
        beyond: tuple of str, other steps of the model, which this package does not compute.

    Example:

    >>> from keras_bert_zh.checkpoints.pooling import Pooling
    >>> Pooling("weightedmean", max_length=512).unsupported
    ("pooling by 'weightedmean'",)

    Reference:
        `modules.json` and the folders that it names, as sentence-transformers writes them.
    """

    mode: str
    max_length: int
    normalize: bool = False
    prompts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    default_prompt: str | None = None
    include_prompt: bool = True
    lowercase: bool = False
    beyond: tuple[str, ...] = ()

    @property
    def unsupported(self) -> tuple[str, ...]:
        """The steps that this package does not compute; empty if it computes the vectors."""
        other = () if self.mode in MODES else (f"pooling by {self.mode!r}",)
        return (*other, *self.beyond)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name, ready for JSON."""
        return dataclasses.asdict(self) | {"prompts": dict(self.prompts), "beyond": [*self.beyond]}
