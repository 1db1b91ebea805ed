"""How a model makes one vector of a text, as its makers say."""

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
            `"pooled_output"` for BERT's own; or the name of another way, which is not computed
            here.
        max_length: int, at how many tokens a text is cut, `[CLS]` and `[SEP]` among them.
        normalize: bool, whether vectors are scaled to length 1.
        prompts: dict, the texts to put before a text, by the names that the makers gave them.
        default_prompt: str, the name of the one to take unless another is asked for, or `None`.
        include_prompt: bool, whether the tokens of the prompt are pooled, too.
        lowercase: bool, whether texts are lower-cased before they are tokenised.
        beyond: tuple of str, what else the model computes, which is not computed here.

    Example:

    >>> from keras_bert_zh.checkpoints.pooling import Pooling
    >>> Pooling("weightedmean", max_length=512).unsupported
    ("pooling by 'weightedmean'",)

    Reference:
        `modules.json` and the folders it names, as sentence-transformers writes them.
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
        """What is not computed here; empty if the vectors are."""
        other = () if self.mode in MODES else (f"pooling by {self.mode!r}",)
        return (*other, *self.beyond)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name, as JSON holds them."""
        return dataclasses.asdict(self) | {"prompts": dict(self.prompts), "beyond": [*self.beyond]}
