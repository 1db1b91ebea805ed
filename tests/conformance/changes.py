"""What users do to a layer after it was made, each once."""

import keras

from keras_bert_zh.layers.dense import Dense
from keras_bert_zh.layers.dropout import Dropout
from keras_bert_zh.layers.embedding_table import EmbeddingTable
from keras_bert_zh.layers.transformer_block import TransformerBlock


def _all(layer, kind):
    return [part for part in layer._flatten_layers() if isinstance(part, kind)]


def _first(layer, kind):
    return _all(layer, kind)[:1]


def freeze_one(layer):
    for part in _first(layer, (Dense, EmbeddingTable)):
        part.trainable = False


def train_one(layer):
    layer.trainable = False
    for part in _all(layer, (Dense, EmbeddingTable))[-1:]:
        part.trainable = True


def half_precision(layer):
    """One block, or all of a layer that has none."""
    block = (_first(layer, TransformerBlock) or [layer])[0]
    for part in block._flatten_layers():
        part.dtype_policy = "bfloat16"


def lora(layer):
    for part in _all(layer, (Dense, EmbeddingTable)):
        part.enable_lora(2, lora_alpha=3)
        for factor in part._factors():
            factor.assign(keras.random.normal(factor.shape, stddev=0.1, seed=factor.shape[0]))


def dropout(layer):
    for index, part in enumerate(_all(layer, Dropout)):
        part.rate = 0.1 + 0.01 * index


def quantize(mode, config=None):
    def change(layer):
        kinds = Dense if mode == "float8" else (Dense, EmbeddingTable)
        for part in _all(layer, kinds):
            part.quantize(mode, config=config)

    return change


def freeze_and_thaw(layer):
    layer.trainable = False
    layer.trainable = True


def in_turn(*changes):
    def change(layer):
        for each in changes:
            each(layer)

    return change


BLOCKS_OF_4 = keras.quantizers.Int4QuantizationConfig(block_size=4)

CHANGES = {
    "freeze_one": freeze_one,
    "train_one": train_one,
    "half_precision": half_precision,
    "dropout": dropout,
    "lora": lora,
    "lora_frozen_and_thawed": in_turn(
        lora,
        lambda layer: setattr(layer, "trainable", False),
        lambda layer: setattr(layer, "trainable", True),
    ),
    "int8": quantize("int8"),
    "int4": quantize("int4"),
    "int4_blocks": quantize(None, BLOCKS_OF_4),
    "float8": quantize("float8"),
    "int8_lora": in_turn(quantize("int8"), lora),
    "lora_int4": in_turn(lora, quantize("int4"), freeze_one),
}
