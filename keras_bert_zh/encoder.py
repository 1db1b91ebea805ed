"""BertEncoder: turns the inputs of BERT into pooled and sequence output."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras

from keras_bert_zh.arguments import check_flag, check_flag_or_none
from keras_bert_zh.checkpoints import DEFAULT, Checkpoint, assign_parts, open_architecture
from keras_bert_zh.checkpoints.variables import named_variables
from keras_bert_zh.config import BertConfig
from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.composite import Composite, with_frozen
from keras_bert_zh.layers.computing import check_blocks, check_computing
from keras_bert_zh.layers.embeddings import BertEmbeddings
from keras_bert_zh.layers.encoder_inputs import check_signature, check_values, complete
from keras_bert_zh.layers.encoder_outputs import asked_for, check_key, output_specs, with_masks
from keras_bert_zh.layers.pooler import Pooler
from keras_bert_zh.layers.transformer_block import TransformerBlock
from keras_bert_zh.layers.with_mask import WithMask


@keras.saving.register_keras_serializable("keras_bert_zh")
class BertEncoder(Composite, keras.layers.Layer):
    """The encoder of BERT, with all its parameters trainable.

    Its outputs equal those of `google/bert_chinese_L-12_H-768_A-12` to within rounding. At padding
    positions, where `input_mask` is 0, they are zeros; there the original returns meaningless
    values. On a CPU, padding takes almost no time. The encoder also supports ERNIE and ELECTRA.

    Args:
        checkpoint: anything that `load_checkpoint` takes, or `None` for fresh weights. The default,
            `"default"`, is the module above, or its weights from elsewhere if it is unavailable.
        config: BertConfig, the architecture of an encoder with fresh weights. If it is given, the
            default checkpoint is not used.
        output_key: what a plain call returns: `"pooled_output"`, `"sequence_output"`, or `None`
            for the dict of both.
        dropout: float in [0, 1), replaces both dropout rates of the checkpoint or config.
        jit_compile: bool, whether XLA compiles only this layer, so that it can follow a layer that
            takes strings. Each new shape is compiled once. TensorFlow only.
        padding_free: bool, whether only real tokens are computed, at any position in a row.
            `None` decides when the layer is called or traced: padding-free on TensorFlow on a
            CPU; with padding in XLA, whose shapes can't depend on the mask, on accelerators and
            on other backends. `True` works on TensorFlow only and raises an error inside XLA.
            `False` computes padding too and leaves it in the outputs.
        remat: bool, whether training keeps only the input of each block and computes the rest
            again for the gradients, with the same dropout. This saves memory and takes 25% to 50%
            more time. Gradients of gradients need `remat=False`.
        trains_pooler: bool, whether the pooler is trained. `None`: yes, unless `output_key` is
            `"sequence_output"`; always on JAX. A training call for `pooled_output` turns it on.
        **kwargs: `name`, `dtype` (a dtype policy such as `"mixed_bfloat16"`) and `trainable`, as
            for every Keras layer; `sublayers`, as returned by `get_config`.

    Call arguments:
        inputs: dict of `input_ids` `<int32>[B, S]`, token ids; `input_mask` `<int32>[B, S]`, 1 for
            tokens and 0 for padding, all ones if missing; `segment_ids` `<int32>[B, S]` and, for an
            ERNIE with task types, `task_type_ids` `<int32>[B, S]`, all zeros if missing. For rows
            with several texts, `text_starts` `<int32>[B, T]`: where each text begins, or S for
            none.
        as_dict: bool, whether to return the dict, regardless of `output_key`.
        all_layers: bool, whether the dict also contains `encoder_outputs`.
        output_key: str, the output to return instead of the encoder's `output_key`.
        attention: bool, whether the dict also contains `attention`. It takes time and memory.
        training: bool, whether dropout is active.

    Returns:
        The output that `output_key` names, or a dict of them, in the compute dtype:
        `pooled_output` `<float>[B, D]`, tanh of a dense layer on the first token; `[B, T, D]` with
        a Keras mask for rows with several texts;
        `sequence_output` `<float>[B, S, D]`, the last hidden states, with `input_mask` as Keras
        mask; `encoder_outputs`, a list with the `<float>[B, S, D]` of each block; `attention`, a
        list with the `<float>[B, N, S, S]` of each block: the weight with which the token of each
        row attends to the token of each column, in each head, before dropout; zeros for padding.

    Raises:
        ValueError: if both `config` and a checkpoint other than the default are given, or neither;
            `output_key` or `padding_free` is not a known value; `jit_compile` and `padding_free`
            are both set; or the inputs are not as described: missing or unknown keys, ids that are
            not integers or out of range, shapes that differ, or more positions than the encoder
            has. In a TensorFlow graph, values out of range raise `tf.errors.InvalidArgumentError`.
        OSError: if the checkpoint can't be found or downloaded.

    Example:

    >>> import numpy as np
    >>> from keras_bert_zh import BertConfig, BertEncoder
    >>> config = BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4)
    >>> encoder = BertEncoder(checkpoint=None, config=config)
    >>> inputs = {"input_ids": np.array([[101, 791, 1921, 102]])}
    >>> encoder(inputs).shape
    TensorShape([1, 32])
    >>> encoder(inputs, as_dict=True)["sequence_output"].shape
    TensorShape([1, 4, 32])

    Reference:
        Devlin et al., BERT, 2018 (https://arxiv.org/abs/1810.04805); its code's `modeling.py`. For
        ERNIE and ELECTRA, `ErnieModel` and `ElectraModel` in Hugging Face Transformers.
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike | Checkpoint | None = DEFAULT,
        *,
        config: BertConfig | None = None,
        output_key: str | None = "pooled_output",
        dropout: float | None = None,
        jit_compile: bool = False,
        padding_free: bool | None = None,
        remat: bool = False,
        trains_pooler: bool | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_key(output_key)
        self.jit_compile = check_flag("jit_compile", jit_compile)
        self.padding_free = check_flag_or_none("padding_free", padding_free)
        self.remat = check_flag("remat", remat)
        check_computing(self.jit_compile, self.padding_free)
        trains_pooler = check_flag_or_none("trains_pooler", trains_pooler)
        self.config, loaded = open_architecture(checkpoint, config)
        if dropout is not None:
            self.config = self.config.with_dropout(dropout)
        self.output_key = output_key
        self._stand_in: Callable | None = None
        if trains_pooler is None:
            # Keras on JAX neither warns nor tells what a traced call has changed.
            trains_pooler = output_key != "sequence_output" or not kernels.ON_TENSORFLOW
        self._make_layers(self.config.initializer_range if loaded is None else None)
        self.build()
        self.pooler.rests = not trains_pooler
        if loaded is not None:
            assign_parts(loaded, self.named_variables())

    def _make_layers(self, initializer_range):
        config = self.config
        shared = {"hidden_size": config.hidden_size, "dtype": self.dtype_policy}
        inner = {
            "dropout": config.hidden_dropout_prob,
            "epsilon": config.layer_norm_eps,
            "initializer_range": initializer_range,
            **shared,
        }
        self.embeddings = BertEmbeddings(
            vocab_size=config.vocab_size,
            max_positions=config.max_position_embeddings,
            type_vocab_size=config.type_vocab_size,
            task_type_vocab_size=config.task_type_vocab_size,
            embedding_size=config.embedding_size,
            name="embeddings",
            **inner,
        )
        self.blocks = [
            TransformerBlock(
                num_heads=config.num_attention_heads,
                intermediate_size=config.intermediate_size,
                activation=config.hidden_act,
                attention_dropout=config.attention_probs_dropout_prob,
                remat=self.remat,
                name=f"block_{index}",
                **inner,
            )
            for index in range(config.num_hidden_layers)
        ]
        shared["initializer_range"] = config.initializer_range  # A checkpoint may have no pooler.
        self.pooler = Pooler(name="pooler", **shared)
        self.with_mask = WithMask(dtype=self.dtype_policy, name="with_mask")

    def build(self, input_shape=None):
        if self.built:
            return
        with self.restored():
            for layer in self._in_order():
                layer.build()

    def _in_order(self) -> list[keras.layers.Layer]:
        return [self.embeddings, *self.blocks, self.pooler]

    def call(
        self,
        inputs,
        as_dict=False,
        all_layers=False,
        output_key=None,
        *,
        attention=False,
        training=None,
    ):
        # On JAX, Keras builds the optimiser by a call outside of training.
        trains = training or not kernels.ON_TENSORFLOW
        given = as_dict, all_layers, output_key, attention
        asked = self._asked_for(inputs, *given, trains=trains)
        inputs = self.complete_inputs(inputs)
        encode = self._compiled if self.jit_compile else self._encode
        outputs = (self._stand_in or encode)(inputs, asked, bool(training))
        return asked.of(with_masks(outputs, inputs, self.with_mask))

    def _asked_for(
        self, inputs, as_dict=False, all_layers=False, output_key=None, attention=False, *, trains
    ):
        asked = asked_for(self.output_key, as_dict, all_layers, output_key, attention)
        check_signature(inputs, self.config.input_sizes, self.config.max_position_embeddings)
        if trains and asked.key != "sequence_output":
            self.train_pooler()
        return asked

    def complete_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns all inputs as int32, with their values checked."""
        sizes = self.config.input_sizes
        return check_values(complete(inputs, sizes), sizes, self.config.max_position_embeddings)

    def _encode(self, inputs, asked, training):
        layout = kernels.layout_of(inputs, self.config.num_attention_heads, self.padding_free)
        first = layout.first_tokens()
        keys = [key for key in self.config.input_sizes if key != "input_mask"]
        ids, segments, *tasks = (layout.gather(inputs[key]) for key in keys)
        hidden = self.embeddings(ids, segments, layout.positions, *tasks, training=training)
        outputs = {"encoder_outputs": [], "attention": []}
        for block in self.blocks:
            if asked.attention:
                outputs["attention"].append(block.attention.probabilities(hidden, layout))
            # Of the last block, the pooler sees the first tokens and nothing else.
            queries = first if asked.key == "pooled_output" and block is self.blocks[-1] else None
            hidden = block(hidden, layout=layout, queries=queries, training=training)
            if asked.all_layers:
                outputs["encoder_outputs"].append(layout.scatter(hidden))
        outputs = {name: of_blocks for name, of_blocks in outputs.items() if of_blocks}
        if asked.key == "pooled_output":
            return {asked.key: self.pooler(hidden)}
        if asked.key is None:
            outputs["pooled_output"] = self.pooler(first.pick(hidden))
        return outputs | {"sequence_output": layout.scatter(hidden)}

    @functools.cached_property
    def _compiled(self):
        # A cached property, since Keras and SavedModel would track a plain attribute.
        return kernels.compiled(self._encode, self)

    def compute_output_spec(self, inputs, *args, training=None, **kwargs):
        asked = self._asked_for(inputs, *args, **kwargs, trains=True)
        size, heads = self.config.hidden_size, self.config.num_attention_heads
        return output_specs(asked, inputs, size, heads, len(self.blocks), dtype=self.compute_dtype)

    @contextlib.contextmanager
    def computed_by(self, function: Callable) -> Iterator[None]:
        """Context in which calls return the outputs of a function instead of the encoder's own.

        An export uses it to write the encoder in a different way from the layers around it.

        Args:
            function: called with the dict of all inputs, `<int32>[B, S]`, the outputs `Asked` for,
                and the argument `training`. It returns a dict of outputs.
        """
        self._stand_in = function
        try:
            yield
        finally:
            self._stand_in = None

    def train_pooler(self, trains: bool = True) -> None:
        """Turns training of the pooler on or off. Off: no loss may depend on `pooled_output`.

        A call that returns `pooled_output`, in training or in a functional model, turns it on.
        """
        self.pooler.train(trains, whole=self.trainable)

    def freeze_layers(self, count: int | None) -> None:
        """Freezes the embeddings and the first `count` blocks, and makes the rest trainable.

        Compile the model afterwards. To freeze the whole encoder, set `encoder.trainable = False`.

        Args:
            count: int, 0 for the embeddings alone; `None` freezes nothing.

        Raises:
            ValueError: if `count` is larger than the number of blocks, negative or not an int.
        """
        check_blocks(count, len(self.blocks))
        self.trainable = True
        frozen = 0 if count is None else 1 + count
        for index, layer in enumerate(self._in_order()):
            layer.trainable = index >= frozen

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns the weights by their names in `Checkpoint.weights`."""
        return named_variables(self, self.config, ("pooler",))

    def get_config(self) -> dict[str, Any]:
        own = ("output_key", "jit_compile", "padding_free", "remat")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in own},
            "config": self.config.to_dict(),
            "trains_pooler": not self.pooler.rests,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BertEncoder":
        config = with_frozen(config)
        config["config"] = BertConfig.from_dict(config["config"])
        if not kernels.ON_TENSORFLOW:
            # How it is computed is no part of what the layer is.
            config |= {"jit_compile": False, "padding_free": None}
        return cls(None, **config)
