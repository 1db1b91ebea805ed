"""Shared code of the models whose head is one dense layer, as in fine-tuned checkpoints."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from keras_bert_zh.arguments import check_rate
from keras_bert_zh.checkpoints import Checkpoint, Head
from keras_bert_zh.checkpoints.head import check_labels, default_labels
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.heads.on_text import OnText
from keras_bert_zh.heads.targets import check_dataset, check_given
from keras_bert_zh.layers.dense import Dense
from keras_bert_zh.layers.dropout import Dropout
from keras_bert_zh.layers.fresh_weights import fresh_weights


class FineTuned(OnText):
    """A model of texts with a dense layer on the encoder's output.

    List it before `keras.Model`. A subclass calls `OnText.__init__` and then `add_head`.

    Attributes:
        head: Head, the task and the labels.
        own_compiled: dict of the arguments that `compile` chose itself.
    """

    head: Head
    own_compiled: dict[str, Any]

    def add_head(
        self, source: Checkpoint | BertEncoder, head: Head, dropout: float | None = None
    ) -> None:
        """Creates and builds the head, and loads its weights if the checkpoint has them.

        Args:
            source: the value that `opened` returned.
            head: the value that `head_of` returned. Without labels, it has no dropout before it.
            dropout: float in [0, 1). `None`: the rate of the head, or else of the encoder.
        """
        config, policy = self.encoder.config, self.encoder.dtype_policy
        if head.labels is not None:
            if dropout is None:
                dropout = config.hidden_dropout_prob if head.dropout is None else head.dropout
            rate = check_rate("dropout", dropout)
            self.dropout = Dropout(rate, dtype=policy, name="dropout")
        self.head, self.own_compiled = head, {}
        dense = Dense(
            head.outputs,
            kernel_initializer=fresh_weights(config.initializer_range),
            dtype=policy,
            name=head.part,
        )
        setattr(self, head.part, dense)
        self.build_and_load(source if _own_head(source, head.task) else None)

    def build(self, input_shape=None):
        if self.built:
            return
        with self.restored():
            for layer in self.heads().values():
                layer.build((None, self.encoder.config.hidden_size))

    def heads(self):
        return {self.head.part: getattr(self, self.head.part)}

    def described(self):
        # Encoder and preprocess have configs of their own.
        layers = self._flatten_layers(include_self=False, recursive=False)
        return [layer for layer in layers if layer not in (self.encoder, self.preprocess)]

    def logits(self, hidden, training):
        """Returns the output of the head, after its dropout if it has one."""
        if self.labels is not None:
            hidden = self.dropout(hidden, training=training)
        return ops.cast(getattr(self, self.head.part)(hidden), self.compute_dtype)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The names of the outputs."""
        return self.head.labels

    def own_loss(self) -> Any:
        """Returns the loss that `compile` uses for `"auto"`."""
        raise NotImplementedError  # Each subclass has its own.

    def own_metrics(self) -> dict[str, Any]:
        """Returns the arguments of `compile` that replace `metrics="auto"`."""
        raise NotImplementedError

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = "auto",
        loss_weights: Any = None,
        metrics: Any = "auto",
        weighted_metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """Compiles the model as `keras.Model.compile` does, with defaults for its head.

        Args:
            optimizer: as in Keras.
            loss: as in Keras, for logits. `"auto"`: the loss of the head.
            loss_weights: as in Keras.
            metrics: as in Keras. `"auto"`: the metrics of the head if the loss is `"auto"` too and
                there are no `weighted_metrics`; else none.
            weighted_metrics: as in Keras.
            **kwargs: as in Keras.
        """
        own: dict[str, Any] = {}
        if _is_auto(loss):
            loss, own = self.own_loss(), {"loss": "auto"}
        measured = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        if _is_auto(metrics):
            measured["metrics"] = None
            if own and weighted_metrics is None:
                measured |= self.own_metrics()
                own |= {"metrics": "auto", "weighted_metrics": None}
        self.own_compiled = own  # In a file, since it is made anew for the model that is read.
        super().compile(optimizer, loss, loss_weights, **measured, **kwargs)

    def get_compile_config(self):
        config = super().get_compile_config()
        return config and {**config, **self.own_compiled}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def checkpoint_fields(self) -> dict[str, Any]:
        if self.labels is None:
            return {"head": self.head}
        same = self.dropout.rate == self.encoder.config.hidden_dropout_prob
        dropout = None if same else self.dropout.rate
        return {"head": dataclasses.replace(self.head, dropout=dropout)}

    def _prepared(self, method, args, kwargs):
        arguments = super()._prepared(method, args, kwargs)
        check_dataset(arguments.get("x"))
        if self.own_compiled and method.__name__ in ("fit", "evaluate"):
            check_given(self, arguments.get("x"), arguments.get("y"))
        return self.weighted(arguments)

    def weighted(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Returns the arguments of `fit` with weights as Keras takes them.

        Raises:
            ValueError: if `class_weight` is given and the model does not support it.
        """
        if arguments.get("class_weight") is None:
            return arguments
        raise ValueError(
            f"class_weight needs a model with one label for each text or token, which this "
            f"{type(self).__name__} is not: pass sample_weight instead."
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.labels is None:
            return config
        return {**config, "labels": list(self.labels), "dropout": self.dropout.rate}


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def head_of(
    source: Checkpoint | BertEncoder,
    task: str,
    labels: Iterable[str] | None,
    problem_type: str | None = None,
) -> Head:
    """Returns the head for a model: the head of its source, or a fresh one.

    Args:
        source: the value that `opened` returned.
        task: str, one of `TASKS`.
        labels: names of the outputs, or `None` for those of the source.
        problem_type: str, or `None` for that of the source.

    Raises:
        ValueError: if a fresh head has no labels, or the source's head has different ones.
    """
    own = _own_head(source, task)
    if own is None:
        if labels is None:
            raise ValueError(
                f"labels is required: {_what_there_is(source)}, so the model gets a fresh head "
                f'for {task}. Name its outputs, such as labels=["negative", "positive"].'
            )
        return Head(task, check_labels(labels), problem_type)
    if problem_type is not None:
        own = dataclasses.replace(own, problem_type=problem_type)
    return own if labels is None else dataclasses.replace(own, labels=_named(own, labels))


def _named(own: Head, labels: Iterable[str]) -> tuple[str, ...]:
    """Returns these labels if they match those of the head, or if the head only has numbers."""
    given = check_labels(labels)
    nameless = own.labels == default_labels(own.outputs)
    if given != own.labels and not (nameless and len(given) == own.outputs):
        raise ValueError(
            f"The head of this checkpoint has the {own.outputs} labels {list(own.labels or ())}, "
            f"which are not labels={list(given)}. To use this head, leave labels out. For a "
            "fresh head, pass BertEncoder(checkpoint) instead of the checkpoint, and "
            "preprocess=BertPreprocess(checkpoint)."
        )
    return given


def _own_head(source: Checkpoint | BertEncoder, task: str) -> Head | None:
    """Returns the head of a checkpoint, if it is for this task."""
    head = source.head if isinstance(source, Checkpoint) else None
    return head if head is not None and head.task == task else None


def _what_there_is(source: Checkpoint | BertEncoder) -> str:
    if isinstance(source, BertEncoder):
        return "a BertEncoder has no head"
    held = "no head" if source.head is None else f"a head for {source.head.task}"
    return f"the checkpoint has {held}"
