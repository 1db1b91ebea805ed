"""Reads a folder that Hugging Face Transformers wrote for a BERT model."""

import pathlib
import warnings
from typing import Any

from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.readers.json_files import read_config, read_json
from keras_bert_zh.checkpoints.readers.safetensors_files import open_tensors
from keras_bert_zh.checkpoints.schemes import HUGGINGFACE, Scheme
from keras_bert_zh.checkpoints.select import FLOATS, select
from keras_bert_zh.checkpoints.tensors import Tensor
from keras_bert_zh.checkpoints.vocabulary_file import check_tokens, read_vocabulary

NAME = "Hugging Face folder"
WEIGHTS = "model.safetensors"
SHARDS = "model.safetensors.index.json"
CONFIG = "config.json"

# Settings of Transformers' BERT that this package does not compute, and the values that are fine.
_PLAIN = {
    "model_type": ("bert",),
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
}


def read(folder: pathlib.Path) -> Checkpoint:
    """Opens the checkpoint in this folder.

    `"hidden_act": "gelu"` means what Transformers computes for it, the exact GELU with erf.

    Raises:
        ValueError: if a file is damaged or missing, or the files do not fit together.
    """
    path = folder / CONFIG
    fields = read_json(path)
    for name, allowed in _PLAIN.items():
        if fields.get(name, allowed[0]) not in allowed:
            raise ValueError(
                f"{path}: {name} must be {' or '.join(map(repr, allowed))}, got {fields[name]!r}: "
                "this model computes something else than BERT."
            )
    config = read_config(path, gelu="erf")
    files = _weight_files(folder)
    tensors = open_tensors(files)
    scheme = _scheme_of(tensors)
    others = _of_other_layers(tensors, tied=fields.get("tie_word_embeddings", True))
    weights, leftovers = select(
        f"{files[0] if len(files) == 1 else folder / SHARDS} does not hold the BERT that {CONFIG} "
        "describes.",
        {name: tensor for name, tensor in tensors.items() if name not in others},
        scheme,
        config,
        optional=("pooler", "masked_lm", "next_sentence"),
        dtypes=FLOATS,
    )
    vocabulary, lowercase = _tokenizer(folder, config.vocab_size)
    pad = fields.get("pad_token_id")
    if vocabulary and isinstance(pad, int) and vocabulary[pad : pad + 1] != ("[PAD]",):
        raise ValueError(
            f"{path}: pad_token_id is {pad}, but [PAD] is line {vocabulary.index('[PAD]') + 1} of "
            f"the vocabulary: they belong to different models."
        )
    return Checkpoint(config, vocabulary, lowercase, weights, NAME, (*leftovers, *others))


def _weight_files(folder: pathlib.Path) -> list[pathlib.Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    path = folder / SHARDS
    shards = read_json(path).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise ValueError(f"{path} has no weight_map from tensors to files.")
    files = sorted({str(file) for file in shards.values()})
    for file in files:
        # A longer path could lead out of the folder.
        if pathlib.PurePath(file).name != file or not (folder / file).is_file():
            raise ValueError(f"{path} names {file!r}, which is no file in {folder}.")
    return [folder / file for file in files]


def _is_bare(tensors: dict[str, Tensor]) -> bool:
    return not any(name.startswith("bert.") for name in tensors)


def _of_other_layers(tensors: dict[str, Tensor], *, tied: bool) -> list[str]:
    """Returns the tensors of a model around BERT, and of a decoder that is not the embeddings."""
    foreign = [] if tied else [name for name in tensors if name.startswith("cls.predictions.")]
    if not _is_bare(tensors):
        foreign += [name for name in tensors if not name.startswith(("bert.", "cls."))]
    return foreign


def _scheme_of(tensors: dict[str, Tensor]) -> Scheme:
    """Returns the names that this file uses: older ones, and those of the encoder on its own."""
    table = dict(HUGGINGFACE.names)
    if _is_bare(tensors):
        table = {ours: name.removeprefix("bert.") for ours, name in table.items()}
    if any(name.endswith("LayerNorm.gamma") for name in tensors):
        for ours, name in table.items():
            if "LayerNorm." in name:
                table[ours] = f"{name.rpartition('.')[0]}.{ours.rpartition('.')[2]}"
    return HUGGINGFACE._replace(names=table)


def _tokenizer(folder: pathlib.Path, rows: int) -> tuple[tuple[str, ...] | None, bool | None]:
    """Returns the vocabulary and whether text is lower-cased, None for what the files lack."""
    fast = folder / "tokenizer.json"
    settings = _normalizer(fast) if fast.is_file() else {}
    if (folder / "tokenizer_config.json").is_file():
        settings |= read_json(folder / "tokenizer_config.json")
    lowercase = settings.get("do_lower_case", settings.get("lowercase"))
    _warn_of_other_tokens(folder, settings, lowercase)
    if lowercase not in (None, True, False):
        raise ValueError(f"{folder}: do_lower_case must be true or false, got {lowercase!r}.")
    if (folder / "vocab.txt").exists():
        return read_vocabulary(folder / "vocab.txt", rows, padded=True), lowercase
    if fast.is_file():
        return _vocabulary_of_tokenizer(fast, rows), lowercase
    return None, lowercase


def _normalizer(path: pathlib.Path) -> dict[str, Any]:
    normalizer = read_json(path).get("normalizer")
    return dict(normalizer) if isinstance(normalizer, dict) else {}


def _warn_of_other_tokens(folder: pathlib.Path, settings: dict, lowercase: bool | None) -> None:
    plain = {
        "tokenize_chinese_chars": (True,),
        "handle_chinese_chars": (True,),
        "clean_text": (True,),
        "strip_accents": (None, lowercase),
    }
    for name, values in plain.items():
        if settings.get(name, values[0]) not in values:
            warnings.warn(
                f"{folder}: its tokenizer has {name}={settings[name]}, which BertPreprocess does "
                "not do: the tokens of some texts will differ.",
                stacklevel=2,
            )


def _vocabulary_of_tokenizer(path: pathlib.Path, rows: int) -> tuple[str, ...]:
    model = read_json(path).get("model")
    ids = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(ids, dict) or model.get("type", "WordPiece") != "WordPiece":
        raise ValueError(f"{path} holds no WordPiece vocabulary.")
    tokens = {index: token for token, index in ids.items() if isinstance(index, int)}
    if tokens.keys() != set(range(len(ids))):
        raise ValueError(f"{path}: the ids of the tokens are not 0, 1, 2 and so on.")
    vocabulary = tuple(tokens[index] for index in range(len(ids)))
    return check_tokens(path, vocabulary, rows, padded=True)
