"""Loads a model for export from the path or URL that a user gives."""

import importlib
import os
import pathlib
from typing import Any

from keras_bert_zh.arguments import check_int

# Where the layers and models are that a .keras file may have.
_LAYERS = (
    "preprocess",
    "encoder",
    "heads.masked_lm",
    "heads.sentence_encoder",
    "heads.span_reader",
    "heads.text_classifier",
    "heads.token_tagger",
    "heads.two_towers",
    "layers.crf",
)

# The length of a preprocess, where nobody says another one.
_MAX_LENGTH = 128


def is_saved_model(source: str | os.PathLike) -> bool:
    """Tells whether a source is a `.keras` file, which contains a whole model."""
    return pathlib.Path(source).suffix == ".keras"


def read_saved_model(source: str | os.PathLike) -> Any:
    """Returns the model of a `.keras` file.

    Raises:
        ValueError, OSError: as `keras.saving.load_model` raises them.
    """
    import keras

    # By its decorators, every layer and model tells Keras its name.
    for name in _LAYERS:
        importlib.import_module(f"keras_bert_zh.{name}")
    return keras.saving.load_model(source, compile=False)


def model_of(
    source: Any,
    *,
    max_length: int | None = None,
    output: str | None = None,
    pairs: bool = False,
    pooling: str | None = None,
) -> tuple[Any, Any]:
    """Returns the model of a checkpoint, by its head, and the preprocess if there is no head.

    Args:
        source: what `load_checkpoint` takes.
        max_length: int, the largest number of tokens in a text; `None` for that of the source.
        output: str, the output of an encoder without a head; `None` for both.
        pairs: bool, whether a model with a head takes pairs.
        pooling: str, one of `pooling.MODES`: creates a SentenceEncoder from any checkpoint.

    Raises:
        ValueError, OSError: as `load_checkpoint` and the models raise them; and if an option
            does not fit the checkpoint.
    """
    from keras_bert_zh.checkpoints import load_checkpoint
    from keras_bert_zh.encoder import BertEncoder
    from keras_bert_zh.heads.sentence_encoder import SentenceEncoder
    from keras_bert_zh.heads.span_reader import SpanReader
    from keras_bert_zh.heads.text_classifier import TextClassifier
    from keras_bert_zh.heads.token_tagger import TokenTagger

    if max_length is not None:
        check_int("--max-length", max_length, 2)
    heads = {
        "sequence_classification": TextClassifier,
        "token_classification": TokenTagger,
        "question_answering": SpanReader,
    }
    checkpoint = load_checkpoint(source)
    if pooling is not None:
        if pairs or output is not None:
            raise ValueError("Vectors are made from single texts: leave out --pairs and --output.")
        return SentenceEncoder(checkpoint, pooling=pooling, max_length=max_length), None
    head = None if checkpoint.head is None else heads[checkpoint.head.task]
    if head is None and checkpoint.pooling is not None and not checkpoint.pooling.unsupported:
        head = SentenceEncoder
    if head is not None:
        if output is not None:
            raise ValueError(
                f"--output is for checkpoints without a head, but this one is a {head.__name__}."
            )
        model = head(checkpoint, max_length=max_length)
        model.takes_pairs = pairs or model.takes_pairs
        return model, None
    if pairs:
        raise ValueError("--pairs is for checkpoints with a head, but this one has none.")
    return BertEncoder(checkpoint, output_key=output), preprocess_of(checkpoint, max_length)


def preprocess_of(checkpoint: Any, max_length: int | None, **options: Any) -> Any:
    """Returns the preprocess of a checkpoint.

    Args:
        checkpoint: Checkpoint.
        max_length: int, or `None` for 128, or for the number of positions if that is smaller.
        **options: further arguments of BertPreprocess.
    """
    from keras_bert_zh.preprocess import BertPreprocess

    length = max_length or min(_MAX_LENGTH, checkpoint.config.max_position_embeddings)
    return BertPreprocess(checkpoint, max_length=length, **options)
