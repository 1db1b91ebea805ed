"""TextClassifier: texts, or pairs of them, to labels."""

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
    """Tells the label of a text: a dense layer on the pooled output.

    From a checkpoint that was fine-tuned for this task it is that model, with its labels. From any
    other checkpoint it has a fresh head, which `fit` trains. `fit`, `evaluate` and `predict` take
    texts as lists, arrays, string tensors and `tf.data`, and labels as numbers or as their names;
    several for a text as a list of names, or `<float>[B, K]` of 0 and 1. `compile(optimizer)` takes
    the loss for them, and `class_weight` goes by numbers or names.

    Args:
        source: anything that `load_checkpoint` takes; or a BertEncoder, for options that are not
            here, and for a fresh head in place of a checkpoint's.
        labels: sequence of K different str, the names of the outputs. `None`: those of the
            checkpoint's head. Where a head calls them `LABEL_0`, `LABEL_1` and so on, this names
            them.
        problem_type: `"single_label_classification"`, `"multi_label_classification"` or
            `"regression"`. `compile` takes the loss by it, and a checkpoint keeps it for others.
            `None`: as the checkpoint says, or else a regression with one output and a single label
            with more, as in Transformers.
        preprocess: BertPreprocess. `None`: that of the checkpoint; with an encoder there is none,
            and the model takes no strings.
        max_length: int, S, that of the checkpoint's preprocess. `None`: 128, or as many positions
            as there are, if these are fewer.
        stride: int, for texts that are longer than `max_length`: they are read by windows, each
            this many tokens after the one before it, and logits are the mean over the windows.
            `None`: texts are cut. Ids are taken as they are.
        dropout: float in [0, 1), in training: instead of the checkpoint's rates in the encoder,
            and before the head. With an encoder, before the head alone. `None`: as the checkpoint
            says, before the head by default as in the encoder.
        dtype: a dtype policy such as `"mixed_bfloat16"`. An encoder has its own.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Call arguments:
        inputs: what `BertPreprocess` takes, `<string>[B]` or a pair of these; or the dict of
            `<int32>[B, S]` that it returns.
        training: bool, whether dropout is active.

    Returns:
        `<float32>[B, K]`, logits, also where the encoder computes in half precision; `<float64>`
        of a float64 encoder. `[R, T, K]` of rows of several texts, as `batch_packed` makes them.

    Attributes:
        labels: tuple of K str.
        problem_type: str, with the default in the place of `None`.
        preprocess: BertPreprocess, or `None`.
        encoder: BertEncoder.
        takes_pairs: bool, whether `export` and `export_model` make it for pairs. Set it; the
            model itself takes both.

    Raises:
        ValueError: if labels are needed and missing, or not those of the checkpoint's head,
            preprocess and encoder do not fit each other, or, called with strings, there is no
            preprocess or Keras runs on JAX.
        TypeError: if `source` or `preprocess` is something else.
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
                    "A regression learns from numbers, <float>[B], got names. Where they are names "
                    "of labels, make the model with all of them, two or more."
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
        """Returns what the texts are, by the names of the labels, and how sure that is.

        Which of these depends on `problem_type`. Where nobody said it, a model of one output is
        a regression, and any other one has a single label for each text, as in Transformers. A
        model that `export` wrote has this too. TensorFlow backend only.

        Args:
            texts: what the model is called with.
            threshold: float from 0 to 1, for several labels: how probable those are that count.

        Returns:
            dict of `logits <float>[B, K]` and, for a single label, `label <string>[B]`,
            `score <float32>[B]`, its probability, and `probabilities <float32>[B, K]`, of all
            labels. For several: the same, with ragged `label` and `score`, `[B, (labels)]`. For a
            regression: `value <float32>[B]`, with several outputs `[B, K]`.

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
