"""TextClassifier: predicts labels of texts, or of pairs of texts."""

from collections.abc import Iterable
from typing import Any

import keras

from keras_bert_zh.arguments import check_int, check_share
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.heads.batches import has_strings
from keras_bert_zh.heads.fine_tuned import FineTuned, head_of
from keras_bert_zh.heads.on_text import Source, opened
from keras_bert_zh.heads.targets import (
    check_numbers,
    check_several,
    check_values,
    label_numbers,
    weights_of_classes,
)
from keras_bert_zh.layers import kernels
from keras_bert_zh.preprocess import BertPreprocess

_TASK = "sequence_classification"


@keras.saving.register_keras_serializable("keras_bert_zh")
class TextClassifier(FineTuned, keras.Model):
    """Predicts the label of a text, with a dense layer on the pooled output.

    From a checkpoint that was fine-tuned for this task, it is that model, with its labels. From any
    other checkpoint, it has a fresh head, which `fit` trains. `fit`, `evaluate` and `predict` take
    texts as lists, arrays, string tensors and `tf.data`, and labels as numbers or names. Several
    labels for a text are a list of names, or `<float>[B, K]` of 0 and 1. `compile(optimizer)`
    chooses the loss for the labels, and `class_weight` takes numbers or names.

    Args:
        source: anything that `load_checkpoint` takes; or a BertEncoder, for its further options or
            for a fresh head instead of the checkpoint's.
        labels: sequence of K different str, the names of the outputs. `None`: the labels of the
            checkpoint's head. If these are only `LABEL_0`, `LABEL_1` and so on, this renames them.
        problem_type: `"single_label_classification"`, `"multi_label_classification"` or
            `"regression"`. `compile` chooses the loss by it, and it is saved in checkpoints.
            `None`: as the checkpoint says, or else a regression for one output and a single label
            for more, as in Transformers.
        preprocess: BertPreprocess. `None`: the checkpoint's. With an encoder there is none, and
            the model can't take strings.
        max_length: int, S, for the checkpoint's preprocess. `None`: 128, or the number of
            positions if it is smaller.
        stride: int, for texts longer than `max_length`: they are split into windows, each of which
            starts this many tokens after the previous one, and logits are the mean over the
            windows. `None`: texts are cut. It has no effect on ids.
        dropout: float in [0, 1), in training: replaces the checkpoint's rates in the encoder and
            before the head. With an encoder, only before the head. `None`: as the checkpoint says;
            before the head, the default is the rate of the encoder.
        dtype: a dtype policy such as `"mixed_bfloat16"`. An encoder has its own.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Call arguments:
        inputs: the inputs of `BertPreprocess`, `<string>[B]` or a pair of these; or the dict of
            `<int32>[B, S]` that it returns.
        training: bool, whether dropout is active.

    Returns:
        `<float32>[B, K]`, logits, even if the encoder computes in half precision; `<float64>` for
        a float64 encoder. `[R, T, K]` for rows with several texts, as from `batch_packed`.

    Attributes:
        labels: tuple of K str.
        problem_type: str, never `None`.
        preprocess: BertPreprocess, or `None`.
        encoder: BertEncoder.
        takes_pairs: bool, whether `export` and `export_model` export it for pairs. It can be set;
            the model itself takes both.

    Raises:
        ValueError: if labels are required and missing, or differ from those of the checkpoint's
            head; preprocess and encoder do not match; or the model is called with strings and has
            no preprocess or Keras runs on JAX.
        TypeError: if `source` or `preprocess` has a wrong type.
        OSError: if the checkpoint can't be found or downloaded.

    Example:

    >>> from keras_bert_zh import TextClassifier
    >>> model = TextClassifier("small", labels=["差评", "好评"], max_length=16)
    >>> model(["房间很干净", "电池不行"]).shape, model.labels
    (TensorShape([2, 2]), ('差评', '好评'))

    Reference:
        `BertForSequenceClassification` in Hugging Face Transformers; `create_model` in
        google-research/bert `run_classifier.py`.
    """

    takes_packed = True

    def __init__(
        self,
        source: Source,
        labels: Iterable[str] | None = None,
        *,
        problem_type: str | None = None,
        preprocess: BertPreprocess | None = None,
        max_length: int | None = None,
        stride: int | None = None,
        dropout: float | None = None,
        **kwargs: Any,
    ):
        source = opened(source)
        head = head_of(source, _TASK, labels, problem_type)
        super().__init__(
            source,
            output_key="pooled_output",
            preprocess=preprocess,
            max_length=max_length,
            dropout=None if isinstance(source, BertEncoder) else dropout,
            **kwargs,
        )
        self.stride = None if stride is None else check_int("stride", stride, 1)
        self.add_head(source, head, dropout)

    @property
    def problem_type(self) -> str:
        one = "regression" if self.head.outputs == 1 else "single_label_classification"
        return self.head.problem_type or one

    def own_loss(self):
        if self.problem_type == "regression":
            return keras.losses.MeanSquaredError()
        if self.problem_type == "multi_label_classification":
            return keras.losses.BinaryCrossentropy(from_logits=True)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def own_metrics(self):
        if self.problem_type == "regression":
            return {"metrics": [keras.metrics.MeanAbsoluteError()]}
        if self.problem_type == "multi_label_classification":
            # Of logits, and of each label by itself.
            return {"metrics": [keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)]}
        return {"metrics": [keras.metrics.SparseCategoricalAccuracy("accuracy")]}

    def targets(self, y):
        if self.problem_type == "regression":
            if has_strings(y):
                raise ValueError(
                    "A regression needs numbers, <float>[B], got names. To classify texts by these "
                    "names, create the model with two or more labels."
                )
            check_values(y, self.head.outputs)
            return y
        several = self.problem_type == "multi_label_classification"
        y = label_numbers(y, self.labels, several=several)
        if self.own_compiled and several:
            check_several(y, self.labels)
        elif self.own_compiled:
            check_numbers(y, self.labels, 1)
        return y

    def weighted(self, arguments):
        weights = arguments.get("class_weight")
        if weights is None or self.problem_type != "single_label_classification":
            return super().weighted(arguments)
        return arguments | {"class_weight": weights_of_classes(weights, self.labels)}

    def classify(self, texts: Any, *, threshold: float = 0.5) -> dict[str, Any]:
        """Returns the names of the labels of texts, and their probabilities.

        The outputs depend on `problem_type`. By default, a model with one output is a regression,
        and any other model gives each text a single label, as in Transformers. A model that
        `export` wrote has this function too. TensorFlow backend only.

        Args:
            texts: the inputs of the model.
            threshold: float from 0 to 1, for several labels: labels with at least this probability
                are returned.

        Returns:
            dict of `logits <float>[B, K]` and, for a single label, `label <string>[B]`,
            `score <float32>[B]`, its probability, and `probabilities <float32>[B, K]` of all
            labels. For several labels, `label` and `score` are ragged, `[B, (labels)]`. For a
            regression, `value <float32>[B]`, or `[B, K]` with several outputs.

        Example:

        >>> from keras_bert_zh import TextClassifier
        >>> model = TextClassifier("small", labels=["差评", "好评"], max_length=16)
        >>> found = model.classify(["房间很干净", "电池不行"])
        >>> found["label"].shape, found["probabilities"].shape
        (TensorShape([2]), TensorShape([2, 2]))
        """
        kernels.require_tensorflow("classify")
        return self._classes(self(texts, training=False), check_share("threshold", threshold))

    def _classes(self, logits, threshold=0.5):
        from keras_bert_zh.text.classes import to_label, to_labels, to_value  # TensorFlow.

        if self.problem_type == "regression":
            found = to_value(logits)
        elif self.problem_type == "multi_label_classification":
            found = to_labels(logits, self.labels, threshold)
        else:
            found = to_label(logits, self.labels)
        return {"logits": logits, **found}

    def endpoints(self, call):
        return {"classify": lambda inputs: self._classes(call(inputs))}

    def call(self, inputs, training=None):
        return self.by_text(
            inputs, lambda ids: self.logits(self.encoded(ids, training)[0], training)
        )

    def compute_output_spec(self, inputs, training=None):
        *batch, _ = self.encoded_spec(inputs).shape
        return keras.KerasTensor((*batch, self.head.outputs), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        own = {"problem_type": self.head.problem_type, "stride": self.stride}
        return {**super().get_config(), **own}
