"""SentenceEncoder: turns each text into a vector."""

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
    """Turns each text into one vector, with the pooling that its weights were trained for.

    A folder of Sentence Transformers contains the settings: pooling, maximum length, prompts, and
    whether vectors are normalised. For other sources, pass `pooling`. Texts with similar meanings
    get similar vectors: compare them by cosine, the dot product of vectors of length 1.

    `save_checkpoint` writes a folder that `SentenceTransformer(folder)` loads.

    Args:
        source: anything that `load_checkpoint` takes, or a BertEncoder.
        pooling: `"cls"`, the last hidden state of the first token; `"mean"` or `"max"` over those
            of all tokens, including `[CLS]` and `[SEP]`; `"pooled_output"`; or the `pooling` of
            another checkpoint. `None`: as the source says.
        normalize: bool, whether vectors are scaled to length 1. `None`: as the source says, or not.
        prompt: str, the name of the prompt to add before each text, one of those in
            `Checkpoint.pooling.prompts`; `""` for none. `None`: the default prompt of the source,
            if any. Calls on ids add no prompt.
        preprocess: BertPreprocess, replaces the checkpoint's. A BertEncoder has none of its own.
        max_length: int, the number of tokens to which texts are cut, including `[CLS]` and
            `[SEP]`. `None`: as the source says, or 128.
        stride: int, for texts longer than `max_length`: they are split into windows, each of which
            starts this many tokens after the previous one. The vector is the mean over the
            windows, normalised afterwards. `None`: texts are cut. It can't be combined with a
            prompt and has no effect on ids.
        dropout: float in [0, 1), replaces both dropout rates of the checkpoint.
        dtype: dtype policy of the encoder, such as `"mixed_bfloat16"`.
        **kwargs: `name` and `trainable`, as for every Keras model.

    Call arguments:
        inputs: texts `<string>[B]`, as for `BertPreprocess` but no pairs; or the dict of ids.
        training: bool, whether dropout is active.

    Returns:
        `<float32>[B, D]`, even if the encoder computes in half precision; `<float64>` for a
        float64 encoder. Zeros for a row that is all padding.

    Attributes:
        pooling: the settings in use: `mode`, `normalize`, `max_length`, `prompts`, and the name of
            the prompt as `default_prompt`.
        left_out: int, the number of tokens at the beginning of a text that are not pooled.

    Raises:
        ValueError: if the source has no pooling and none is passed; its pooling is not supported;
            there is no such prompt; or an argument is not as described.
        TypeError: if `source` or `preprocess` has a wrong type.
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
                "With stride, texts are split into windows, which can't have a prompt: pass "
                'prompt="".'
            )
        self.build_and_load(None)

    @property
    def prompt(self) -> str:
        """The text of the prompt that is added before each text; empty for none."""
        name = self.pooling.default_prompt
        return "" if name is None else self.pooling.prompts[name]

    def _count_left_out(self) -> int:
        """Returns the number of tokens at the beginning of a text that are not pooled."""
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
        """Returns the vectors of ids before they are normalised, `<float>[B, D]`."""
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
    """Returns texts with the prompt before them, in lower case if the pooling asks for it."""
    from keras_bert_zh.text.prompt import check_single, with_prompt  # It imports TensorFlow.

    check_single(texts)
    lowercase = pooling.lowercase and not preprocess.lowercase
    return with_prompt(texts, prompt, lowercase=lowercase) if prompt or lowercase else texts


def _supported(said: Pooling | None, source: Source) -> Pooling:
    """Returns the pooling of a source, if it is supported."""
    named = "The source" if isinstance(source, Checkpoint | BertEncoder) else f"{source}"
    if said is None:
        raise ValueError(
            f"{named} does not say how to turn a text into a vector. Pass pooling={_CHOICES}."
        )
    if said.unsupported:
        raise ValueError(
            f"{named} computes vectors in a way that SentenceEncoder does not support: "
            f"{', '.join(said.unsupported)}. To train vectors of another kind, pass pooling as "
            f"{' or '.join(map(repr, MODES))}."
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
            f"prompt must be the name of one of the source's prompts: {names}; got {prompt!r}. To "
            "use your own prompt, add it to the texts yourself."
        )
    return dataclasses.replace(pooling, default_prompt=prompt)
