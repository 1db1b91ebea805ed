"""The CRF of a tagger: the rules of its labels, the tokens that it sees, and its loss."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_bert_zh.label_schemes import find_scheme, may_follow, missing_labels, parse
from keras_bert_zh.layers.crf import CRF
from keras_bert_zh.layers.encoder_inputs import complete


def rules_of(labels: Sequence[str]) -> list[list[bool]] | None:
    """Returns which label may follow which, as `CRF` takes it; `None` if they have no scheme."""
    scheme = find_scheme(labels)
    if scheme is None:
        missing = [label for label in missing_labels(labels) if label.startswith("B")]
        if missing:
            warnings.warn(
                f"{', '.join(missing)} is missing from the labels {list(labels)}, so the CRF can't "
                "apply the rules of BIO or BIOES. With all labels, it only predicts valid ones.",
                stacklevel=3,
            )
        return None
    meanings = [*map(parse, labels), None]  # The border of a text comes last.
    return [[may_follow(scheme, before, after) for after in meanings] for before in meanings]


def tokens_of_text(inputs: Mapping[str, Any]) -> Any:
    """Returns which tokens belong to the text, `<bool>[B, S]`: not `[CLS]`, `[SEP]` or padding.

    `[CLS]` is the first token, and `[SEP]` is the last one of each segment.

    Args:
        inputs: the dict that `BertPreprocess` returns.
    """
    given = complete(inputs, ("input_ids", "input_mask", "segment_ids"))
    real, segments = ops.cast(given["input_mask"], "int32"), given["segment_ids"]
    special = ops.cumsum(real, axis=1) == 1
    for here in (segments == 0, segments > 0):
        in_segment = real * ops.cast(here, "int32")
        after = ops.flip(ops.cumsum(ops.flip(in_segment, axis=1), axis=1), axis=1)
        special = ops.logical_or(special, ops.logical_and(in_segment > 0, after == 1))
    return ops.logical_and(real > 0, ops.logical_not(special))


def chain_loss(crf: CRF, labels: Any, logits: Any, mask: Any, sample_weight: Any = None) -> Any:
    """Returns the mean negative log-likelihood per token, which does not grow with text length.

    Args:
        crf: the layer.
        labels: `<int>[B, S]`.
        logits: `<float>[B, S, K]`.
        mask: `<bool>[B, S]`, the tokens of the text.
        sample_weight: `<float>[B, S]`, where 0 removes a token from the chain and all other
            numbers keep it; or `<float>[B]`, weights of the texts.
    """
    weights = 1.0
    if sample_weight is not None:
        # Under TensorFlow a trace for both kinds does not know which it is.
        given = ops.reshape(sample_weight, (ops.shape(mask)[0], -1))
        of_texts = ops.equal(ops.shape(given)[1], 1)
        mask = ops.logical_and(mask, ops.logical_or(of_texts, given != 0))
        weights = ops.where(of_texts, ops.cast(given[:, 0], crf.compute_dtype), 1.0)
    likelihood = crf.log_likelihood(logits, labels, mask) * weights
    count = ops.sum(ops.cast(mask, likelihood.dtype))
    return PerReplica()(0.0, -ops.sum(likelihood) / ops.maximum(count, 1.0))


class PerReplica(keras.losses.Loss):
    """A loss that is already computed. Keras divides it by the number of devices, like others."""

    def call(self, y_true, y_pred):
        return y_pred
