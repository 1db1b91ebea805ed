"""Every layer of the package once, with what to call it with."""

import dataclasses
import inspect
import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any

import keras
import numpy as np

import keras_bert_zh
from keras_bert_zh import (
    CRF,
    FGM,
    BertConfig,
    BertEncoder,
    BertPreprocess,
    MaskedLM,
    RDrop,
    SentenceEncoder,
    SpanReader,
    TextClassifier,
    TokenTagger,
    TwoTowers,
)
from keras_bert_zh.heads.masked_lm_head import MaskedLMHead
from keras_bert_zh.layers.attention import SelfAttention
from keras_bert_zh.layers.dense import Dense
from keras_bert_zh.layers.dropout import Dropout
from keras_bert_zh.layers.embedding_table import EmbeddingTable
from keras_bert_zh.layers.embeddings import BertEmbeddings
from keras_bert_zh.layers.feed_forward import FeedForward
from keras_bert_zh.layers.normalization import LayerNorm
from keras_bert_zh.layers.pooler import Pooler
from keras_bert_zh.layers.transformer_block import TransformerBlock
from keras_bert_zh.layers.with_mask import WithMask


@dataclasses.dataclass(frozen=True)
class Case:
    """One layer, or one way to make it.

    Attributes:
        make: makes the layer; takes the keyword arguments of every Keras layer.
        arguments: the call arguments, arrays or structures of them.
        takes_strings: whether it runs outside XLA and has nothing to train.
        part_of_the_loss: the name of a layer in it that outputs do not depend on.
    """

    make: Callable[..., keras.layers.Layer]
    arguments: tuple[Any, ...]
    takes_strings: bool = False
    part_of_the_loss: str | None = None


CONFIG = BertConfig(
    vocab_size=53,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=17,
    max_position_embeddings=11,
)
ONE_BLOCK = dataclasses.replace(CONFIG, num_hidden_layers=1)
ERNIE = dataclasses.replace(
    ONE_BLOCK, model_type="ernie", type_vocab_size=4, task_type_vocab_size=3
)
ELECTRA = dataclasses.replace(ONE_BLOCK, model_type="electra", embedding_size=5)
_RNG = np.random.default_rng(0)
HIDDEN = _RNG.normal(size=(3, 7, 12)).astype("float32")
MASK = np.array([[1] * 7, [1, 1, 1, 0, 0, 0, 0], [1, 0, 1, 1, 0, 1, 0]], "int32")
IDS = _RNG.integers(0, 53, (3, 7)).astype("int32")
SEGMENTS = _RNG.integers(0, 2, (3, 7)).astype("int32")
TASKS = _RNG.integers(0, 3, (3, 7)).astype("int32")
INPUTS = {"input_ids": IDS, "input_mask": MASK, "segment_ids": SEGMENTS}
RULES = _RNG.integers(0, 2, (13, 13)) > 0
POSITIONS = np.array([[0, 3], [2, 2], [6, 1]], "int32")
# As many rows as there are texts, since `predict` slices them alike.
TABLE = _RNG.normal(0, 0.1, size=(3, 12)).astype("float32")
TEXTS = np.array(["今天天气很好", "", "Keras，坏\0了 [CLS]"], dtype=object)


def _encoder(dtype, config=ONE_BLOCK):
    return BertEncoder(None, config=config, dropout=0.0, dtype=dtype)


def _classifier(dtype):
    return TextClassifier(_encoder(dtype), ["a", "b", "c"], dropout=0.0)


CASES = {
    BertPreprocess: Case(
        lambda **kwargs: BertPreprocess(None, max_length=9, **kwargs), (TEXTS,), takes_strings=True
    ),
    BertEncoder: Case(
        lambda **kwargs: BertEncoder(None, config=CONFIG, dropout=0.0, **kwargs), (INPUTS,)
    ),
    BertEmbeddings: Case(
        lambda **kwargs: BertEmbeddings(
            vocab_size=53, max_positions=11, type_vocab_size=2, hidden_size=12, dropout=0, **kwargs
        ),
        (IDS, SEGMENTS),
    ),
    SelfAttention: Case(
        lambda **kwargs: SelfAttention(num_heads=3, hidden_size=12, dropout=0, **kwargs),
        (HIDDEN, MASK),
    ),
    FeedForward: Case(
        lambda **kwargs: FeedForward(intermediate_size=17, hidden_size=12, **kwargs), (HIDDEN,)
    ),
    TransformerBlock: Case(
        lambda **kwargs: TransformerBlock(
            num_heads=3,
            hidden_size=12,
            intermediate_size=17,
            dropout=0,
            attention_dropout=0,
            **kwargs,
        ),
        (HIDDEN, MASK),
    ),
    Dense: Case(lambda **kwargs: Dense(5, **kwargs), (HIDDEN,)),
    EmbeddingTable: Case(lambda **kwargs: EmbeddingTable(53, 12, **kwargs), (IDS,)),
    LayerNorm: Case(lambda **kwargs: LayerNorm(epsilon=1e-12, **kwargs), (HIDDEN,)),
    # One that drops nothing: its random numbers depend on the route.
    Dropout: Case(lambda **kwargs: Dropout(0.0, **kwargs), (HIDDEN,)),
    Pooler: Case(lambda **kwargs: Pooler(hidden_size=12, **kwargs), (HIDDEN[:, 0],)),
    MaskedLM: Case(
        lambda dtype=None, **kwargs: MaskedLM(
            _encoder(dtype, CONFIG), next_sentence=True, **kwargs
        ),
        (INPUTS | {"mlm_positions": POSITIONS},),
    ),
    SentenceEncoder: Case(
        lambda dtype=None, **kwargs: SentenceEncoder(
            _encoder(dtype), "mean", normalize=True, **kwargs
        ),
        (INPUTS,),
    ),
    TwoTowers: Case(
        lambda dtype=None, **kwargs: TwoTowers(SentenceEncoder(_encoder(dtype), "mean"), **kwargs),
        ((INPUTS, {"input_ids": IDS[:, :5]}),),
    ),
    MaskedLMHead: Case(
        lambda **kwargs: MaskedLMHead(vocab_size=3, hidden_size=12, **kwargs),
        (HIDDEN, POSITIONS, TABLE),
    ),
    TextClassifier: Case(
        lambda dtype=None, **kwargs: TextClassifier(
            _encoder(dtype), ["a", "b", "c"], dropout=0.0, **kwargs
        ),
        (INPUTS,),
    ),
    TokenTagger: Case(
        lambda dtype=None, **kwargs: TokenTagger(
            _encoder(dtype), ["a", "b", "c", "d"], dropout=0.0, **kwargs
        ),
        (INPUTS,),
    ),
    SpanReader: Case(lambda dtype=None, **kwargs: SpanReader(_encoder(dtype), **kwargs), (INPUTS,)),
    CRF: Case(lambda **kwargs: CRF(12, RULES, **kwargs), (HIDDEN, MASK)),
    WithMask: Case(WithMask, ((HIDDEN, MASK),)),
    **{
        cls: Case(
            lambda dtype=None, cls=cls, **kwargs: cls(_classifier(dtype), **kwargs), (INPUTS,)
        )
        for cls in (RDrop, FGM)
    },
}

# And some of them with more to return, or as ERNIE and ELECTRA have them.
ALL_CASES = {
    **{cls.__name__: case for cls, case in CASES.items()},
    "offsets": Case(
        lambda **kwargs: BertPreprocess(None, max_length=9, offsets="bytes", **kwargs),
        (TEXTS,),
        takes_strings=True,
    ),
    "ERNIE": Case(
        lambda **kwargs: BertEncoder(None, config=ERNIE, dropout=0.0, **kwargs),
        (INPUTS | {"task_type_ids": TASKS},),
    ),
    "ELECTRA": Case(
        lambda **kwargs: BertEncoder(None, config=ELECTRA, dropout=0.0, **kwargs), (INPUTS,)
    ),
    "TokenTagger with a CRF": Case(
        lambda dtype=None, **kwargs: TokenTagger(
            _encoder(dtype), ["O", "B", "I"], crf=True, dropout=0.0, **kwargs
        ),
        (INPUTS,),
        part_of_the_loss="crf",
    ),
}


def layers_of_the_package() -> set[type]:
    """Returns every Keras layer that a module of the package defines."""
    names = [
        module.name for module in pkgutil.walk_packages(keras_bert_zh.__path__, "keras_bert_zh.")
    ]
    return {
        member
        for name in names
        for _, member in inspect.getmembers(import_module(name), inspect.isclass)
        if issubclass(member, keras.layers.Layer) and member.__module__ == name
    }
