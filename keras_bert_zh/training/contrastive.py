"""Losses that train similar texts to have similar vectors."""

from typing import Any

import keras
from keras import ops

from keras_bert_zh.arguments import check_flag, check_positive


@keras.saving.register_keras_serializable("keras_bert_zh")
class InBatchNegatives(keras.losses.Loss):
    """Trains each text to be closest to its own partner among all texts of the batch.

    This is the cross-entropy of the cosines, multiplied by `scale`: each first text must find its
    second text among the second texts of all rows. Further texts in a row are hard negatives, such
    as texts that look similar but do not match. No labels are needed, and large batches help. If a
    text is in a batch twice, the copy counts as a wrong answer, so shuffle well. If both texts of
    a row are the same, this is SimCSE: dropout gives them different vectors. The checkpoint
    `"small"` has no dropout: pass `dropout=0.1` to SentenceEncoder.

    Args:
        scale: float, the factor of the cosines: 1 / temperature.
        symmetric: bool, whether each second text must find its first text too; the loss is the
            mean of both directions.
        name: str.
        reduction: as for every loss of Keras.
        dtype: as for every loss of Keras. `None`: float32.

    Call arguments:
        y_true: anything; it is not used.
        y_pred: `<float>[B, C, D]`, vectors of C texts per row, from `TwoTowers`.
        sample_weight: `<float>[B]`, weights of the rows; texts of rows with the weight 0 are still
            negatives for the other rows.

    Example:

    >>> import numpy as np
    >>> from keras_bert_zh import InBatchNegatives
    >>> vectors = np.array([[[1.0, 0.0], [1.0, 0.1]], [[0.0, 1.0], [0.0, 2.0]]])
    >>> bool(InBatchNegatives()(np.zeros(2), vectors) < 1e-6)
    True

    Reference:
        Henderson et al., Efficient Natural Language Response Suggestion for Smart Reply, 2017
        (https://arxiv.org/abs/1705.00652); Gao et al., SimCSE, 2021
        (https://arxiv.org/abs/2104.08821); `MultipleNegativesRankingLoss` and
        `MultipleNegativesSymmetricRankingLoss` in sentence-transformers.
    """

    def __init__(
        self,
        scale: float = 20.0,
        symmetric: bool = False,
        name: str = "in_batch_negatives",
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.scale = check_positive("scale", scale)
        self.symmetric = check_flag("symmetric", symmetric)

    def call(self, y_true, y_pred):
        columns = _unit_columns(y_pred)
        cosines = ops.matmul(columns[0], ops.transpose(ops.concatenate(columns[1:])))
        losses = self._missed(cosines)
        if self.symmetric:
            back = ops.matmul(columns[1], ops.transpose(columns[0]))
            losses = (losses + self._missed(back)) / 2
        return losses

    def _missed(self, cosines):
        """Returns the cross-entropy of each row, `<float>[B]`, whose answer is its own column."""
        scores = cosines * self.scale
        return ops.logsumexp(scores, axis=-1) - ops.diagonal(scores)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "symmetric": self.symmetric}


@keras.saving.register_keras_serializable("keras_bert_zh")
class CoSENT(keras.losses.Loss):
    """Trains the cosines of pairs to have the same order as their labels.

    Only the order of the labels matters: 0 for pairs that differ and 1 for pairs that match, or
    scores such as those of STS-B. All pairs of a batch are compared with each other, so a batch
    needs different labels.

    Args:
        scale: float, the factor of the cosines.
        name: str.
        reduction: as for every loss of Keras; a batch has one value.
        dtype: as for every loss of Keras. `None`: float32.

    Call arguments:
        y_true: `<float>[B]`, the similarity of the texts of each pair.
        y_pred: `<float>[B, 2, D]`, vectors of both texts, from `TwoTowers`.

    Raises:
        ValueError: if sample weights are given, since the loss compares rows with each other; or
            if a row does not have two texts.

    Example:

    >>> import numpy as np
    >>> from keras_bert_zh import CoSENT
    >>> vectors = np.array([[[1.0, 0.0], [1.0, 0.1]], [[0.0, 1.0], [1.0, 0.0]]])
    >>> float(CoSENT()(np.array([1, 0]), vectors)) < 1e-6 < float(CoSENT()([0, 1], vectors))
    True

    Reference:
        Huang et al., CoSENT: Consistent Sentence Embedding via Similarity Ranking, 2024; Su
        Jianlin, 2022 (https://kexue.fm/archives/8847); `CoSENTLoss` in sentence-transformers.
    """

    needs_labels = True  # For TwoTowers, which makes labels for other losses.

    def __init__(
        self,
        scale: float = 20.0,
        name: str = "cosent",
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.scale = check_positive("scale", scale)

    def __call__(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            raise ValueError("CoSENT compares rows with each other: leave sample_weight out.")
        return super().__call__(y_true, y_pred)

    def call(self, y_true, y_pred):
        columns = _unit_columns(y_pred)
        if len(columns) != 2:
            raise ValueError(f"CoSENT takes pairs of texts, got {len(columns)} texts per row.")
        first, second = columns
        scores = ops.sum(first * second, axis=-1) * self.scale
        labels = ops.reshape(y_true, (-1,))
        apart = ops.expand_dims(scores, 1) - ops.expand_dims(scores, 0)
        wrong = ops.expand_dims(labels, 1) < ops.expand_dims(labels, 0)
        apart = ops.where(wrong, apart, float("-inf"))
        # And 0 beside them, for e^0 = 1.
        terms = ops.pad(ops.reshape(apart, (-1,)), [[1, 0]])
        return ops.reshape(ops.logsumexp(terms), (1,))  # An axis, for Keras to reduce.

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


def _unit_columns(vectors):
    """Returns the vectors `<float>[B, D]` of each text of the rows, of length 1."""
    if len(vectors.shape) != 3 or vectors.shape[1] is None or vectors.shape[1] < 2:
        raise ValueError(
            f"The loss takes vectors of two or more texts per row, [B, C, D], got {vectors.shape}: "
            "train TwoTowers(sentence_encoder) with it."
        )
    return ops.unstack(ops.normalize(vectors, axis=-1), axis=1)
