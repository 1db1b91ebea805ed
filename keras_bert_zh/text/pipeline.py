"""Converts strings to the inputs of BERT and back: the implementation of `BertPreprocess`."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_bert_zh.text.detokenize import Detokenizer
from keras_bert_zh.text.inputs import Texts, some_rows, to_texts
from keras_bert_zh.text.offsets import OffsetTokenizer, rows_of
from keras_bert_zh.text.packing import Beside, left_out, pack
from keras_bert_zh.text.special_tokens import SpecialTokens
from keras_bert_zh.text.tokenizer import BertTokenizer
from keras_bert_zh.text.windows import Columns, most_of_question, to_windows
from keras_bert_zh.vocabulary import special_ids

# What special tokens and padding have.
_FILLS = {"starts": 0, "ends": 0, "word_ids": -1, "is_max_context": 0}


@functools.lru_cache(maxsize=8)
def text_pipeline(
    vocabulary: tuple[str, ...], lowercase: bool, special_tokens_in_text: bool
) -> "TextPipeline":
    """Returns a pipeline. Layers with the same vocabulary share it, as it takes 0.1 s to create.

    Args:
        vocabulary, lowercase, special_tokens_in_text: as for `TextPipeline`.
    """
    return TextPipeline(vocabulary, lowercase, special_tokens_in_text)


class TextPipeline:
    """Tokenises, packs and detokenises with one vocabulary. It is immutable."""

    def __init__(
        self, vocabulary: tuple[str, ...], lowercase: bool, special_tokens_in_text: bool = False
    ):
        self.vocabulary = vocabulary
        # Its constants must outlive the graph that may be traced around this call.
        with tf.init_scope(), tf.device("CPU"):
            self._tokenizer = BertTokenizer(vocabulary, lowercase)
            self._offsets = OffsetTokenizer(self._tokenizer, vocabulary)
            self._detokenizer = Detokenizer(vocabulary)
        ids = special_ids(vocabulary)
        self._special = SpecialTokens(ids) if special_tokens_in_text else None
        self._packing: dict[str, Any] = {
            "cls_id": ids["[CLS]"],
            "sep_id": ids["[SEP]"],
            "pad_id": ids["[PAD]"],
        }

    def tokenize(self, inputs: Any, unit: str | None = None) -> Any:
        """See `BertPreprocess.tokenize`; `unit` is the unit of the offsets."""
        texts = to_texts(inputs)
        if texts.second is not None:
            raise ValueError("tokenize takes single texts, got pairs: call the layer for pairs.")
        with tf.device("CPU"):
            tokens = self._tokenize(texts.first, unit)
        found = tuple(column[0] if texts.is_scalar else column for column in tokens.values())
        return found if unit else found[0]

    def pack(
        self,
        inputs: Any,
        max_length: int,
        unit: str | None = None,
        word_ids: bool = False,
        tell: Callable[[tf.Tensor], None] | None = None,
    ) -> dict[str, tf.Tensor]:
        """See the call of `BertPreprocess`.

        Args:
            inputs, max_length, word_ids: as in `BertPreprocess`.
            unit: the unit of the offsets.
            tell: called with the result of `count_truncated`, outside graphs.
        """
        with tf.device("CPU"):
            texts = to_texts(inputs, split=word_ids)
            both = self._tokenize_both(texts, unit, word_ids)
            packed = self._pack(*both, max_length)
            if tell is not None and tf.executing_eagerly():
                tell(_cuts(*both, max_length))
            if texts.is_scalar:
                packed = {key: value[0] for key, value in packed.items()}
        return packed

    def windows(
        self,
        inputs: Any,
        max_length: int,
        stride: int,
        *,
        unit: str | None,
        word_ids: bool,
        tell: Callable[[tf.Tensor], None] | None,
    ) -> dict[str, tf.Tensor]:
        """See `BertPreprocess.windows`; `unit` and `tell` are as for `pack`.

        For pairs, only first texts can be cut.
        """
        with tf.device("CPU"):
            texts = to_texts(inputs, split=word_ids)
            if texts.second is not None and max_length < 4:
                raise ValueError(f"Windows of pairs need max_length=4 or more, got {max_length}.")
            both = self._tokenize_both(texts, unit, word_ids)
            first, second, text_ids = to_windows(*both, max_length=max_length, stride=stride)
            if second and tell is not None and tf.executing_eagerly():
                tell(_lost(both[0]["ids"].row_lengths() - most_of_question(max_length)))
            packed = self._pack(first, second, max_length)
            is_max = packed["is_max_context"] > 0
        return {**packed, "text_ids": text_ids, "is_max_context": is_max}

    def count_truncated(
        self, inputs: Any, max_length: int, word_ids: bool = False, most: int | None = None
    ) -> tf.Tensor:
        """Returns the numbers of cut texts, of tokens left out, and of all texts, `<int32>[3]`.

        Args:
            inputs, max_length, word_ids: as for the call of `BertPreprocess`.
            most: the number of texts to check; `None` for all.
        """
        with tf.device("CPU"):
            some = inputs if most is None else some_rows(inputs, most)
            texts = to_texts(some, split=word_ids)
            return self._count(texts, max_length)

    @functools.cached_property
    def _count(self) -> Callable[[Texts, int], tf.Tensor]:
        # As a graph it takes a fraction of the time for a few texts.
        return tf.function(
            lambda texts, max_length: _cuts(*self._tokenize_both(texts), max_length),
            autograph=False,
            reduce_retracing=True,
        )

    def detokenize(self, ids: Any) -> tf.Tensor:
        """See `BertPreprocess.detokenize`."""
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.convert_to_tensor(ids)
        if not ids.dtype.is_integer:
            raise TypeError(f"ids must be integers, got dtype {ids.dtype.name}.")
        rank = ids.shape.rank
        if rank not in (1, 2):
            raise ValueError(f"ids must have shape [tokens] or [batch, tokens], got {ids.shape}.")
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(ids[None] if rank == 1 else ids)
        with tf.device("CPU"):
            text = self._detokenizer.detokenize(ids)
        return text[0] if rank == 1 else text

    def _pack(self, first: Columns, second: Columns, max_length: int) -> dict[str, tf.Tensor]:
        beside = {
            name: Beside(first[name], second.get(name), fill)
            for name, fill in _FILLS.items()
            if name in first
        }
        return pack(
            first["ids"],
            second.get("ids"),
            max_length=max_length,
            beside=beside,
            **self._packing,
        )

    def _tokenize_both(
        self, texts: Texts, unit: str | None = None, word_ids: bool = False
    ) -> tuple[Columns, Columns]:
        """Returns the tokens of the first texts, and of the second texts if there are any."""
        second = {} if texts.second is None else self._tokenize(texts.second, unit, word_ids)
        return self._tokenize(texts.first, unit, word_ids), second

    def _tokenize(
        self, texts: tf.Tensor | tf.RaggedTensor, unit: str | None, word_ids: bool = False
    ) -> Columns:
        if isinstance(texts, tf.RaggedTensor):
            of_words = self._tokenize(texts.values, unit)
            if word_ids:
                tokens = of_words["ids"]
                places = tf.ragged.range(tf.cast(texts.row_lengths(), tf.int32)).values
                of_words["word_ids"] = tokens.with_values(tf.gather(places, rows_of(tokens)))
            return {
                name: texts.with_values(column).merge_dims(1, 2)
                for name, column in of_words.items()
            }
        if self._special:
            return self._special.tokenize(texts, unit, self._tokenize_text)
        return self._tokenize_text(texts, unit)

    def _tokenize_text(self, texts: tf.Tensor, unit: str | None) -> Columns:
        if unit is None:
            return {"ids": self._tokenizer.tokenize(texts)}
        return self._offsets.tokenize(texts, unit)._asdict()


def _cuts(first: Columns, second: Columns, max_length: int) -> tf.Tensor:
    return _lost(left_out(first["ids"], second.get("ids"), max_length=max_length))


def _lost(tokens: tf.Tensor) -> tf.Tensor:
    lost = tf.cast(tf.maximum(tokens, 0), tf.int32)
    cut = tf.math.count_nonzero(lost, dtype=tf.int32)
    return tf.stack([cut, tf.reduce_sum(lost), tf.size(lost)])
