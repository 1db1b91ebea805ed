"""Reads a Keras Hub preset, the folder that `BertBackbone.save_to_preset` writes."""

import pathlib
import warnings
from typing import Any

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.readers.beside_bert import warn_of_head
from keras_bert_zh.checkpoints.readers.h5_files import open_tensors
from keras_bert_zh.checkpoints.readers.json_files import read_json
from keras_bert_zh.checkpoints.schemes import KERAS_HUB, KERAS_HUB_FIRST, SPLIT_HEADS
from keras_bert_zh.checkpoints.select import FLOATS, select
from keras_bert_zh.checkpoints.tensors import Tensor
from keras_bert_zh.config import BertConfig
from keras_bert_zh.vocabulary import read_checkpoint_vocabulary

NAME = "Keras Hub preset"
CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
TASK = "task.json"
TASK_WEIGHTS = "task.weights.h5"
TOKENIZER = "tokenizer.json"
VOCABULARY = "assets/tokenizer/vocabulary.txt"

# Where a preset that this package wrote says what Keras Hub can't: `config` holds the fields of
# BertConfig that Keras Hub takes for others, `parts` those of `names.PARTS` that have weights.
OWN = "keras_bert_zh"

_MASKED_LM = "BertMaskedLM"

# The arguments of `BertBackbone`, with their defaults, by the fields of BertConfig.
ARGUMENTS = {
    "vocab_size": ("vocabulary_size", None),
    "hidden_size": ("hidden_dim", None),
    "num_hidden_layers": ("num_layers", None),
    "num_attention_heads": ("num_heads", None),
    "intermediate_size": ("intermediate_dim", None),
    "hidden_dropout_prob": ("dropout", 0.1),
    "max_position_embeddings": ("max_sequence_length", 512),
    "type_vocab_size": ("num_segments", 2),
}

# What its layers compute whatever a preset says.
FIXED = {"hidden_act": "gelu_tanh", "layer_norm_eps": 1e-12}

# Settings of its tokeniser that BertPreprocess does not have, and the values that are fine.
_PLAIN = {
    "split": True,
    "suffix_indicator": "##",
    "oov_token": "[UNK]",
    "special_tokens_in_strings": False,
}


def is_keras_hub(folder: pathlib.Path) -> bool:
    """Tells whether the folder has Keras weights, and a config.json with a class name."""
    config = folder / CONFIG
    weights = (folder / WEIGHTS).is_file()
    return weights and config.is_file() and b'"class_name"' in config.read_bytes()


def read(folder: pathlib.Path) -> Checkpoint:
    """Opens the preset in this folder without importing any of its classes.

    The preset's tokeniser says whether text is lower-cased. Texts are still split as in
    google-research/bert: Keras Hub lower-cases and splits a few characters differently. A text
    classifier is opened without its head.

    Raises:
        ValueError: if a file is damaged or missing, the files do not match, or the preset is not a
            BERT model.

    Reference:
        `KerasPresetSaver` and `BertBackbone` in Keras Hub.
    """
    path = folder / CONFIG
    fields = read_json(path)
    if fields.get("class_name") != "BertBackbone":
        raise ValueError(
            f"{path}: class_name must be 'BertBackbone', got {fields.get('class_name')!r}: this "
            "preset is not a BERT model."
        )
    own = _object(path, fields, OWN) if OWN in fields else {}
    config = _config(path, _object(path, fields, "config"), own)
    task = read_json(folder / TASK).get("class_name") if (folder / TASK).is_file() else None
    tensors = _open(folder)
    required = {"pooler", "masked_lm"} if task == _MASKED_LM else {"pooler"}
    if own and "pooler" not in _list(path, own, "parts"):
        required.remove("pooler")
        tensors = {n: t for n, t in tensors.items() if n not in _names_of("pooler")}
    weights, leftovers = select(
        f"{folder / WEIGHTS} does not contain the BERT that {CONFIG} describes, or {TASK_WEIGHTS} "
        f"(task/) does not contain the head that {TASK} names.",
        _joined(tensors, config),
        KERAS_HUB,
        config,
        optional=tuple(part for part in names.PARTS if part not in required),
        dtypes=FLOATS,
    )
    vocabulary, lowercase = _tokenizer(folder, config.vocab_size)
    warn_of_head(folder / TASK_WEIGHTS, [n for n in leftovers if n.startswith("task/layers")], task)
    if task == _MASKED_LM and not own:
        _warn_of_masked_lm(folder / TASK_WEIGHTS, config)
    return Checkpoint(config, vocabulary, lowercase, weights, NAME, leftovers)


def split_shapes(config: BertConfig) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of attention's weights in the file, by their names in the file."""
    heads = config.num_attention_heads
    sizes = config.to_dict() | {"head_size": config.hidden_size // heads}
    return {
        KERAS_HUB.names[ours].format(i=i): tuple(sizes[axis] for axis in axes)
        for ours, axes in SPLIT_HEADS.items()
        for i in range(config.num_hidden_layers)
    }


def implied_config(arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of the BertConfig that correspond to these Keras Hub arguments."""
    fields = {ours: arguments.get(theirs, default) for ours, (theirs, default) in ARGUMENTS.items()}
    return fields | FIXED | {"attention_probs_dropout_prob": fields["hidden_dropout_prob"]}


def _object(path: pathlib.Path, fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"{path}: {name} must be a JSON object, got {value!r}.")
    return value


def _config(path: pathlib.Path, arguments: dict[str, Any], own: dict[str, Any]) -> BertConfig:
    lacking = [n for n, default in ARGUMENTS.values() if default is None and n not in arguments]
    if lacking:
        raise ValueError(
            f"{path}: config must have {', '.join(lacking)}; it has {sorted(arguments)}."
        )
    fields = implied_config(arguments)
    if own:
        fields |= _object(path, own, "config")
    try:
        return BertConfig.from_dict(fields)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _list(path: pathlib.Path, fields: dict[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    if not isinstance(value, list):
        raise ValueError(f"{path}: {name} must be a JSON array, got {value!r}.")
    return value


def _open(folder: pathlib.Path) -> dict[str, Tensor]:
    """Returns the tensors of both files by the names of `KERAS_HUB`."""
    numbered, first = KERAS_HUB_FIRST
    tensors = {
        # Keras 2 called the group of a model's layers otherwise.
        name.replace("_layer_checkpoint_dependencies/", "layers/", 1).replace(first, numbered): t
        for name, t in open_tensors(folder / WEIGHTS, str).items()
    }
    path = folder / TASK_WEIGHTS
    task = open_tensors(path, str) if path.is_file() else {}
    return tensors | {f"task/{name}": tensor for name, tensor in task.items()}


def _names_of(part: str) -> list[str]:
    return [name for ours, name in KERAS_HUB.names.items() if names.part_of(ours) == part]


def _joined(tensors: dict[str, Tensor], config: BertConfig) -> dict[str, Tensor]:
    """Returns the tensors without axes for heads; wrong shapes are kept, to be reported."""
    expected = names.translation(KERAS_HUB.names, config.num_hidden_layers)
    shapes = {
        expected[ours]: tuple(axis for axis in shape if axis is not None)
        for ours, shape in names.shapes(config).items()
    }
    split = split_shapes(config)
    return {
        name: tensor.reshaped(shapes[name]) if tensor.shape == split.get(name) else tensor
        for name, tensor in tensors.items()
    }


def _tokenizer(folder: pathlib.Path, rows: int) -> tuple[tuple[str, ...] | None, bool | None]:
    """Returns the vocabulary and whether text is lower-cased; None if the files do not say."""
    path = folder / TOKENIZER
    settings = _object(path, read_json(path), "config") if path.is_file() else {}
    lowercase = settings.get("lowercase")
    if lowercase is not None and not isinstance(lowercase, bool):
        raise ValueError(f"{path}: lowercase must be true or false, got {lowercase!r}.")
    for name, plain in _PLAIN.items():
        if settings.get(name, plain) != plain:
            warnings.warn(
                f"{path}: its tokenizer has {name}={settings[name]!r}, which BertPreprocess does "
                "not support: the tokens of some texts will differ.",
                stacklevel=2,
            )
    vocabulary = folder / VOCABULARY
    if not vocabulary.exists():
        return None, lowercase
    return read_checkpoint_vocabulary(vocabulary, rows, padded=True), lowercase


def _warn_of_masked_lm(path: pathlib.Path, config: BertConfig) -> None:
    warnings.warn(
        f"{path}: {_MASKED_LM} of Keras Hub computes its head with the exact GELU and an epsilon "
        f"of 1e-05. MaskedLM uses the encoder's values instead, {config.hidden_act} and "
        f"{config.layer_norm_eps}: its logits differ slightly until you train it further.",
        stacklevel=2,
    )
