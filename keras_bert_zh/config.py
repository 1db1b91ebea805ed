"""The architecture of a BERT encoder, as in `bert_config.json`."""

import dataclasses
import json
from typing import Any

from keras_bert_zh.arguments import (
    check_choice,
    check_flag_or_none,
    check_int,
    check_positive,
    check_rate,
)
from keras_bert_zh.input_keys import INPUT_KEYS, TASK_KEY

ACTIVATIONS = ("gelu_tanh", "gelu_erf", "relu")

# BERT, and the models that differ from it in their embeddings alone.
MODEL_TYPES = ("bert", "ernie", "electra")

# Fields that only one of them has.
_OWNERS = {"task_type_vocab_size": "ernie", "embedding_size": "electra"}

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

    Field names are those of google-research/bert's `bert_config.json`, but `hidden_act` says
    which GELU is used, and `layer_norm_eps` is an extra field. The names of the last three come
    from Transformers' `config.json`.

    Args:
        vocab_size: int, rows of the word embedding table.
        hidden_size: int, width D of the hidden states; must be divisible by `num_attention_heads`.
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
        model_type: `"bert"`, or a model with other embeddings: `"ernie"`, or `"electra"`, which has
            no pooler.
        task_type_vocab_size: int, rows of ERNIE's task embedding table; 0 if there is none.
        embedding_size: int, width of ELECTRA's embeddings, which a dense layer projects to D;
            `None` if the embeddings have width D and there is no such layer.

    Raises:
        ValueError: if a field is out of range or belongs to another `model_type`, or the
            activation is not known.

    Example:

    >>> from keras_bert_zh import BertConfig
    >>> config = BertConfig(hidden_size=128, num_hidden_layers=2, num_attention_heads=2)
    >>> BertConfig.from_json(config.to_json()) == config
    True

    Reference:
        Devlin et al., BERT, 2018 (https://arxiv.org/abs/1810.04805); `BertConfig` in
        google-research/bert `modeling.py`. Sun et al., ERNIE, 2019
        (https://arxiv.org/abs/1904.09223); Clark et al., ELECTRA, 2020
        (https://arxiv.org/abs/2003.10555).
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
    model_type: str = "bert"
    task_type_vocab_size: int = 0
    embedding_size: int | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            # JSON does not know the numbers of NumPy.
            object.__setattr__(self, field.name, _checked(field, getattr(self, field.name)))
        for name, owner in _OWNERS.items():
            if getattr(self, name) and self.model_type != owner:
                raise ValueError(
                    f"{name}={getattr(self, name)} works only with model_type={owner!r}, got "
                    f"model_type={self.model_type!r}."
                )
        if self.embedding_size == self.hidden_size:
            object.__setattr__(self, "embedding_size", None)
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"num_attention_heads must divide hidden_size, got {self.num_attention_heads} "
                f"heads and hidden_size={self.hidden_size}."
            )

    @classmethod
    def from_dict(cls, fields: dict[str, Any], *, gelu: str | None = None) -> "BertConfig":
        """Reads the fields of a `bert_config.json` or of Transformers' `config.json`.

        Keys that do not describe the encoder (`pooler_*`, `directionality`, ...) are ignored, and
        so is ERNIE's `task_type_vocab_size` unless `use_task_id` is true.

        Args:
            fields: dict, the parsed JSON object.
            gelu: `"tanh"` or `"erf"`, the meaning of `"hidden_act": "gelu"` in this file. Files
                use this word for both functions, so there is no default. Only such files need it.

        Raises:
            ValueError: if `vocab_size` or another size is missing or out of range, `model_type`
                is not known, or `hidden_act` is `"gelu"` and `gelu` is not given.
        """
        if not isinstance(fields, dict):
            raise ValueError(f"A BERT configuration must be a JSON object, got {fields!r}.")
        model_type = fields.get("model_type", "bert")
        names = {field.name for field in dataclasses.fields(cls)}
        names -= {name for name, owner in _OWNERS.items() if owner != model_type}
        known = {name: value for name, value in fields.items() if name in names}
        # Where files leave these out, they mean what Transformers takes for them.
        if model_type == "electra":
            known.setdefault("embedding_size", 128)
        if model_type == "ernie":
            known.setdefault("task_type_vocab_size", 3)
            if not check_flag_or_none("use_task_id", fields.get("use_task_id")):
                known["task_type_vocab_size"] = 0
        required = {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"}
        missing = sorted((required | {"intermediate_size", "hidden_act"}) - known.keys())
        if missing:
            raise ValueError(
                f"The BERT configuration has no {', '.join(missing)}; it has {sorted(fields)}."
            )
        activation = known["hidden_act"]
        if activation == "gelu":
            if gelu not in ("tanh", "erf"):
                raise ValueError(
                    'The configuration says "hidden_act": "gelu", which can mean two functions. '
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

    @property
    def input_sizes(self) -> dict[str, int]:
        """The number of possible values of each input, including ERNIE's task types."""
        counts = (self.vocab_size, 2, self.type_vocab_size)
        sizes = dict(zip(INPUT_KEYS, counts, strict=True))
        return sizes | ({TASK_KEY: self.task_type_vocab_size} if self.task_type_vocab_size else {})

    def with_dropout(self, rate: float) -> "BertConfig":
        """Returns the same configuration with both dropout rates set to `rate`, in [0, 1)."""
        return dataclasses.replace(
            self, hidden_dropout_prob=rate, attention_probs_dropout_prob=rate
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name, in the form that `from_dict` reads and Transformers writes.

        For BERT there is no `model_type`, as in `bert_config.json`.
        """
        fields = {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if _OWNERS.get(name, self.model_type) == self.model_type
        }
        if self.model_type == "bert":
            del fields["model_type"]
        elif self.model_type == "ernie":
            fields["use_task_id"] = self.task_type_vocab_size > 0
        else:
            fields["embedding_size"] = self.embedding_size or self.hidden_size
        return fields

    def to_json(self) -> str:
        """Returns the fields as JSON text."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"


def _checked(field: dataclasses.Field, value: Any) -> Any:
    """Returns the value of a field as a Python type; raises ValueError if it is out of range."""
    choices = {"hidden_act": ACTIVATIONS, "model_type": MODEL_TYPES}
    if field.name in choices:
        return check_choice(field.name, value, choices[field.name])
    if field.name == "embedding_size" and value is None:
        return None
    if field.name.endswith("_prob"):
        return check_rate(field.name, value)
    if field.type is float:
        return check_positive(field.name, value)
    return check_int(field.name, value, 0 if field.name == "task_type_vocab_size" else 1)
