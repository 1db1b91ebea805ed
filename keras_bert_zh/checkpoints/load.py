"""The one door to every checkpoint format."""

import os

from keras_bert_zh.checkpoints import formats, resolve
from keras_bert_zh.checkpoints.checkpoint import Checkpoint


def load_checkpoint(source: str | os.PathLike | Checkpoint) -> Checkpoint:
    """Opens a pretrained BERT: configuration, vocabulary and weights.

    The format is told from the files, never from the name. Every tensor is read and checked once
    before anything is returned, but none is kept: `Checkpoint.weights` reads a tensor whenever it
    is asked for, so that the model is not in memory twice.

    Args:
        source: the path of a folder, or the prefix of a TensorFlow checkpoint; or a TensorFlow Hub
            URL, which is downloaded once and kept in tensorflow_hub's cache; or a `Checkpoint`,
            which is returned as it is.

    Returns:
        A `Checkpoint`.

    Raises:
        OSError: if the path does not exist, or the URL can't be downloaded; the message says
            what works without a network.
        ValueError: if the folder holds no format that is read, or if a file is damaged or
            incomplete; the message names the file and all that is wrong with it.
        TypeError: if `source` is neither a path, a URL nor a `Checkpoint`.

    Example:

    >>> from keras_bert_zh import load_checkpoint
    >>> path = "tests/data/tiny_tf1_hub"  # in this project's repository
    >>> checkpoint = load_checkpoint(path)
    >>> checkpoint.config.num_hidden_layers, checkpoint.lowercase, len(checkpoint.vocabulary)
    (2, True, 718)
    >>> checkpoint.weights["blocks.0.feed_forward.inner.kernel"].shape
    (32, 128)
    >>> checkpoint.missing
    ('next_sentence',)

    Reference:
        TF1 Hub format, https://www.tensorflow.org/hub/tf1_hub_module; variable names are those
        of google-research/bert `modeling.py`. Hugging Face's are those of `BertForPreTraining`.
    """
    checkpoint = open_checkpoint(source)
    checkpoint.weights.verify()
    return checkpoint


def open_checkpoint(source: str | os.PathLike | Checkpoint) -> Checkpoint:
    """Does the same without reading the tensors, for a caller who will read all of them or none."""
    if isinstance(source, Checkpoint):
        return source
    path = resolve.resolve(source)
    try:
        return formats.read(path)
    except ValueError as error:
        if resolve.is_handle(source):
            error.add_note(f"{source} is cached in {path}: delete it to download it again.")
        raise
