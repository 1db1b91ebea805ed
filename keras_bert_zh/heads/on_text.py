"""Shared code of the models that take texts: the preprocess and the encoder below their heads."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_bert_zh.checkpoints import Checkpoint, open_checkpoint
from keras_bert_zh.checkpoints.assign import ignoring_pooler, warn_of_lacking
from keras_bert_zh.checkpoints.names import part_of
from keras_bert_zh.data.windows import join_mean
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.heads.exported import Exported
from keras_bert_zh.heads.on_encoder import OnEncoder
from keras_bert_zh.heads.own_preprocess import own_preprocess
from keras_bert_zh.heads.takes_lists import TakesLists
from keras_bert_zh.input_keys import BESIDE_KEYS, TEXT_STARTS
from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.encoder_inputs import mask_of
from keras_bert_zh.messages import says_it_all
from keras_bert_zh.preprocess import BertPreprocess

Source = str | os.PathLike | Checkpoint | BertEncoder


class OnText(Exported, TakesLists, OnEncoder):
    """A model of a preprocess, an encoder and heads. It takes strings, or the dict of ids.

    List it before `keras.Model`. The `__init__` of a subclass calls this one, creates its heads
    and then calls `build_and_load`; its `call` begins with `encoded`, its `compute_output_spec`
    with `encoded_spec`.

    Args:
        source: the value that `opened` returned.
        output_key: the output of the encoder that the heads use. If it is `"sequence_output"`,
            the pooler is not trained, as after `encoder.train_pooler(False)`.
        preprocess: BertPreprocess. `None`: the preprocess of the checkpoint. With an encoder there
            is none, and the model only takes the dict.
        max_length: int, for the checkpoint's preprocess. `None`: 128, or the number of positions
            of the encoder if it is smaller.
        dropout: float in [0, 1), replaces both dropout rates of a checkpoint.
        dtype: the dtype policy of a checkpoint's encoder.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Attributes:
        preprocess: BertPreprocess, or `None`.
        encoder: BertEncoder.
        takes_pooled: bool, whether `output_key` is `"pooled_output"`.
        takes_packed: bool, whether rows may contain several texts, as from `batch_packed`.
        takes_pairs: bool, whether `export` and `export_model` export it for pairs. It can be
            set; calls accept single texts and pairs in any case.
        stride: int, the number of tokens between the starts of windows of long texts. `None`:
            texts are cut. A subclass whose `call` uses `by_text` may set it.

    Raises:
        TypeError: if `source` or `preprocess` has a wrong type.
        ValueError: if preprocess and encoder do not match, or an argument can't be combined with
            the others.
    """

    takes_pairs = False
    takes_packed = False
    stride: int | None = None

    def __init__(
        self,
        source: Checkpoint | BertEncoder,
        *,
        output_key: str,
        preprocess: BertPreprocess | None = None,
        max_length: int | None = None,
        dropout: float | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        preprocess = own_preprocess(source, preprocess, max_length)
        if not isinstance(source, BertEncoder):
            with ignoring_pooler():
                encoder = BertEncoder(source, output_key=output_key, dropout=dropout, dtype=dtype)
            if output_key == "pooled_output" and "pooler" not in source.parts:
                warn_of_lacking("pooler", stacklevel=4)
        elif dropout is None:
            encoder = source
            kwargs |= {} if dtype is None else {"dtype": dtype}  # Which is refused.
        else:
            raise ValueError(f"The encoder has its own dropout: pass {dropout=} to BertEncoder.")
        super().__init__(encoder, **kwargs)
        # Strings are no arrays that Keras could convert.
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.preprocess = preprocess
        self._output_key = output_key
        self.takes_pooled = output_key == "pooled_output"
        encoder.train_pooler(self.takes_pooled)

    def encoded(self, inputs: Any, training: bool | None) -> tuple[Any, Any]:
        """Returns the inputs of the heads for texts or their ids, and the mask `<int32>[B, S]`."""
        tokens = self._tokens(inputs)
        if TEXT_STARTS in tokens and not self.takes_packed:
            raise ValueError(
                f"{type(self).__name__} takes one text in each row, got {TEXT_STARTS}, which "
                "batch_packed adds: use batches from preprocess or from batch_by_length."
            )
        hidden = self.encoder(tokens, output_key=self._output_key, training=training)
        return hidden, mask_of(tokens)

    def by_text(self, inputs: Any, of_ids: Callable) -> Any:
        """Returns the output of `of_ids` for ids, or for the ids of texts.

        With a `stride`, these are windows, and the output for a text is the mean over its windows.
        """
        if are_ids(inputs):
            return of_ids(inputs)
        if self.stride is None:
            return of_ids(only_ids(self._tokens(inputs)))
        windows = self._windows(inputs)
        return join_mean(of_ids(only_ids(windows)), windows)

    def encoded_spec(self, inputs: Any) -> keras.KerasTensor:
        """Returns the shape and the dtype of the inputs of the heads.

        Raises:
            NotImplementedError: for a single input with the dtype of the logits. A Sequential
                tries such an input for its first layer, and at this error goes on without it.
        """
        if not are_ids(inputs) and getattr(inputs, "dtype", None) == self.compute_dtype:
            raise NotImplementedError(
                f"{type(self).__name__} takes texts, got an input of dtype {inputs.dtype}: pass "
                'keras.Input((), dtype="string").'
            )
        return self.encoder.compute_output_spec(self._tokens(inputs), output_key=self._output_key)

    def watch(self) -> Callable[[Any], None] | None:
        """Returns a function without weights that warns if texts are cut, or `None`."""
        if self.preprocess is None or self.stride is not None:
            return None
        return self.preprocess.look_for_cuts

    @says_it_all
    def _tokens(self, inputs):
        if are_ids(inputs):
            return inputs
        self.check_strings()
        tokens = self.preprocess(inputs)
        if len(tokens["input_ids"].shape) == 1:
            raise ValueError(
                f"{type(self).__name__} takes a batch. For a single text, pass [text]."
            )
        return tokens

    @says_it_all
    def _windows(self, inputs):
        from keras_bert_zh.text.inputs import to_texts  # It imports TensorFlow.

        self.check_strings()
        texts = to_texts(inputs, split=self.preprocess.word_ids)
        if texts.is_scalar:
            raise ValueError(
                f"{type(self).__name__} takes a batch. For a single text, pass [text]."
            )
        both = texts.first if texts.second is None else (texts.first, texts.second)
        return self.preprocess.windows(both, self.stride)

    def check_strings(self):
        """Raises ValueError unless the model takes texts here."""
        ids = ", ".join(self.encoder.config.input_sizes)
        if self.preprocess is None:
            raise ValueError(
                f"This {type(self).__name__} was created from an encoder and takes a dict of {ids}."
                " To call it on texts, pass preprocess=BertPreprocess(...) when you create it."
            )
        if not kernels.ON_TENSORFLOW:
            raise ValueError(
                f"On the {kernels.BACKEND} backend, a model can't take strings. Convert them to "
                "ids first, with dataset.map(model.preprocess) in tf.data or with "
                f"model.preprocess(texts). The model takes the resulting dict of {ids}."
            )

    def signature(self) -> Any:
        if self.preprocess is None:
            keys = self.encoder.config.input_sizes
            return {key: keras.InputSpec("int32", (None, None), name=key) for key in keys}
        return texts_signature(type(self).__name__, self.preprocess, takes_pairs=self.takes_pairs)

    def ids_signature(self):
        return super().ids_signature() if self.preprocess is not None else self.signature()

    def served(self, of_ids):
        return lambda texts: self.by_text(texts, of_ids)

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns the weights in use by their names in `Checkpoint.weights`."""
        found = super().named_variables()
        parts = (None, *self.heads(), *(("pooler",) if self.takes_pooled else ()))
        return {name: variable for name, variable in found.items() if part_of(name) in parts}

    def get_config(self) -> dict[str, Any]:
        preprocess = self.preprocess and keras.saving.serialize_keras_object(self.preprocess)
        own = {"preprocess": preprocess, "takes_pairs": self.takes_pairs}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> "OnText":
        preprocess = config.get("preprocess")
        if preprocess is not None:
            preprocess = keras.saving.deserialize_keras_object(preprocess, custom_objects)
        config = {**config, "preprocess": preprocess}
        takes_pairs = config.pop("takes_pairs", cls.takes_pairs)
        model = super().from_config(config, custom_objects)
        model.takes_pairs = takes_pairs
        return model


def are_ids(inputs: Any) -> bool:
    """Tells whether the inputs are a dict of ids, even a wrong one, which the encoder reports."""
    return isinstance(inputs, Mapping) and "text_a" not in inputs


def texts_signature(model: str, preprocess: BertPreprocess, *, takes_pairs: bool) -> Any:
    """Returns the `keras.InputSpec` of a model's texts, or the tuple of two for pairs.

    Raises:
        ValueError: if the preprocess takes words.
    """
    if preprocess.word_ids:
        raise ValueError(
            f"This {model} takes words, but an exported model takes texts: create it with a "
            "preprocess without word_ids."
        )
    names = ("text_a", "text_b") if takes_pairs else ("text",)
    texts = tuple(keras.InputSpec("string", (None,), name=name) for name in names)
    return texts if takes_pairs else texts[0]


def only_ids(tokens: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the part of a preprocess's dict that an encoder reads."""
    return {key: value for key, value in tokens.items() if key not in BESIDE_KEYS}


def opened(source: Source) -> Checkpoint | BertEncoder:
    """Returns the checkpoint of a source, or the encoder itself.

    Args:
        source: anything that `load_checkpoint` takes, or a BertEncoder.

    Raises:
        TypeError, ValueError, OSError: as `load_checkpoint` does.
    """
    if isinstance(source, BertEncoder):
        return source
    if not isinstance(source, str | os.PathLike | Checkpoint):
        raise TypeError(
            f"source must be a path, a URL, a Checkpoint or a BertEncoder, got {source!r}."
        )
    return open_checkpoint(source)
