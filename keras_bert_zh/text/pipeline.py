"""The way from strings to the inputs of BERT and back: what `BertPreprocess` stands on."""

from typing import Any

import tensorflow as tf

from keras_bert_zh.text.detokenize import Detokenizer
from keras_bert_zh.text.inputs import Texts, to_texts
from keras_bert_zh.text.packing import are_cut, pack
from keras_bert_zh.text.tokenizer import BertTokenizer
from keras_bert_zh.vocabulary import special_ids


class TextPipeline:
    """Tokenises, packs and detokenises with one vocabulary."""

    def __init__(self, vocabulary: tuple[str, ...], lowercase: bool):
        self.vocabulary = vocabulary
        # Its constants must outlive the graph that may be traced around this call.
        with tf.init_scope(), tf.device("CPU"):
            self._tokenizer = BertTokenizer(vocabulary, lowercase)
            self._detokenizer = Detokenizer(vocabulary)
        ids = special_ids(vocabulary)
        self._packing: dict[str, Any] = {
            "cls_id": ids["[CLS]"],
            "sep_id": ids["[SEP]"],
            "pad_id": ids["[PAD]"],
        }

    def tokenize(self, inputs: Any) -> tf.RaggedTensor | tf.Tensor:
        """See `BertPreprocess.tokenize`."""
        texts = to_texts(inputs)
        if texts.second is not None:
            raise ValueError("tokenize takes single texts; call the layer for pairs.")
        with tf.device("CPU"):
            tokens = self._tokenize(texts.first)
        return tokens[0] if texts.is_scalar else tokens

    def pack(self, inputs: Any, max_length: int) -> dict[str, tf.Tensor]:
        """See the call of `BertPreprocess`."""
        with tf.device("CPU"):
            texts = to_texts(inputs)
            first, second = self._tokenize_both(texts)
            packed = pack(first, second, max_length=max_length, **self._packing)
            if texts.is_scalar:
                packed = {key: value[0] for key, value in packed.items()}
        return packed

    def count_truncated(self, inputs: Any, max_length: int) -> tf.Tensor:
        """See `BertPreprocess.count_truncated`."""
        with tf.device("CPU"):
            tokens = self._tokenize_both(to_texts(inputs))
            return tf.math.count_nonzero(are_cut(*tokens, max_length=max_length))

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

    def _tokenize_both(self, texts: Texts) -> tuple[tf.RaggedTensor, tf.RaggedTensor | None]:
        second = None if texts.second is None else self._tokenize(texts.second)
        return self._tokenize(texts.first), second

    def _tokenize(self, texts: tf.Tensor | tf.RaggedTensor) -> tf.RaggedTensor:
        if isinstance(texts, tf.RaggedTensor):
            words = texts.with_values(self._tokenizer.tokenize(texts.values))
            return words.merge_dims(1, 2)
        return self._tokenizer.tokenize(texts)
