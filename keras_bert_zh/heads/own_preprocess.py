"""The preprocess of a model of texts."""

from keras_bert_zh.checkpoints import Checkpoint
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.layers import kernels
from keras_bert_zh.preprocess import BertPreprocess

# How long texts are by default: as in BertPreprocess, but no longer than the encoder takes.
_LENGTH = 128


def own_preprocess(
    source: Checkpoint | BertEncoder, preprocess: BertPreprocess | None, max_length: int | None
) -> BertPreprocess | None:
    """Returns the preprocess of a model, checked against the sizes of its encoder.

    Args:
        source: the source of the encoder, or the encoder.
        preprocess: BertPreprocess. `None`: the checkpoint's, or none with an encoder.
        max_length: int, for the checkpoint's preprocess. `None`: 128, or the number of positions
            of the encoder if it is smaller.

    Raises:
        TypeError: if `preprocess` is not a BertPreprocess.
        ValueError: if both do not match, or `max_length` is given with a preprocess or an encoder.
    """
    is_given = preprocess is not None or isinstance(source, BertEncoder)
    positions = source.config.max_position_embeddings
    if not is_given:
        length = min(_LENGTH, positions) if max_length is None else max_length
        preprocess = BertPreprocess(source, max_length=length)
    elif max_length is not None:
        raise ValueError(
            "max_length is only for the preprocess that is created from a checkpoint: pass "
            f"preprocess=BertPreprocess(..., max_length={max_length!r})."
        )
    if preprocess is None:
        return None
    if not isinstance(preprocess, BertPreprocess):
        raise TypeError(f"preprocess must be a BertPreprocess, got {preprocess!r}.")
    limits = {
        "tokens": (len(preprocess.vocabulary), source.config.vocab_size),
        "positions": (preprocess.max_length, positions),
    }
    for what, (given, most) in limits.items():
        if given > most:
            raise ValueError(
                f"The preprocess has {given} {what}, but the encoder has {most}: create both from "
                f"the same checkpoint, with a max_length of at most {positions}."
            )
    # Elsewhere no string gets into a model, whose rest is to be compiled.
    preprocess.supports_jit = preprocess.supports_jit or not kernels.ON_TENSORFLOW
    return preprocess
