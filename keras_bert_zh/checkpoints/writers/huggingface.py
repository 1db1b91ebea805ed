"""Writes a folder that Hugging Face Transformers loads."""

import dataclasses
import pathlib
import warnings
from typing import Any

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.readers.huggingface import CONFIG
from keras_bert_zh.checkpoints.schemes import huggingface
from keras_bert_zh.checkpoints.weight_kinds import SAFETENSORS
from keras_bert_zh.checkpoints.writers.parts import arrays, write_json, write_vocabulary
from keras_bert_zh.vocabulary import is_lowercase, special_ids

# Transformers' class for what stands on the encoder, beside the pooler: `BertModel` and so on.
_ARCHITECTURES = {
    (): "Model",
    ("masked_lm",): "ForMaskedLM",
    ("next_sentence",): "ForNextSentencePrediction",
    ("masked_lm", "next_sentence"): "ForPreTraining",
}

_ACTIVATIONS = {"gelu_tanh": "gelu_new", "gelu_erf": "gelu", "relu": "relu"}


def write(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    """Writes the checkpoint to this folder, which is there and empty.

    Where the checkpoint does not say whether text is lower-cased, the vocabulary tells, as for
    `BertPreprocess`: Transformers lower-cases wherever a folder does not say.

    Raises:
        ValueError: if a weight or a token can't be written, or an ELECTRA has heads of BERT.
        OSError: if a file can't.

    Reference:
        `BertConfig`, `BertForPreTraining` and `BertTokenizer` in Hugging Face Transformers.
    """
    if checkpoint.config.model_type == "electra":
        checkpoint = _as_electra(checkpoint)
    write_json(folder / CONFIG, _config(checkpoint))
    if checkpoint.vocabulary is not None:
        write_vocabulary(folder / "vocab.txt", checkpoint.vocabulary)
        write_json(folder / "tokenizer_config.json", _tokenizer(checkpoint, checkpoint.vocabulary))
    _write_weights(checkpoint, folder / SAFETENSORS.file)


def _as_electra(checkpoint: Checkpoint) -> Checkpoint:
    """Returns the checkpoint without the pooler, which ElectraModel does not have."""
    heads = [part for part in checkpoint.parts if part in ("masked_lm", "next_sentence")]
    if heads:
        raise ValueError(
            f"Transformers' ElectraModel has no {' and no '.join(heads)}: write the checkpoint "
            "without these heads."
        )
    if "pooler" in checkpoint.parts:
        warnings.warn(
            "Transformers' ElectraModel has no pooler: that of this encoder is not written. What "
            "was trained on pooled_output needs a file of Keras: model.save.",
            stacklevel=4,
        )
    kept = [name for name in checkpoint.weights if names.part_of(name) != "pooler"]
    return dataclasses.replace(checkpoint, weights=checkpoint.weights.only(kept))


def _write_weights(checkpoint: Checkpoint, path: pathlib.Path) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    model_type = checkpoint.config.model_type
    scheme = huggingface(f"{model_type}." if _heads_of_its_own(checkpoint) else "")
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
    model_type = checkpoint.config.model_type
    heads = _ARCHITECTURES[_heads_of_its_own(checkpoint)]
    return {
        **checkpoint.config.to_dict(),
        "architectures": [f"{model_type.capitalize()}{heads}"],
        "dtype": "float32",
        "hidden_act": _ACTIVATIONS[checkpoint.config.hidden_act],
        "model_type": model_type,
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
