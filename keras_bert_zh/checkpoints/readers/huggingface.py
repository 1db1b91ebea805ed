"""Reads a folder that Hugging Face Transformers wrote for a BERT model, an ERNIE or an ELECTRA."""

import pathlib
import warnings
from typing import Any

from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.names import PARTS
from keras_bert_zh.checkpoints.readers import fine_tuned
from keras_bert_zh.checkpoints.readers.beside_bert import (
    TASK_TABLE,
    warn_of_head,
    warn_of_modules,
    warn_of_tasks,
)
from keras_bert_zh.checkpoints.readers.json_files import read_config, read_json
from keras_bert_zh.checkpoints.readers.sentence_transformers import read_pooling
from keras_bert_zh.checkpoints.readers.weight_files import open_weights
from keras_bert_zh.checkpoints.schemes import HUGGINGFACE_PREFIXES, Scheme, huggingface
from keras_bert_zh.checkpoints.select import FLOATS, select
from keras_bert_zh.checkpoints.tensors import Tensor
from keras_bert_zh.config import MODEL_TYPES
from keras_bert_zh.vocabulary import SPECIAL_TOKENS, check_rows, read_tokens

NAME = "Hugging Face folder"
CONFIG = "config.json"

# Settings of Transformers' BERT that this package does not compute, and the values that are fine.
_PLAIN = {
    "model_type": MODEL_TYPES,
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
}


def read(folder: pathlib.Path) -> Checkpoint:
    """Opens the checkpoint in this folder.

    `"hidden_act": "gelu"` means what Transformers computes for it, the exact GELU with erf.

    Raises:
        ValueError: if a file is damaged or missing, or the files do not match.
    """
    path = folder / CONFIG
    fields = read_json(path)
    for name, allowed in _PLAIN.items():
        if fields.get(name, allowed[0]) not in allowed:
            raise ValueError(
                f"{path}: {name} must be {' or '.join(map(repr, allowed))}, got {fields[name]!r}: "
                "this model does not compute what BERT computes."
            )
    config = read_config(path, gelu="erf")
    file, tensors, transposed = open_weights(folder)
    scheme = _scheme_of(tensors)
    if not transposed:
        scheme = scheme._replace(transposed=())
    others = _of_other_layers(tensors, tied=fields.get("tie_word_embeddings", True))
    foreign = [name for name in others if not name.startswith("cls.")]
    pooler = scheme.names["pooler.dense.kernel"] in tensors
    head, found = fine_tuned.huggingface_head(
        path,
        fields,
        fine_tuned.find(tensors, scheme, config.hidden_size, foreign, fields),
        pooler=pooler,
    )
    others = [name for name in (*others, *found.unread) if name not in found.own]
    weights, leftovers = select(
        f"{file} does not contain the BERT that {CONFIG} describes.",
        {name: tensor for name, tensor in tensors.items() if name not in others},
        scheme,
        config,
        optional=PARTS,
        dtypes=FLOATS,
    )
    vocabulary, lowercase = _tokenizer(folder, config.vocab_size)
    _check_padding(path, fields, vocabulary)
    leftovers = tuple(dict.fromkeys((*leftovers, *others)))
    model = next(iter(fine_tuned.classes(fields)), None)
    warn_of_head(file, _of_a_head(leftovers), model, fields.get("id2label"))
    warn_of_tasks(path, leftovers)
    pooling = read_pooling(folder, config, weights)
    if pooling is None:
        warn_of_modules(folder)
    format_ = f"{NAME} ({file.name})"
    return Checkpoint(config, vocabulary, lowercase, weights, format_, leftovers, pooling, head)


def _check_padding(
    path: pathlib.Path, fields: dict[str, Any], vocabulary: tuple[str, ...] | None
) -> None:
    pad = fields.get("pad_token_id")
    if vocabulary and isinstance(pad, int) and vocabulary[pad : pad + 1] != ("[PAD]",):
        raise ValueError(
            f"{path}: pad_token_id is {pad}, but [PAD] is line {vocabulary.index('[PAD]') + 1} of "
            f"the vocabulary: these two files belong to different models."
        )


def _of_a_head(leftovers: tuple[str, ...]) -> list[str]:
    """Returns the tensors that a pretrained BERT does not have."""
    embeddings = ("position_ids", TASK_TABLE)
    return [n for n in leftovers if not n.startswith("cls.") and not n.endswith(embeddings)]


def _prefix(tensors: dict[str, Tensor]) -> str:
    """Returns the prefix of the encoder's tensor names; empty if there is only an encoder."""
    found = (p for p in HUGGINGFACE_PREFIXES if any(name.startswith(p) for name in tensors))
    return next(found, "")


def _of_other_layers(tensors: dict[str, Tensor], *, tied: bool) -> list[str]:
    """Returns the tensors outside BERT, and those of a decoder that is not tied to embeddings."""
    foreign = [] if tied else [name for name in tensors if name.startswith("cls.predictions.")]
    known = (_prefix(tensors), "cls.")  # Without a prefix, any name begins so.
    foreign += [name for name in tensors if not name.startswith(known)]
    return foreign


def _scheme_of(tensors: dict[str, Tensor]) -> Scheme:
    """Returns the names that this file uses, which may be old or have no prefix."""
    scheme = huggingface(_prefix(tensors))
    table = dict(scheme.names)
    if any(name.endswith("LayerNorm.gamma") for name in tensors):
        for ours, name in table.items():
            if "LayerNorm." in name:
                table[ours] = f"{name.rpartition('.')[0]}.{ours.rpartition('.')[2]}"
    return scheme._replace(names=table)


def _tokenizer(folder: pathlib.Path, rows: int) -> tuple[tuple[str, ...] | None, bool | None]:
    """Returns the vocabulary and whether text is lower-cased; None if the files do not say."""
    fast = folder / "tokenizer.json"
    settings: dict[str, Any] = {}
    for path in (fast, folder / "tokenizer_config.json"):
        if path.is_file():
            found = _normalizer(path) if path == fast else read_json(path)
            settings |= {name: value for name, value in found.items() if value is not None}
    lowercase = settings.get("do_lower_case", settings.get("lowercase"))
    if lowercase is not None and not isinstance(lowercase, bool):
        raise ValueError(f"{folder}: do_lower_case must be true or false, got {lowercase!r}.")
    _warn_of_other_tokens(folder, settings, lowercase)
    if (folder / "vocab.txt").exists():
        path = folder / "vocab.txt"
        tokens = _with_added_tokens(read_tokens(path), folder)
    elif fast.is_file():
        path, tokens = fast, _with_added_tokens(_vocabulary_of_tokenizer(fast), folder)
    else:
        return None, lowercase
    return check_rows(path, tokens, rows, padded=True), lowercase


def _with_added_tokens(tokens: tuple[str, ...], folder: pathlib.Path) -> tuple[str, ...]:
    """Returns the tokens, including those that Transformers keeps in another file."""
    path = folder / "added_tokens.json"
    added = {index: token for token, index in read_json(path).items()} if path.is_file() else {}
    if (folder / "tokenizer.json").is_file():
        entries = read_json(folder / "tokenizer.json").get("added_tokens") or []
        added |= {entry.get("id"): entry.get("content") for entry in entries}
    # Blank lines may hold their places.
    tokens = tuple(token or str(added.get(index, "")) for index, token in enumerate(tokens))
    while isinstance(added.get(len(tokens)), str):
        tokens = (*tokens, added[len(tokens)])
    return tokens


def _normalizer(path: pathlib.Path) -> dict[str, Any]:
    normalizer = read_json(path).get("normalizer")
    if not isinstance(normalizer, dict):
        return {}
    parts = [normalizer, *(normalizer.get("normalizers") or [])]
    return next((dict(part) for part in parts if part.get("type") == "BertNormalizer"), {})


def _warn_of_other_tokens(folder: pathlib.Path, settings: dict, lowercase: bool | None) -> None:
    plain = {
        "do_basic_tokenize": (True,),
        "never_split": ([],),
        "tokenize_chinese_chars": (True,),
        "handle_chinese_chars": (True,),
        "clean_text": (True,),
        "strip_accents": (None, lowercase),
    }
    # Special tokens are split nowhere.
    kept = [token for token in settings.get("never_split") or [] if token not in SPECIAL_TOKENS]
    settings = settings | {"never_split": kept}
    for name, values in plain.items():
        if settings.get(name, values[0]) not in values:
            warnings.warn(
                f"{folder}: its tokenizer has {name}={settings[name]}, which BertPreprocess does "
                "not support: the tokens of some texts will differ.",
                stacklevel=2,
            )


def _vocabulary_of_tokenizer(path: pathlib.Path) -> tuple[str, ...]:
    found = read_json(path).get("model")
    model = found if isinstance(found, dict) else {}
    ids = model.get("vocab")
    if not isinstance(ids, dict) or model.get("type", "WordPiece") != "WordPiece":
        raise ValueError(f"{path} does not contain a WordPiece vocabulary.")
    tokens = {index: token for token, index in ids.items() if isinstance(index, int)}
    if tokens.keys() != set(range(len(ids))):
        raise ValueError(f"{path}: the ids of the tokens must be 0, 1, 2 and so on, without gaps.")
    return tuple(tokens[index] for index in range(len(ids)))
