"""FGM: adversarial training on perturbed word embeddings."""

from typing import Any

import keras
from keras import ops

from keras_bert_zh.arguments import check_positive
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.layers import kernels
from keras_bert_zh.training.wrapped import Wrapped


@keras.saving.register_keras_serializable("keras_bert_zh")
class FGM(Wrapped, keras.Model):
    """Trains a model with FGM: each batch twice, the second time with perturbed word embeddings.

    After the gradients of a batch are computed, the table of word embeddings is moved by `epsilon`
    in the direction of its gradient, which makes the loss larger. The gradients at this point are
    added, and the table is restored before the update. Compile and fit this model instead of
    `model`; afterwards use and save `model` itself. A step takes twice the time. The loss and the
    metrics that Keras shows are those of the first pass, without perturbation.

    Args:
        model: keras.Model that contains a BertEncoder: a model of this package, or a Sequential.
        epsilon: float, the length of the perturbation of the table of each encoder.
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
        ValueError: if `epsilon` is not positive; in training, if no encoder has word embeddings
            that are trained.

    Example:

    >>> from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess, FGM, TextClassifier
    >>> config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    >>> encoder, preprocess = BertEncoder(None, config=config), BertPreprocess(None, max_length=16)
    >>> model = TextClassifier(encoder, ["差评", "好评"], preprocess=preprocess)
    >>> trainer = FGM(model, epsilon=0.5)
    >>> trainer.compile("adam", run_eagerly=True)  # Faster for a single step.
    >>> history = trainer.fit(["很好", "太差"], [1, 0], verbose=0)
    >>> model(["不错"]).shape  # This model was trained; save it alone.
    TensorShape([1, 2])

    Reference:
        Miyato et al., Adversarial Training Methods for Semi-Supervised Text Classification, 2017
        (https://arxiv.org/abs/1605.07725), which perturbs the words of each text separately.
    """

    def __init__(self, model: keras.Model, epsilon: float = 1.0, **kwargs: Any):
        super().__init__(model, **kwargs)
        self.epsilon = check_positive("epsilon", epsilon)

    def train_step(self, *given):
        """Makes one step, as Keras asks for it on this backend."""
        return (self._tensorflow_step if kernels.ON_TENSORFLOW else self._jax_step)(*given)

    def _tensorflow_step(self, data):
        import tensorflow as tf

        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        weights = self.trainable_weights
        moves = self._tables()

        def compute():
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(x, y, y_pred, sample_weight, training=True)
                scaled = self.optimizer.scale_loss(loss)
            return y_pred, loss, tape.gradient(scaled, weights)

        y_pred, loss, gradients = compute()
        before = {index: tf.identity(weights[index]) for index in moves}
        for index in moves:
            weights[index].assign_add(self._move(tf.convert_to_tensor(gradients[index])))
        *_, others = compute()
        for index, table in before.items():
            weights[index].assign(table)
        self.optimizer.apply_gradients(zip(_added(gradients, others), weights, strict=True))
        rows = tf.shape(tf.nest.flatten(x)[0])[0]
        self._loss_tracker.update_state(loss, sample_weight=rows)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def _jax_step(self, state, data):
        import jax

        weights, other_variables, optimizer_variables, metrics = state
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        compute = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        batch = {"x": x, "y": y, "sample_weight": sample_weight, "training": True}
        batch["optimizer_variables"] = optimizer_variables
        (_, found), gradients = compute(weights, other_variables, metrics, **batch)
        loss, y_pred, other_variables, metrics = found
        moved = list(weights)
        for index in self._tables():
            moved[index] = weights[index] + self._move(gradients[index])
        (_, found), others = compute(moved, other_variables, metrics, **batch)
        other_variables = found[2]
        weights, optimizer_variables = self.optimizer.stateless_apply(
            optimizer_variables, _added(gradients, others), weights
        )
        logs, metrics = self._update_metrics_variables(metrics, loss, x, y, y_pred, sample_weight)
        return logs, (weights, other_variables, optimizer_variables, metrics)

    def _tables(self) -> list[int]:
        """Returns the places of the word embeddings among the weights that are trained."""
        places = {id(weight): place for place, weight in enumerate(self.trainable_variables)}
        encoders = [e for e in self._flatten_layers() if isinstance(e, BertEncoder)]
        tables = (id(encoder.embeddings.word.embeddings) for encoder in encoders)
        found = [places[table] for table in dict.fromkeys(tables) if table in places]
        if not found:
            raise ValueError(
                "FGM changes the word embeddings of a BertEncoder, but none are trained in "
                f"{self.model.name}. Unfreeze them, or fit the model without FGM."
            )
        return found

    def _move(self, gradient: Any) -> Any:
        length = ops.sqrt(ops.sum(ops.square(gradient)))
        return ops.where(length > 0, gradient * (self.epsilon / length), 0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


def _added(gradients: list[Any], others: list[Any]) -> list[Any]:
    """Returns the sums; `None` is that of a weight which the loss does not depend on."""
    return [
        None if one is None else ops.convert_to_tensor(one) + ops.convert_to_tensor(other)
        for one, other in zip(gradients, others, strict=True)
    ]
