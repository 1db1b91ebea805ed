"""Writes a folder that Hugging Face Transformers loads."""

import pathlib
from typing import Any

from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.readers.huggingface import CONFIG
from keras_bert_zh.checkpoints.schemes import HUGGINGFACE
from keras_bert_zh.checkpoints.weight_kinds import SAFETENSORS
from keras_bert_zh.checkpoints.writers.parts import arrays, write_json, write_vocabulary
from keras_bert_zh.vocabulary import is_lowercase, special_ids

# Transformers' class for what stands on the encoder, beside the pooler.
_ARCHITECTURES = {
    (): "BertModel",
    ("masked_lm",): "BertForMaskedLM",
    ("next_sentence",): "BertForNextSentencePrediction",
    ("masked_lm", "next_sentence"): "BertForPreTraining",
}

_ACTIVATIONS = {"gelu_tanh": "gelu_new", "gelu_erf": "gelu", "relu": "relu"}


def write(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    """Writes the checkpoint to this folder, which is there and empty.

    Where the checkpoint does not say whether text is lower-cased, the vocabulary tells, as for
    `BertPreprocess`: Transformers lower-cases wherever a folder does not say.

    Raises:
        ValueError: if a weight or a token can't be written.
        OSError: if a file can't.

    Reference:
        `BertConfig`, `BertForPreTraining` and `BertTokenizer` in Hugging Face Transformers.
    """
    write_json(folder / CONFIG, _config(checkpoint))
    if checkpoint.vocabulary is not None:
        write_vocabulary(folder / "vocab.txt", checkpoint.vocabulary)
        write_json(folder / "tokenizer_config.json", _tokenizer(checkpoint, checkpoint.vocabulary))
    _write_weights(checkpoint, folder / SAFETENSORS.file)


def _write_weights(checkpoint: Checkpoint, path: pathlib.Path) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    scheme = HUGGINGFACE
    if not _heads_of_its_own(checkpoint):
        bare = {ours: name.removeprefix("bert.") for ours, name in scheme.names.items()}
        scheme = scheme._replace(names=bare)
    try:
        # Transformers refuses files that do not say which framework laid the tensors out.
        save_file(dict(arrays(checkpoint, scheme)), path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise OSError(f"{path} can't be written: {error}") from error


def _heads_of_its_own(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Returns the heads that are not part of `BertModel`."""
    return tuple(head for head in checkpoint.parts if head != "pooler")


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    tokens = special_ids(checkpoint.vocabulary or ())
    return {
        **checkpoint.config.to_dict(),
        "architectures": [_ARCHITECTURES[_heads_of_its_own(checkpoint)]],
        "dtype": "float32",
        "hidden_act": _ACTIVATIONS[checkpoint.config.hidden_act],
        "model_type": "bert",
        "pad_token_id": tokens.get("[PAD]", 0),
    }


def _tokenizer(checkpoint: Checkpoint, vocabulary: tuple[str, ...]) -> dict[str, Any]:
    lowercase = checkpoint.lowercase
    ids = special_ids(vocabulary)
    tokens = {f"{token[1:-1].lower()}_token": token for token in ids}
    return {
        # Transformers would give [MASK] a row of its own where the vocabulary has none.
        "mask_token": None,
        **tokens,
        "do_lower_case": is_lowercase(vocabulary) if lowercase is None else lowercase,
        "model_max_length": checkpoint.config.max_position_embeddings,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "tokenizer_class": "BertTokenizer",
    }
