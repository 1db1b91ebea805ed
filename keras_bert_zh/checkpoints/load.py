"""The one door to every checkpoint format."""

import os

from keras_bert_zh.checkpoints import resolve, tf1_hub
from keras_bert_zh.checkpoints.checkpoint import Checkpoint


def load_checkpoint(source: str | os.PathLike | Checkpoint) -> Checkpoint:
    """Reads a pretrained BERT: configuration, vocabulary and weights.

    The format is told from the files, never from the name. Every tensor is read and checked
    before anything is returned. This version reads TF1 Hub modules, the format of
    `https://tfhub.dev/google/bert_chinese_L-12_H-768_A-12/1`; reading one needs TensorFlow.

    Args:
        source: the path of a module's folder; or a TensorFlow Hub URL, which is downloaded once
            and kept in tensorflow_hub's cache; or a `Checkpoint`, which is returned as it is.

    Returns:
        A `Checkpoint`.

    Raises:
        OSError: if the path does not exist, or the URL can't be downloaded; the message says
            what works without a network.
        ValueError: if the folder holds no format that this version reads, or if a file is damaged
            or incomplete; the message names the file and all that is wrong with it.
        TypeError: if `source` is neither a path, a URL nor a `Checkpoint`.

    Example:

    >>> from keras_bert_zh import load_checkpoint
    >>> path = "tests/data/tiny_tf1_hub"  # in this project's repository
    >>> checkpoint = load_checkpoint(path)
    >>> checkpoint.config.num_hidden_layers, checkpoint.lowercase, len(checkpoint.vocabulary)
    (2, True, 718)
    >>> checkpoint.weights["blocks.0.feed_forward.inner.kernel"].shape
    (32, 128)

    Reference:
        TF1 Hub format, https://www.tensorflow.org/hub/tf1_hub_module; variable names are those
        of google-research/bert `modeling.py`.
    """
    if isinstance(source, Checkpoint):
        return source
    folder = resolve.resolve(source)
    try:
        return tf1_hub.read(folder)
    except ValueError as error:
        if resolve.is_handle(source):
            error.add_note(f"{source} is cached in {folder}: delete it to download it again.")
        raise
