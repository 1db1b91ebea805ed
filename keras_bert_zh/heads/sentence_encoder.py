"""SentenceEncoder: texts in, a vector of each out."""

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_bert_zh.arguments import check_choice, check_flag_or_none, check_int
from keras_bert_zh.checkpoints import Checkpoint
from keras_bert_zh.checkpoints.pooling import MODES, Pooling
from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.heads.on_text import OnText, Source, are_ids, opened
from keras_bert_zh.heads.pooled import normalized, pooled
from keras_bert_zh.preprocess import BertPreprocess

_CHOICES = (
    "'cls', the first token, which is usual for bge; 'mean', over all tokens, for gte, m3e and "
    "text2vec; 'max', over all tokens; or 'pooled_output', BERT's own, for which \"small\" is "
    "trained. normalize=True scales vectors to length 1, as bge does"
)


@keras.saving.register_keras_serializable("keras_bert_zh")
class SentenceEncoder(OnText, keras.Model):
    """Makes one vector of each text, as the makers of the weights meant it.

    A folder of Sentence Transformers says how: pooling, length of texts, prompts, and whether
    vectors are scaled. For other sources, pass `pooling`. Texts with similar meanings get vectors
    that are close: compare them by their cosine, the dot product of vectors of length 1.

    `save_checkpoint` writes it as a folder that `SentenceTransformer(folder)` loads.

    Args:
        source: anything that `load_checkpoint` takes, or a BertEncoder.
        pooling: `"cls"`, the last hidden state of the first token; `"mean"` or `"max"` of those of
            all tokens, `[CLS]` and `[SEP]` too; `"pooled_output"`; or what another checkpoint has
            as `pooling`. `None`: as the source says.
        normalize: bool, whether vectors are scaled to length 1. `None`: as the source says, or not.
        prompt: str, the name of the prompt that is put before each text, one of those in
            `Checkpoint.pooling.prompts`; `""` for none. `None`: the default of the source, if it
            has one. What is called with ids has no prompt.
        preprocess: BertPreprocess, instead of the checkpoint's. With a BertEncoder, there is none
            without it.
        max_length: int, at how many tokens texts are cut, with `[CLS]` and `[SEP]`. `None`: as the
            source says, or 128.
        stride: int, for texts that are longer than `max_length`: they are read by windows, each
            this many tokens after the one before it, and vectors are the mean over the windows,
            scaled after that. `None`: texts are cut. Not with a prompt. Ids are taken as they are.
        dropout: float in [0, 1), instead of both dropout rates of the checkpoint.
        dtype: dtype policy of the encoder, such as `"mixed_bfloat16"`.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Call arguments:
        inputs: texts `<string>[B]`, all that `BertPreprocess` takes but pairs; or the dict of it.
        training: bool, whether dropout is active.

    Returns:
        `<float32>[B, D]`, also where the encoder computes in half precision; `<float64>` of a
        float64 encoder. Zeros for a row of padding alone.

    Attributes:
        pooling: what is computed; `mode`, `normalize`, `max_length`, `prompts`, and the name of the
            prompt in effect as `default_prompt`.
        left_out: int, how many tokens at the beginning of a text are not pooled.

    Raises:
        ValueError: if it is not known how to pool, or what the source says is not computed here;
            there is no such prompt, or an argument is not as described.
        TypeError: if `source` or `preprocess` is something else.
        OSError: if the checkpoint can't be found or downloaded.

    Example:

    >>> from keras_bert_zh import SentenceEncoder
    >>> model = SentenceEncoder("small", "pooled_output", normalize=True)
    >>> vectors = model(["今天天气很好", "今天是晴天", "手机没电了"]).numpy()
    >>> vectors.shape
    (3, 384)
    >>> bool(vectors[0] @ vectors[1] > vectors[0] @ vectors[2])
    True

    Reference:
        Reimers and Gurevych, Sentence-BERT, 2019 (https://arxiv.org/abs/1908.10084);
        `SentenceTransformer` in sentence-transformers.
    """

    output_name = "vectors"

    def __init__(
        self,
        source: Source,
        pooling: str | Pooling | None = None,
        *,
        normalize: bool | None = None,
        prompt: str | None = None,
        preprocess: BertPreprocess | None = None,
        max_length: int | None = None,
        stride: int | None = None,
        dropout: float | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        loaded = opened(source)
        said = pooling if isinstance(pooling, Pooling) else getattr(loaded, "pooling", None)
        if isinstance(pooling, Pooling) or pooling is None:
            found = _supported(said, source)
        else:
            mode = check_choice("pooling", pooling, MODES)
            found = said or Pooling(mode, max_length=loaded.config.max_position_embeddings)
            found = dataclasses.replace(found, mode=mode, beyond=())
        scaled = check_flag_or_none("normalize", normalize)
        found = found if scaled is None else dataclasses.replace(found, normalize=scaled)
        found = _with_prompt(found, prompt)
        makes_preprocess = preprocess is None and not isinstance(loaded, BertEncoder)
        if said is not None and max_length is None and makes_preprocess:
            max_length = said.max_length
        super().__init__(
            loaded,
            output_key="pooled_output" if found.mode == "pooled_output" else "sequence_output",
            preprocess=preprocess,
            max_length=max_length,
            dropout=dropout,
            dtype=dtype,
            **kwargs,
        )
        length = self.preprocess or found
        self.pooling = dataclasses.replace(found, max_length=length.max_length)
        self.stride = None if stride is None else check_int("stride", stride, 1)
        self.left_out = self._count_left_out()
        if self.stride is not None and self.prompt:
            raise ValueError(
                'Windows of a text have no prompt before each of them: pass prompt="" with stride.'
            )
        self.build_and_load(None)

    @property
    def prompt(self) -> str:
        """What is put before each text; empty for nothing."""
        name = self.pooling.default_prompt
        return "" if name is None else self.pooling.prompts[name]

    def _count_left_out(self) -> int:
        """Returns how many tokens at the beginning of a text are not pooled."""
        prompt = self.prompt
        if self.pooling.include_prompt or not prompt or self.preprocess is None:
            return 0
        return 1 + int(self.preprocess.tokenize(self._with_prompt_text("")).shape[0])  # And [CLS].

    def _with_prompt_text(self, texts):
        return _prompted(texts, self.prompt, self.pooling, self.preprocess)

    def watch(self):
        if self.preprocess is None or self.stride is not None:
            return None
        prompt, pooling, preprocess = self.prompt, self.pooling, self.preprocess
        return lambda texts: preprocess.look_for_cuts(_prompted(texts, prompt, pooling, preprocess))

    def build(self, input_shape=None):
        with self.restored():
            pass  # It has nothing to build but its encoder.

    def heads(self):
        return {}

    def checkpoint_fields(self):
        return {"pooling": self.pooling}

    def call(self, inputs, training=None):
        left_out = 0
        if not are_ids(inputs) and self.preprocess is not None:
            inputs, left_out = self._with_prompt_text(inputs), self.left_out
        vectors = self.by_text(inputs, lambda ids: self._pooled(ids, left_out, training))
        return normalized(vectors) if self.pooling.normalize else vectors

    def unscaled(self, ids: dict[str, Any]) -> Any:
        """Returns the vectors of ids before they are scaled, `<float>[B, D]`."""
        return self._pooled(ids, 0, False)

    def _pooled(self, ids, left_out, training):
        hidden, mask = self.encoded(ids, training)
        hidden = ops.cast(hidden, self.compute_dtype)
        if self.takes_pooled:
            return hidden * ops.cast(ops.any(mask > 0, axis=1, keepdims=True), hidden.dtype)
        if left_out:
            mask = mask * ops.cast(ops.arange(ops.shape(mask)[1]) >= left_out, mask.dtype)
        return pooled(hidden, mask, self.pooling.mode)

    def served(self, of_ids):
        if self.left_out or (self.stride is not None and self.pooling.normalize):
            # Ids do not tell what of them is a prompt, and what they give is scaled already.
            return lambda texts: self(texts, training=False)
        # Two towers without a preprocess call it with ids.
        return lambda texts: self.by_text(
            texts if are_ids(texts) else self._with_prompt_text(texts), of_ids
        )

    def compute_output_spec(self, inputs, training=None):
        hidden = self.encoded_spec(inputs)
        return keras.KerasTensor((hidden.shape[0], hidden.shape[-1]), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        own = {"pooling": self.pooling.to_dict(), "stride": self.stride}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None) -> "SentenceEncoder":
        pooling = Pooling(**config["pooling"] | {"beyond": ()})  # JSON has no tuples.
        return super().from_config({**config, "pooling": pooling}, custom_objects)


def _prompted(texts: Any, prompt: str, pooling: Pooling, preprocess: BertPreprocess) -> Any:
    """Returns texts with the prompt before them, in lower case where that is asked."""
    from keras_bert_zh.text.prompt import check_single, with_prompt  # It imports TensorFlow.

    check_single(texts)
    lowercase = pooling.lowercase and not preprocess.lowercase
    return with_prompt(texts, prompt, lowercase=lowercase) if prompt or lowercase else texts


def _supported(said: Pooling | None, source: Source) -> Pooling:
    """Returns what a source says, if it says something that is computed here."""
    named = "The source" if isinstance(source, Checkpoint | BertEncoder) else f"{source}"
    if said is None:
        raise ValueError(
            f"{named} does not say how to make a vector of a text. Pass pooling={_CHOICES}."
        )
    if said.unsupported:
        raise ValueError(
            f"{named} makes vectors by what SentenceEncoder does not compute: "
            f"{', '.join(said.unsupported)}. Pass pooling= for other vectors than its makers mean, "
            f"to be trained: {' or '.join(map(repr, MODES))}."
        )
    return said


def _with_prompt(pooling: Pooling, prompt: str | None) -> Pooling:
    if prompt is None:
        return pooling
    if prompt == "":
        return dataclasses.replace(pooling, default_prompt=None)
    if not isinstance(prompt, str) or prompt not in pooling.prompts:
        names = ", ".join(map(repr, pooling.prompts)) or "none"
        raise ValueError(
            f"prompt must be the name of a prompt that the source has, which are: {names}; got "
            f"{prompt!r}. Put a prompt of your own before the texts yourself."
        )
    return dataclasses.replace(pooling, default_prompt=prompt)
