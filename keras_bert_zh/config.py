"""The architecture of a BERT encoder, as `bert_config.json` describes it."""

import dataclasses
import json
from typing import Any

from keras_bert_zh.arguments import check_choice, check_int, check_positive, check_rate

ACTIVATIONS = ("gelu_tanh", "gelu_erf", "relu")

# What Transformers writes for the two forms of GELU that "gelu" alone leaves open.
_ACTIVATION_SYNONYMS = {
    "gelu_accurate": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_python": "gelu_erf",
    "gelu_pytorch_tanh": "gelu_tanh",
}


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """Sizes and hyperparameters of a BERT encoder; the defaults are Google's Chinese BERT.

    The fields have the names of google-research/bert's `bert_config.json`. Two say more than
    that file does: `hidden_act` states which GELU is meant, and `layer_norm_eps` is there at all.

    Args:
        vocab_size: int, rows of the word embedding table.
        hidden_size: int, width D of the hidden states; `num_attention_heads` divides it.
        num_hidden_layers: int, number of transformer blocks.
        num_attention_heads: int, number of attention heads N; each is D / N wide.
        intermediate_size: int, inner width of the feed-forward layers.
        hidden_act: `"gelu_tanh"` (google-research/bert since February 2019, and its Hub modules),
            `"gelu_erf"` (what Transformers calls `"gelu"`) or `"relu"`.
        hidden_dropout_prob: float in [0, 1), dropout of embeddings and of each block's two outputs.
        attention_probs_dropout_prob: float in [0, 1), dropout of attention probabilities.
        max_position_embeddings: int, rows of the position embedding table: the longest sequence.
        type_vocab_size: int, rows of the segment embedding table.
        initializer_range: float, standard deviation of fresh weights (truncated normal).
        layer_norm_eps: float, added to the variance in layer normalisation.

    Raises:
        ValueError: if a field is out of its range, or the activation is not known.

    Example:

    >>> from keras_bert_zh import BertConfig
    >>> config = BertConfig(hidden_size=128, num_hidden_layers=2, num_attention_heads=2)
    >>> BertConfig.from_json(config.to_json()) == config
    True

    Reference:
        Devlin et al., BERT, 2018 (https://arxiv.org/abs/1810.04805); `BertConfig` in
        google-research/bert `modeling.py`.
    """

    vocab_size: int = 21128
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu_tanh"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is int:
                value = check_int(field.name, value, 1)
            elif field.name.endswith("_prob"):
                value = check_rate(field.name, value)
            elif field.type is float:
                value = check_positive(field.name, value)
            else:
                value = check_choice(field.name, value, ACTIVATIONS)
            # JSON does not know the numbers of NumPy.
            object.__setattr__(self, field.name, value)
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"num_attention_heads must divide hidden_size, got {self.num_attention_heads} "
                f"heads and hidden_size={self.hidden_size}."
            )

    @classmethod
    def from_dict(cls, fields: dict[str, Any], *, gelu: str | None = None) -> "BertConfig":
        """Reads the fields of a `bert_config.json` or of Transformers' `config.json`.

        Keys that do not describe the encoder (`pooler_*`, `directionality`, ...) are ignored.

        Args:
            fields: dict, the parsed JSON object.
            gelu: `"tanh"` or `"erf"`, the meaning of `"hidden_act": "gelu"` in this file. Files
                use that one word for both, so it has no default and is needed only for them.

        Raises:
            ValueError: if `vocab_size` or another size is missing or out of range, or
                `hidden_act` is `"gelu"` and `gelu` is not given.
        """
        if not isinstance(fields, dict):
            raise ValueError(f"A BERT configuration must be a JSON object, got {fields!r}.")
        names = {field.name for field in dataclasses.fields(cls)}
        known = {name: value for name, value in fields.items() if name in names}
        required = {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"}
        missing = sorted((required | {"intermediate_size", "hidden_act"}) - known.keys())
        if missing:
            raise ValueError(
                f"The BERT configuration lacks {', '.join(missing)}; it has {sorted(fields)}."
            )
        activation = known["hidden_act"]
        if activation == "gelu":
            if gelu not in ("tanh", "erf"):
                raise ValueError(
                    'The configuration says "hidden_act": "gelu", which names two functions. '
                    'Pass gelu="tanh" (google-research/bert since February 2019, Hub modules) '
                    f'or gelu="erf" (Transformers); got gelu={gelu!r}.'
                )
            activation = f"gelu_{gelu}"
        known["hidden_act"] = _ACTIVATION_SYNONYMS.get(activation, activation)
        return cls(**known)

    @classmethod
    def from_json(cls, text: str, *, gelu: str | None = None) -> "BertConfig":
        """Reads the text of a configuration file; see `from_dict`."""
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"The BERT configuration is not valid JSON: {error}.") from error
        return cls.from_dict(fields, gelu=gelu)

    def with_dropout(self, rate: float) -> "BertConfig":
        """Returns the same configuration with `rate`, in [0, 1), for both dropouts."""
        return dataclasses.replace(
            self, hidden_dropout_prob=rate, attention_probs_dropout_prob=rate
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name, as `from_dict` reads them."""
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        """Returns the fields as the text of a JSON file."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"
