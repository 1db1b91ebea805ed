"""MaskedLM: an encoder with the heads that it was pretrained with."""

import operator
import os
import warnings
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_bert_zh.checkpoints import Checkpoint, assign, open_checkpoint
from keras_bert_zh.checkpoints.names import head_of, shapes
from keras_bert_zh.config import BertConfig
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.heads.masked_lm_head import MaskedLMHead
from keras_bert_zh.layers.composite import Composite, changes_inside
from keras_bert_zh.layers.dense import Dense
from keras_bert_zh.layers.encoder_inputs import INPUT_KEYS
from keras_bert_zh.layers.fresh_weights import fresh_weights

# What the weights of a head depend on, beside the encoder that they were trained with.
_MUST_FIT = ("vocab_size", "hidden_size", "hidden_act")

# What each head computes.
_OUTPUTS = {"masked_lm": "mlm_logits", "next_sentence": "next_sentence_logits"}


@keras.saving.register_keras_serializable("keras_bert_zh")
class MaskedLM(Composite, keras.Model):
    """Scores which tokens stand at masked positions: BERT as it is pretrained.

    `compile` and `fit` train it on labels `<int32>[B, P]`, the tokens that stood there. Every text
    has P positions: where one has fewer, fill up with 0, labels too, and give these the weight 0.
    Compile with a loss of `reduction="mean_with_sample_weight"`: the default one divides by all
    positions, so that those of weight 0 make the loss smaller than it is.
    Word embeddings are trained in both places, in the encoder and as the last layer of the head.
    With an encoder in `"mixed_float16"`, `compile` scales the loss, as Keras does of itself.

    Without `next_sentence` the pooler takes no part: it counts among the weights that are not
    trained, and its own `trainable` stays as it is. Inside of another model, which asks each weight
    by itself, Keras warns that it has no gradients: set `encoder.pooler.trainable = False` there.

    Args:
        encoder: BertEncoder, whose dtype policy the heads take. For fresh heads alone,
            `MaskedLM(BertEncoder(None, config=config))`; for all that was pretrained,
            `MaskedLM(BertEncoder("bert_chinese"), "bert_chinese")`.
        checkpoint: where the weights of the heads come from: anything that `load_checkpoint`
            takes. The encoder keeps its own. `None` stands for fresh heads.
        next_sentence: bool, whether there is a head, too, that tells from the pooled output
            whether the second text of a pair comes after the first.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Call arguments:
        inputs: dict of the encoder's inputs, and of `mlm_positions` `<int32>[B, P]`, each in
            `[0, S)`. Without them all S positions are scored, which takes long.
        training: bool, whether dropout is active.

    Returns:
        `<float32>[B, P, V]`, logits of every token, also where the encoder computes in half
        precision; `<float64>` of a float64 encoder. With `next_sentence` a dict of these as
        `mlm_logits`, and `next_sentence_logits` `<float32>[B, 2]`, of which 0 stands for the next
        sentence and 1 for another.

    Raises:
        TypeError: if `encoder` is something else.
        ValueError: if `vocab_size`, `hidden_size` or `hidden_act` of encoder and checkpoint differ,
            `dtype` is passed, or the inputs are not what BertEncoder and MaskedLMHead take.
        OSError: if the checkpoint can't be found or downloaded.

    Example:

    >>> import numpy as np
    >>> from keras_bert_zh import BertConfig, BertEncoder, MaskedLM
    >>> config = BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4)
    >>> encoder = BertEncoder(None, config=config)
    >>> model = MaskedLM(encoder)
    >>> inputs = {"input_ids": np.array([[101, 791, 103, 102]])}
    >>> model(inputs | {"mlm_positions": np.array([[2]])}).shape
    TensorShape([1, 1, 21128])
    >>> model(inputs).shape
    TensorShape([1, 4, 21128])

    Reference:
        `get_masked_lm_output` and `get_next_sentence_output` in google-research/bert
        `run_pretraining.py`.
    """

    def __init__(
        self,
        encoder: BertEncoder,
        checkpoint: str | os.PathLike | Checkpoint | None = None,
        *,
        next_sentence: bool = False,
        **kwargs: Any,
    ):
        if not isinstance(encoder, BertEncoder):
            raise TypeError(f"encoder must be a BertEncoder, got {encoder!r}.")
        if "dtype" in kwargs:
            raise ValueError(
                "MaskedLM computes in the dtype policy of its encoder: pass dtype="
                f"{kwargs['dtype']!r} to BertEncoder."
            )
        super().__init__(dtype=encoder.dtype_policy, **kwargs)
        config = encoder.config
        loaded = None if checkpoint is None else _open(checkpoint, config)
        self.encoder = encoder
        self.masked_lm = MaskedLMHead(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            activation=config.hidden_act,
            epsilon=config.layer_norm_eps,
            initializer_range=config.initializer_range,
            dtype=encoder.dtype_policy,
            name="masked_lm",
            sublayers=changes_inside("masked_lm", kwargs.get("sublayers")),
        )
        self.next_sentence = None
        if next_sentence:
            encoder.train_pooler()
            self.next_sentence = Dense(
                2,
                kernel_initializer=fresh_weights(config.initializer_range),
                dtype=encoder.dtype_policy,
                name="next_sentence",
            )
        self.build()
        if not self.trainable:
            self.encoder.trainable = False
        if loaded is not None:
            self._assign(loaded)

    @property
    def compute_dtype(self) -> str:
        """The dtype of the logits: of what is left to compute behind encoder and heads."""
        return keras.backend.result_type(self.dtype_policy.compute_dtype, "float32")

    def build(self, input_shape=None):
        with self.restored():
            if self.next_sentence is not None:
                self.next_sentence.build((None, self.encoder.config.hidden_size))

    def described(self):
        return self._heads().values()  # The encoder has a config of its own.

    def _assign(self, checkpoint):
        missing = [head for head in self._heads() if head in checkpoint.missing]
        for head in missing:
            warnings.warn(
                f"The checkpoint has no weights for {head}: {_OUTPUTS[head]} come from fresh ones "
                "until they are trained.",
                stacklevel=3,
            )
        found = self._heads().keys() - set(missing)
        variables = {n: v for n, v in self.named_variables().items() if head_of(n) in found}
        assign(checkpoint.weights.only(variables), variables)

    def _heads(self) -> dict[str, keras.layers.Layer]:
        heads = {name: getattr(self, name) for name in _OUTPUTS}
        return {name: head for name, head in heads.items() if head is not None}

    def call(self, inputs, training=None):
        tokens, positions = _split(inputs)
        outputs = self._encoded(self.encoder, tokens, training=training)
        logits = self.masked_lm(outputs["sequence_output"], positions, self._table())
        logits = ops.cast(logits, self.compute_dtype)
        if self.next_sentence is None:
            return logits
        next_sentence = ops.cast(self.next_sentence(outputs["pooled_output"]), self.compute_dtype)
        return {"mlm_logits": logits, "next_sentence_logits": next_sentence}

    def _encoded(self, encode, tokens, **arguments):
        if self.next_sentence is None and self.encoder.output_key == "sequence_output":
            return {"sequence_output": encode(tokens, **arguments)}
        return encode(tokens, as_dict=True, **arguments)

    def _table(self):
        word = self.encoder.embeddings.word
        if word.quantization_mode is None:
            return word.embeddings
        return word(ops.arange(self.encoder.config.vocab_size))  # Of the right scale.

    def compute_output_spec(self, inputs, training=None):
        tokens, positions = _split(inputs)
        outputs = self._encoded(self.encoder.compute_output_spec, tokens)
        config = self.encoder.config
        table = keras.KerasTensor((config.vocab_size, config.hidden_size))
        logits = self.masked_lm.compute_output_spec(outputs["sequence_output"], positions, table)
        logits = keras.KerasTensor(logits.shape, self.compute_dtype)
        if self.next_sentence is None:
            return logits
        shape = (outputs["pooled_output"].shape[0], 2)
        next_sentence = keras.KerasTensor(shape, self.compute_dtype)
        return {"mlm_logits": logits, "next_sentence_logits": next_sentence}

    # Optimisers and JAX take these lists, and need gradients of all that is trained.

    @property
    def trainable_variables(self):
        return self._without_idle(super().trainable_variables)

    @property
    def trainable_weights(self):
        return self._without_idle(super().trainable_weights)

    @property
    def non_trainable_variables(self):
        trainable = set(map(id, self.trainable_variables))
        return [variable for variable in self.variables if id(variable) not in trainable]

    @property
    def non_trainable_weights(self):
        trainable = set(map(id, self.trainable_weights))
        return [weight for weight in self.weights if id(weight) not in trainable]

    def _without_idle(self, variables):
        idle = self.encoder.pooler.variables if self.next_sentence is None else []
        idle = set(map(id, idle))
        return [variable for variable in variables if id(variable) not in idle]

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns the weights of encoder and heads by the names that `Checkpoint.weights` has."""
        names = shapes(self.encoder.config, tuple(self._heads()))
        heads = {name: operator.attrgetter(name)(self) for name in names if head_of(name)}
        return self.encoder.named_variables() | heads

    def export(
        self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **kwargs
    ):
        """Exports the model as `keras.Model.export` does, by default with all of its inputs."""
        if input_signature is None:
            names = (*INPUT_KEYS, "mlm_positions")
            input_signature = [
                {name: keras.InputSpec("int32", (None, None), name=name) for name in names}
            ]
        super().export(filepath, format, verbose, input_signature, **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["dtype"]
        return {
            **config,
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "next_sentence": self.next_sentence is not None,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> "MaskedLM":
        config = dict(config)
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"), custom_objects)
        frozen = {name: {"trainable": False} for name in config.pop("frozen", [])}  # Older files.
        config["sublayers"] = frozen | config.get("sublayers", {})
        return cls(encoder, **config)


def _open(checkpoint, config: BertConfig) -> Checkpoint:
    loaded = open_checkpoint(checkpoint)
    differing = [
        f"{name} is {theirs!r} in the checkpoint and {ours!r} in the encoder"
        for name in _MUST_FIT
        if (theirs := getattr(loaded.config, name)) != (ours := getattr(config, name))
    ]
    if differing:
        raise ValueError(
            f"The checkpoint's heads do not fit the encoder: {', '.join(differing)}. Make the "
            "encoder from the same checkpoint, or pass checkpoint=None for fresh heads."
        )
    return loaded


def _split(inputs):
    """Returns the inputs of the encoder, and the positions or None."""
    if not isinstance(inputs, Mapping):
        return inputs, None  # The encoder says what is wrong with it.
    tokens = dict(inputs)
    return tokens, tokens.pop("mlm_positions", None)
