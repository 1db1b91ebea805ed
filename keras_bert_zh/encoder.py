"""BertEncoder: the three inputs of BERT in, pooled and sequence output out."""

import functools
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from keras_bert_zh.arguments import is_int
from keras_bert_zh.checkpoints import DEFAULT, Checkpoint, assign, open_checkpoint
from keras_bert_zh.checkpoints.names import head_of, shapes
from keras_bert_zh.config import BertConfig
from keras_bert_zh.layers.composite import Composite
from keras_bert_zh.layers.embeddings import BertEmbeddings
from keras_bert_zh.layers.encoder_inputs import check_signature, check_values, complete
from keras_bert_zh.layers.pooler import Pooler
from keras_bert_zh.layers.token_layout import PaddedLayout, TokenLayout
from keras_bert_zh.layers.transformer_block import TransformerBlock
from keras_bert_zh.layers.with_mask import WithMask

OUTPUT_KEYS = ("pooled_output", "sequence_output")


@keras.saving.register_keras_serializable("keras_bert_zh")
class BertEncoder(Composite, keras.layers.Layer):
    """The encoder of BERT, with all its parameters trainable.

    Computes what `google/bert_chinese_L-12_H-768_A-12` computes, to within rounding, with zeros at
    the positions that `input_mask` leaves out, where the original leaves values without meaning.
    On a CPU these positions take next to no time.

    Args:
        checkpoint: where architecture and weights come from: anything that `load_checkpoint`
            takes. `None` stands for fresh weights.
        config: BertConfig, the architecture of an encoder with fresh weights. With it, the
            default checkpoint is not used.
        output_key: what a plain call returns: `"pooled_output"`, `"sequence_output"`, or `None`
            for the dict of both. With `"sequence_output"` the pooler is not trained, unless
            `train_pooler` says so.
        dropout: float in [0, 1), instead of both dropout rates of the checkpoint or config.
        jit_compile: bool, whether XLA compiles this layer alone, so that it can stand behind a
            layer of strings. Each new shape is compiled once. TensorFlow backend only; under
            JAX, Keras compiles the whole model.
        padding_free: bool, whether only real tokens are computed, wherever they stand in a row.
            `None` chooses when it is called or traced: padding-free on the TensorFlow backend on a
            CPU; with padding where XLA compiles, which needs shapes that don't depend on the mask,
            on accelerators, and on other backends. `True` is for the TensorFlow backend only, and
            an error inside XLA. `False` computes padding and leaves it in the outputs, as the
            original does.
        remat: bool, whether training keeps each block's input alone and computes the rest again
            for the gradients, under dropout with the same numbers dropped: less memory, a quarter
            to a half more time. Gradients of gradients need `remat=False`.
        trains_pooler: bool, whether the pooler is trained with `"sequence_output"` too, as after
            `train_pooler`.
        **kwargs: `name`, `dtype` (a dtype policy such as `"mixed_bfloat16"`) and `trainable`, as
            for every Keras layer; `sublayers`, which `get_config` returns.

    Call arguments:
        inputs: dict of `input_ids` `<int32>[B, S]`, token ids; `input_mask` `<int32>[B, S]`, 1 for
            tokens and 0 for padding, all ones if missing; `segment_ids` `<int32>[B, S]`, all
            zeros if missing.
        as_dict: bool, whether to return the dict whatever `output_key` says.
        all_layers: bool, whether the dict holds `encoder_outputs` too.
        training: bool, whether dropout is active.

    Returns:
        The output that `output_key` names, or a dict of them, in the compute dtype:
        `pooled_output` `<float>[B, D]`, tanh of a dense layer on the first token;
        `sequence_output` `<float>[B, S, D]`, the last hidden states, with `input_mask` as Keras
        mask; `encoder_outputs`, a list with the `<float>[B, S, D]` of each block.

    Raises:
        ValueError: if `config` and another checkpoint than the default are given, or neither,
            `output_key` or `padding_free` is not known, `jit_compile` and `padding_free` are both
            set, or the inputs are not as described: missing or unknown keys, ids that are not
            integers or out of range, shapes that differ, or more positions than the encoder has.
            Inside a TensorFlow graph, ranges raise `tf.errors.InvalidArgumentError` instead.
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
        Devlin et al., BERT, 2018 (https://arxiv.org/abs/1810.04805); `BertModel` in
        google-research/bert `modeling.py`.
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
        trains_pooler: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if output_key not in (*OUTPUT_KEYS, None):
            raise ValueError(
                f"output_key must be {', '.join(map(repr, OUTPUT_KEYS))} or None for the dict of "
                f"both, got {output_key!r}."
            )
        _check_computing(jit_compile, padding_free)
        loaded = _load(checkpoint, config)
        self.config = config if loaded is None else loaded.config
        if dropout is not None:
            self.config = self.config.with_dropout(dropout)
        self.output_key = output_key
        self.jit_compile = bool(jit_compile)
        self.padding_free = padding_free
        self.remat = bool(remat)
        # Keras on JAX neither warns nor tells what a traced call has changed.
        rests = output_key == "sequence_output" and _backend() == "tensorflow"
        self._pooler_rests = rests and not trains_pooler
        self._make_layers(self.config.initializer_range if loaded is None else None)
        self.build()
        self._rest_pooler()
        if loaded is not None:
            self._assign(loaded)

    def _assign(self, checkpoint):
        variables = self.named_variables()
        if "pooler" in checkpoint.missing:
            warnings.warn(
                "The checkpoint has no weights for the pooler: pooled_output comes from fresh "
                "ones until it is trained. sequence_output is what was pretrained.",
                stacklevel=3,
            )
            variables = {n: v for n, v in variables.items() if head_of(n) != "pooler"}
        assign(checkpoint.weights.only(variables), variables)

    def _make_layers(self, initializer_range):
        config = self.config
        shared = {
            "hidden_size": config.hidden_size,
            "initializer_range": initializer_range,
            "dtype": self.dtype_policy,
        }
        inner = {
            "dropout": config.hidden_dropout_prob,
            "epsilon": config.layer_norm_eps,
            **shared,
        }
        self.embeddings = BertEmbeddings(
            vocab_size=config.vocab_size,
            max_positions=config.max_position_embeddings,
            type_vocab_size=config.type_vocab_size,
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
            for layer in self._parts().values():
                layer.build()

    def _parts(self) -> dict[str, keras.layers.Layer]:
        """Returns the layers that have weights, by name, in forward order."""
        return {layer.name: layer for layer in (self.embeddings, *self.blocks, self.pooler)}

    def call(self, inputs, as_dict=False, all_layers=False, training=None):
        self._check_call(inputs, as_dict, all_layers)
        if as_dict and training:
            self.train_pooler()
        inputs = self.complete_inputs(inputs)
        encode = self._compiled_encode if self.jit_compile else self._encode
        only_pooled = self.output_key == "pooled_output" and not as_dict
        outputs = encode(inputs, all_layers, only_pooled, bool(training))
        return self._select(outputs, inputs["input_mask"], as_dict)

    def complete_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns all three inputs as int32, with their values checked."""
        sizes = {
            "input_ids": self.config.vocab_size,
            "input_mask": 2,
            "segment_ids": self.config.type_vocab_size,
        }
        return check_values(complete(inputs), sizes, self.config.max_position_embeddings)

    def _check_call(self, inputs, as_dict, all_layers):
        check_signature(inputs, self.config.max_position_embeddings)
        if all_layers and not (as_dict or self.output_key is None):
            raise ValueError(
                "all_layers=True adds encoder_outputs to the dict of outputs: pass as_dict=True "
                f"too, or build the encoder with output_key=None, not {self.output_key!r}."
            )

    def _encode(self, inputs, all_layers, only_pooled, training):
        layout = self._layout(inputs["input_mask"])
        ids, segments = layout.pack(inputs["input_ids"]), layout.pack(inputs["segment_ids"])
        hidden = self.embeddings(ids, segments, layout.positions, training=training)
        encoder_outputs = []
        for block in self.blocks:
            # Of the last block, the pooler sees the first tokens and nothing else.
            only_first = only_pooled and block is self.blocks[-1]
            hidden = block(hidden, layout=layout, only_first=only_first, training=training)
            encoder_outputs.append(hidden)
        if only_pooled:
            return {"pooled_output": self.pooler(hidden)}
        outputs = {
            "pooled_output": self.pooler(layout.first(hidden)),
            "sequence_output": layout.unpack(hidden),
        }
        if all_layers:
            outputs["encoder_outputs"] = [layout.unpack(hidden) for hidden in encoder_outputs]
        return outputs

    def _layout(self, mask) -> TokenLayout:
        if self._is_padding_free():
            from keras_bert_zh.layers.packed_layout import PackedLayout

            return PackedLayout(mask, self.config.num_attention_heads)
        return PaddedLayout(
            mask, self.config.num_attention_heads, keep_padding=self.padding_free is False
        )

    def _is_padding_free(self) -> bool:
        if self.padding_free is False or self.jit_compile or _backend() != "tensorflow":
            return False
        from keras_bert_zh.layers.tensorflow_placement import has_accelerator, in_xla

        if self.padding_free and in_xla():
            raise ValueError(
                "BertEncoder(padding_free=True) can't be compiled by XLA, which needs shapes that "
                "don't depend on the mask. Pass padding_free=None, or compile the model with "
                "jit_compile=False."
            )
        return self.padding_free or not (in_xla() or has_accelerator())

    def _compiled_encode(self, *arguments):
        """`_encode`, compiled again when variables, policies or dropout rates have changed."""
        import tensorflow as tf

        layers = (self.embeddings, *self.blocks, *(block.attention for block in self.blocks))
        rates = tuple(layer.dropout.rate for layer in layers)
        policies = tuple(layer.dtype_policy.name for layer in self._flatten_layers())
        state = (tuple(map(id, self.variables)), rates, policies)
        compiled = self._compiled.get(state)
        if compiled is None:
            # One trace for each pair of flags; XLA compiles it once for each shape.
            compiled = tf.function(
                self._encode, jit_compile=True, autograph=False, reduce_retracing=True
            )
            self._compiled.clear()
            self._compiled[state] = compiled
        return compiled(*arguments)

    @functools.cached_property
    def _compiled(self) -> dict:
        # A cached property, since Keras and SavedModel would track a plain attribute.
        return {}

    def _select(self, outputs, mask, as_dict):
        if "encoder_outputs" in outputs:
            outputs["encoder_outputs"] = [
                self.with_mask((hidden, mask)) for hidden in outputs["encoder_outputs"]
            ]
        if "sequence_output" in outputs:
            outputs["sequence_output"] = self.with_mask((outputs["sequence_output"], mask))
        return outputs if as_dict or self.output_key is None else outputs[self.output_key]

    def compute_output_spec(self, inputs, as_dict=False, all_layers=False, training=None):
        self._check_call(inputs, as_dict, all_layers)
        if as_dict:
            self.train_pooler()
        batch, length = inputs["input_ids"].shape

        def spec(*shape):
            return keras.KerasTensor((*shape, self.config.hidden_size), self.compute_dtype)

        outputs = {"pooled_output": spec(batch), "sequence_output": spec(batch, length)}
        if all_layers:
            outputs["encoder_outputs"] = [spec(batch, length) for _ in self.blocks]
        return outputs if as_dict or self.output_key is None else outputs[self.output_key]

    @property
    def trainable(self) -> bool:
        """Whether anything is trained. Setting it freezes or trains all layers."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        keras.layers.Layer.trainable.fset(self, value)
        self._rest_pooler()

    def train_pooler(self) -> None:
        """Trains the pooler of an encoder whose plain call returns `sequence_output`.

        On TensorFlow the pooler of such an encoder is frozen, since no loss depends on it, and
        Keras would warn that it has no gradients. A call with `as_dict=True` in a functional model,
        or with `training=True`, does this of itself.
        """
        if self._pooler_rests:
            self._pooler_rests = False
            self.pooler.trainable = True

    def _rest_pooler(self) -> None:
        if self._pooler_rests:
            self.pooler.trainable = False

    def freeze_layers(self, count: int | None) -> None:
        """Freezes the embeddings and the first `count` blocks, and makes the rest trainable.

        Compile the model afterwards. To freeze the whole encoder, set `encoder.trainable = False`.

        Args:
            count: int, from 0, which freezes the embeddings alone, to the number of blocks; `None`
                freezes nothing.

        Raises:
            ValueError: if `count` is something else.

        Example:

        >>> from keras_bert_zh import BertConfig, BertEncoder
        >>> config = BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4)
        >>> encoder = BertEncoder(None, config=config)
        >>> encoder.freeze_layers(1)
        >>> [block.trainable for block in encoder.blocks]
        [False, True]
        """
        if count is not None and not (is_int(count) and 0 <= count <= len(self.blocks)):
            raise ValueError(
                f"freeze_layers takes a number of blocks from 0 to {len(self.blocks)}, or None to "
                f"freeze nothing; got {count!r}."
            )
        self.trainable = True
        self._freeze([] if count is None else list(self._parts())[: 1 + count])

    def _freeze(self, names: Iterable[str]) -> None:
        for name, layer in self._parts().items():
            layer.trainable = name not in names
        self._rest_pooler()

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns the weights by the names that `Checkpoint.weights` has."""
        return {name: _attribute(self, name) for name in shapes(self.config)}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "config": self.config.to_dict(),
            "output_key": self.output_key,
            "jit_compile": self.jit_compile,
            "padding_free": self.padding_free,
            "remat": self.remat,
            "trains_pooler": not self._pooler_rests,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BertEncoder":
        config = {**config, "config": BertConfig(**config["config"])}
        # Older files tell of whole parts that are frozen, and of nothing else.
        frozen = {name: {"trainable": False} for name in config.pop("frozen", [])}
        config["sublayers"] = frozen | config.get("sublayers", {})
        if _backend() != "tensorflow":
            # How it is computed is no part of what the layer is.
            config |= {"jit_compile": False, "padding_free": None}
        return cls(None, **config)


def _backend() -> str:
    return keras.backend.backend()


def _check_computing(jit_compile, padding_free) -> None:
    if not any(padding_free is known for known in (None, True, False)):
        raise ValueError(f"padding_free must be None, True or False, got {padding_free!r}.")
    if jit_compile and padding_free:
        raise ValueError(
            "jit_compile=True and padding_free=True exclude each other: XLA needs shapes that "
            "don't depend on the mask."
        )
    for name, value in (("jit_compile", jit_compile), ("padding_free", padding_free)):
        if value and _backend() != "tensorflow":
            raise ValueError(
                f"{name}=True is for the TensorFlow backend; on the {_backend()} backend Keras "
                "compiles the whole model, with padding: model.compile(jit_compile=True)."
            )


def _load(checkpoint, config) -> Checkpoint | None:
    if checkpoint is None and config is None:
        raise ValueError("BertEncoder(checkpoint=None) needs config=BertConfig(...).")
    if config is None:
        return open_checkpoint(checkpoint)
    if checkpoint not in (None, DEFAULT):
        raise ValueError(
            "A checkpoint brings its own configuration: pass config only with checkpoint=None, "
            "for fresh weights. The dropout argument changes a checkpoint's dropout."
        )
    if not isinstance(config, BertConfig):
        raise ValueError(f"config must be a BertConfig, got {config!r}.")
    return None


def _attribute(layer: keras.layers.Layer, path: str) -> keras.Variable:
    for name in path.split("."):
        layer = layer[int(name)] if name.isdigit() else getattr(layer, name)
    return layer
