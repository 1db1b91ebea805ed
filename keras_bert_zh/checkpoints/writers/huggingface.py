"""Writes a folder that Hugging Face Transformers loads."""

import pathlib
from typing import Any

from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.head import Head
from keras_bert_zh.checkpoints.names import HEADS
from keras_bert_zh.checkpoints.readers.huggingface import CONFIG, WEIGHTS
from keras_bert_zh.checkpoints.schemes import HUGGINGFACE, Scheme
from keras_bert_zh.checkpoints.writers.model_card import CARD, model_card
from keras_bert_zh.checkpoints.writers.parts import (
    arrays,
    write_json,
    write_tensors,
    write_vocabulary,
)
from keras_bert_zh.checkpoints.writers.sentence_transformers import write_pooling
from keras_bert_zh.vocabulary import is_lowercase, special_ids

# Transformers' class for what stands on the encoder, beside the pooler.
_ARCHITECTURES = {
    (): "BertModel",
    ("masked_lm",): "BertForMaskedLM",
    ("next_sentence",): "BertForNextSentencePrediction",
    ("masked_lm", "next_sentence"): "BertForPreTraining",
}
_FINE_TUNED = {
    "sequence_classification": "BertForSequenceClassification",
    "token_classification": "BertForTokenClassification",
    "question_answering": "BertForQuestionAnswering",
}

_ACTIVATIONS = {"gelu_tanh": "gelu_new", "gelu_erf": "gelu", "relu": "relu"}


def write(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
    """Writes the checkpoint to this folder, which is there and empty.

    Where the checkpoint does not say whether text is lower-cased, the vocabulary tells, as for
    `BertPreprocess`: Transformers lower-cases wherever a folder does not say. A pooling is written
    for sentence-transformers.

    Raises:
        ValueError: if a weight or a token can't be written.
        OSError: if a file can't.

    Reference:
        `BertConfig`, `BertForPreTraining`, `BertForSequenceClassification` and `BertTokenizer` in
        Hugging Face Transformers.
    """
    write_json(folder / CONFIG, _config(checkpoint))
    if checkpoint.vocabulary is not None:
        write_vocabulary(folder / "vocab.txt", checkpoint.vocabulary)
        write_json(folder / "tokenizer_config.json", _tokenizer(checkpoint, checkpoint.vocabulary))
    write_tensors(dict(arrays(checkpoint, _scheme(checkpoint))), folder / WEIGHTS)
    pooling = checkpoint.pooling
    if pooling is not None and pooling.unsupported:
        pooling = None  # Its reader has told of it.
    if pooling is not None:
        write_pooling(checkpoint, pooling, folder)
    card = model_card(checkpoint, _architecture(checkpoint), pooling)
    (folder / CARD).write_text(card, encoding="utf-8")


def _scheme(checkpoint: Checkpoint) -> Scheme:
    """Returns the names of the tensors: those of the encoder on its own have no prefix."""
    if _heads_of_its_own(checkpoint):
        return HUGGINGFACE
    bare = {ours: name.removeprefix("bert.") for ours, name in HUGGINGFACE.names.items()}
    return HUGGINGFACE._replace(names=bare)


def _heads_of_its_own(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Returns the heads that are not part of `BertModel`."""
    return tuple(part for part in checkpoint.parts if part in HEADS)


def _config(checkpoint: Checkpoint) -> dict[str, Any]:
    tokens = special_ids(checkpoint.vocabulary or ())
    return {
        **checkpoint.config.to_dict(),
        "architectures": [_architecture(checkpoint)],
        "dtype": "float32",
        "hidden_act": _ACTIVATIONS[checkpoint.config.hidden_act],
        "model_type": "bert",
        "pad_token_id": tokens.get("[PAD]", 0),
        **_meaning(checkpoint.head),
    }


def _architecture(checkpoint: Checkpoint) -> str:
    if checkpoint.head is not None:
        return _FINE_TUNED[checkpoint.head.task]
    return _ARCHITECTURES[_heads_of_its_own(checkpoint)]


def _meaning(head: Head | None) -> dict[str, Any]:
    """Returns what is said of the outputs of a head; Transformers counts them by their labels."""
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
