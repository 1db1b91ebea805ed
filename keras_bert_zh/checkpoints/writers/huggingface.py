"""Writes a folder that Hugging Face Transformers loads."""

import dataclasses
import pathlib
import warnings
from typing import Any

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.head import Head
from keras_bert_zh.checkpoints.readers.huggingface import CONFIG
from keras_bert_zh.checkpoints.schemes import HUGGINGFACE_CLASSES, huggingface
from keras_bert_zh.checkpoints.weight_kinds import SAFETENSORS
from keras_bert_zh.checkpoints.writers.model_card import CARD, model_card
from keras_bert_zh.checkpoints.writers.parts import (
    arrays,
    write_json,
    write_tensors,
    write_vocabulary,
)
from keras_bert_zh.checkpoints.writers.sentence_transformers import write_pooling
from keras_bert_zh.vocabulary import is_lowercase, special_ids

# The end of the name of Transformers' class, by the heads that there are: `BertModel` and so on.
_ARCHITECTURES = {
    (): "Model",
    ("masked_lm",): "ForMaskedLM",
    ("next_sentence",): "ForNextSentencePrediction",
    ("masked_lm", "next_sentence"): "ForPreTraining",
}

VOCABULARY = "vocab.txt"
TOKENIZER = "tokenizer_config.json"

_ACTIVATIONS = {"gelu_tanh": "gelu_new", "gelu_erf": "gelu", "relu": "relu"}


def write(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    """Writes the checkpoint to this folder, which exists and is empty.

    If the checkpoint does not say whether text is lower-cased, this is guessed from the vocabulary,
    as in `BertPreprocess`: without the setting, Transformers always lower-cases. The pooling is
    written for sentence-transformers.

    Raises:
        ValueError: if a weight or a token can't be written, or an ELECTRA has heads of BERT.
        OSError: if a file can't be written.

    Reference:
        `BertConfig`, `BertForPreTraining`, `BertForSequenceClassification` and `BertTokenizer` in
        Hugging Face Transformers.
    """
    if checkpoint.config.model_type == "electra":
        checkpoint = _as_electra(checkpoint)
    write_configs(checkpoint, folder)
    prefix = f"{checkpoint.config.model_type}." if _heads_of_its_own(checkpoint) else ""
    write_tensors(dict(arrays(checkpoint, huggingface(prefix))), folder / SAFETENSORS.file)
    pooling = checkpoint.pooling
    if pooling is not None and pooling.unsupported:
        pooling = None  # Its reader has told of it.
    if pooling is not None:
        write_pooling(checkpoint, pooling, folder)
    card = model_card(checkpoint, _architecture(checkpoint), pooling)
    (folder / CARD).write_text(card, encoding="utf-8")


def write_configs(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    """Writes the configurations and the vocabulary that Transformers reads with the weights."""
    write_json(folder / CONFIG, _config(checkpoint))
    if checkpoint.vocabulary is not None:
        write_vocabulary(folder / VOCABULARY, checkpoint.vocabulary)
        write_json(folder / TOKENIZER, _tokenizer(checkpoint, checkpoint.vocabulary))


def _as_electra(checkpoint: Checkpoint) -> Checkpoint:
    """Returns the checkpoint without the pooler, which ElectraModel does not have."""
    heads = [part for part in checkpoint.parts if part in names.PRETRAINED[1:]]
    if heads:
        raise ValueError(
            f"Transformers' ElectraModel has no {' and no '.join(heads)}: save the checkpoint "
            "without these heads."
        )
    if checkpoint.head is not None and checkpoint.head.task == "sequence_classification":
        raise ValueError(
            "Transformers' ElectraForSequenceClassification has a head of two layers, but this "
            "head has one, on the pooled output: save the model as a Keras file with model.save."
        )
    if checkpoint.pooling is not None and checkpoint.pooling.mode == "pooled_output":
        raise ValueError(
            "Transformers' ElectraModel has no pooler, but these vectors are the pooler's output: "
            "save the model as a Keras file with model.save."
        )
    if "pooler" in checkpoint.parts:
        warnings.warn(
            "Transformers' ElectraModel has no pooler, so the pooler of this encoder is not saved. "
            "If you trained on pooled_output, save a Keras file with model.save.",
            stacklevel=4,
        )
    kept = [name for name in checkpoint.weights if names.part_of(name) != "pooler"]
    return dataclasses.replace(checkpoint, weights=checkpoint.weights.only(kept))


def _heads_of_its_own(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Returns the heads that are not part of `BertModel`."""
    return tuple(part for part in checkpoint.parts if part in names.HEADS)


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    tokens = special_ids(checkpoint.vocabulary or ())
    return {
        **checkpoint.config.to_dict(),
        "architectures": [_architecture(checkpoint)],
        "dtype": "float32",
        "hidden_act": _ACTIVATIONS[checkpoint.config.hidden_act],
        "model_type": checkpoint.config.model_type,
        "pad_token_id": tokens.get("[PAD]", 0),
        **_meaning(checkpoint.head),
    }


def _architecture(checkpoint: Checkpoint) -> str:
    """Returns the name of the class in Transformers."""
    if checkpoint.head is None:
        end = _ARCHITECTURES[_heads_of_its_own(checkpoint)]
    else:
        end = HUGGINGFACE_CLASSES[checkpoint.head.task]
    return f"{checkpoint.config.model_type.capitalize()}{end}"


def _meaning(head: Head | None) -> dict[str, Any]:
    """Returns the labels and settings of a head; Transformers counts outputs by the labels."""
    if head is None or head.labels is None:
        return {}
    fields = {"problem_type": head.problem_type, "classifier_dropout": head.dropout}
    return {
        "id2label": {str(index): label for index, label in enumerate(head.labels)},
        "label2id": {label: index for index, label in enumerate(head.labels)},
        **{name: value for name, value in fields.items() if value is not None},
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
