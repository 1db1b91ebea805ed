"""RDrop: trains a model so that two passes with dropout agree."""

from typing import Any

import keras
from keras import ops

from keras_bert_zh.arguments import check_choice, check_number
from keras_bert_zh.training.wrapped import Wrapped

_PROBABILITIES = {"softmax": ops.softmax, "sigmoid": ops.sigmoid}


@keras.saving.register_keras_serializable("keras_bert_zh")
class RDrop(Wrapped, keras.Model):
    """Trains a model with R-Drop: two passes with dropout per batch, and similar outputs.

    The loss is the mean of both losses, plus `alpha` times half the sum of both Kullback-Leibler
    divergences between the outputs. Compile and fit this model instead of `model`; afterwards use
    and save `model` itself. A step takes twice the time. Without dropout both passes are equal:
    the small checkpoint has no dropout unless you set it.

    Args:
        model: keras.Model whose outputs are logits: a model of this package, with its own loss if
            it has one, or a Sequential.
        alpha: float, the weight of the divergence. The paper uses 1 to 5.
        activation: `"softmax"` or `"sigmoid"`, which turns logits into probabilities; for softmax
            the labels are on the last axis. `None`: sigmoid for a TextClassifier with several
            labels per text, else softmax.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Call arguments:
        inputs: the inputs of the model.
        training: bool, whether dropout is active.

    Returns:
        The outputs of the model.

    Attributes:
        model: the model that is trained.

    Raises:
        TypeError: if `model` is not a keras.Model.
        ValueError: if `alpha` is negative, `activation` is not known, or, in training, softmax has
            a single logit.

    Example:

    >>> from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess, RDrop, TextClassifier
    >>> config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    >>> encoder, preprocess = BertEncoder(None, config=config), BertPreprocess(None, max_length=16)
    >>> model = TextClassifier(encoder, ["差评", "好评"], preprocess=preprocess)
    >>> trainer = RDrop(model, alpha=4)
    >>> trainer.compile("adam", run_eagerly=True)  # Faster for a single step.
    >>> history = trainer.fit(["很好", "太差"], [1, 0], verbose=0)
    >>> model(["不错"]).shape  # This model was trained; save it alone.
    TensorShape([1, 2])

    Reference:
        Liang et al., R-Drop, 2021 (https://arxiv.org/abs/2106.14448).
    """

    def __init__(
        self,
        model: keras.Model,
        alpha: float = 1.0,
        activation: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(model, **kwargs)
        self.alpha = check_number("alpha", alpha, 0)
        if activation is None:
            several = getattr(model, "problem_type", None) == "multi_label_classification"
            activation = "sigmoid" if several else "softmax"
        self.activation = check_choice("activation", activation, tuple(_PROBABILITIES))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        first = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return first
        again = self.model(x, training=True)
        second = super().compute_loss(x, y, again, sample_weight, training)
        weights = sample_weight
        if not isinstance(weights, (dict, list, tuple)):
            weights = keras.tree.map_structure(lambda _: sample_weight, y_pred)
        pairs = (keras.tree.flatten(each) for each in (y_pred, again, weights))
        apart = sum(self._divergence(*pair) for pair in zip(*pairs, strict=True))
        return (first + second) / 2 + self.alpha * ops.cast(apart, first.dtype)

    def _divergence(self, one, other, weight):
        if self.activation == "softmax" and one.shape[-1] == 1:
            raise ValueError(
                "RDrop compares probabilities of labels, but the model has one output: pass "
                'activation="sigmoid" if it is the logit of a label.'
            )
        return _SymmetricDivergence(self.activation)(one, other, weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "activation": self.activation}


class _SymmetricDivergence(keras.losses.Loss):
    """Half of KL(p, q) + KL(q, p), of logits; weights and masks count as in other losses.

    Args:
        activation: `"softmax"` or `"sigmoid"`.
    """

    def __init__(self, activation: str):
        super().__init__(name="symmetric_divergence", dtype="float32")
        self._probabilities = _PROBABILITIES[activation]

    def call(self, y_true, y_pred):
        # Both sums together: what logarithms of probabilities have beside logits falls out.
        apart = self._probabilities(y_true) - self._probabilities(y_pred)
        return ops.sum(apart * (y_true - y_pred), axis=-1) / 2
