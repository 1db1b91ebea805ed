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
    """Returns the preprocess of a model, which is checked against its encoder's sizes.

    Args:
        source: what the encoder is made from, or the encoder.
        preprocess: BertPreprocess; `None` for that of a checkpoint, and for none with an encoder.
        max_length: int, that of a checkpoint's preprocess; `None` for 128, or as many positions as
            the encoder has, if these are fewer.

    Raises:
        TypeError: if `preprocess` is something else.
        ValueError: if both do not fit each other, or `max_length` is given with one of them.
    """
    is_given = preprocess is not None or isinstance(source, BertEncoder)
    positions = source.config.max_position_embeddings
    if not is_given:
        length = min(_LENGTH, positions) if max_length is None else max_length
        preprocess = BertPreprocess(source, max_length=length)
    elif max_length is not None:
        raise ValueError(
            "max_length is for the preprocess that is made from a checkpoint: pass "
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
                f"The preprocess has {given} {what} and the encoder has {most}: make both from the "
                f"same checkpoint, with a max_length of at most {positions}."
            )
    # Elsewhere no string gets into a model, whose rest is to be compiled.
    preprocess.supports_jit = preprocess.supports_jit or not kernels.ON_TENSORFLOW
    return preprocess
