"""MaskedLM: an encoder with its pretraining heads."""

import os
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_bert_zh.checkpoints import Checkpoint
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.heads.masked_lm_head import MaskedLMHead
from keras_bert_zh.heads.on_encoder import OnEncoder
from keras_bert_zh.layers.composite import changes_inside
from keras_bert_zh.layers.dense import Dense
from keras_bert_zh.layers.fresh_weights import fresh_weights


@keras.saving.register_keras_serializable("keras_bert_zh")
class MaskedLM(OnEncoder, keras.Model):
    """Predicts the masked tokens: BERT with its pretraining heads.

    `compile` and `fit` train it on labels `<int32>[B, P]`, the original tokens. Every text has P
    positions: if a text has fewer, pad its positions and labels with 0 and give these the weight 0.
    Compile with a loss of `reduction="mean_with_sample_weight"`. The default reduction divides by
    all positions, so positions of weight 0 would make the loss too small.
    The word embeddings are shared: they are trained in the encoder and as the last layer of the
    head. With an encoder in `"mixed_float16"`, `compile` scales the loss, as Keras does by default.

    Without `next_sentence` the pooler is not trained, as after `encoder.train_pooler(False)`, until
    a training call asks the encoder for `pooled_output`.

    Args:
        encoder: BertEncoder. The heads use its dtype policy. For a fresh model,
            `MaskedLM(BertEncoder(None, config=config))`; for the whole pretrained model,
            `MaskedLM(BertEncoder("small"), "small")`.
        checkpoint: the source of the weights of the heads: anything that `load_checkpoint` takes.
            The encoder keeps its own weights. `None` is for fresh heads.
        next_sentence: bool, whether to add a head that predicts from the pooled output whether the
            second text of a pair follows the first.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Call arguments:
        inputs: dict of the encoder's inputs, and of `mlm_positions` `<int32>[B, P]`, each in
            `[0, S)`. Without them, all S positions are scored, which takes longer.
        training: bool, whether dropout is active.

    Returns:
        `<float32>[B, P, V]`, logits of every token, even if the encoder computes in half
        precision; `<float64>` for a float64 encoder. With `next_sentence`, a dict of these as
        `mlm_logits` and of `next_sentence_logits` `<float32>[B, 2]`, where 0 means the next
        sentence and 1 a different one.

    Raises:
        TypeError: if `encoder` is not a BertEncoder.
        ValueError: if `vocab_size`, `hidden_size` or `hidden_act` of encoder and checkpoint differ,
            `dtype` is passed, the encoder is an ELECTRA, or the inputs are not valid for
            BertEncoder and MaskedLMHead.
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
        super().__init__(encoder, **kwargs)
        config = encoder.config
        if config.model_type == "electra":
            raise ValueError(
                "MaskedLM needs the encoder of a BERT or an ERNIE, got an ELECTRA, which was "
                "pretrained with a different head. Add your own layers on top of "
                'encoder(inputs, output_key="sequence_output").'
            )
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
            self.next_sentence = Dense(
                2,
                kernel_initializer=fresh_weights(config.initializer_range),
                dtype=encoder.dtype_policy,
                name="next_sentence",
            )
        self.build_and_load(checkpoint)
        encoder.train_pooler(bool(next_sentence))

    def build(self, input_shape=None):
        with self.restored():
            if self.next_sentence is not None:
                self.next_sentence.build((None, self.encoder.config.hidden_size))

    def heads(self):
        heads = {"masked_lm": self.masked_lm, "next_sentence": self.next_sentence}
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
        if self.next_sentence is not None:
            return encode(tokens, as_dict=True, **arguments)
        key = "sequence_output"
        return {key: encode(tokens, output_key=key, **arguments)}

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

    def export(
        self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **kwargs
    ):
        """Exports the model as `keras.Model.export` does, by default with all its inputs."""
        if input_signature is None:
            names = (*self.encoder.config.input_sizes, "mlm_positions")
            input_signature = [
                {name: keras.InputSpec("int32", (None, None), name=name) for name in names}
            ]
        super().export(filepath, format, verbose, input_signature, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "next_sentence": self.next_sentence is not None,
        }


def _split(inputs):
    """Returns the inputs of the encoder, and the positions or `None`."""
    if not isinstance(inputs, Mapping):
        return inputs, None  # The encoder says what is wrong with it.
    tokens = dict(inputs)
    return tokens, tokens.pop("mlm_positions", None)
