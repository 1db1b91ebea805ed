"""Models that are exported."""

import keras

from keras_bert_zh import (
    BertConfig,
    BertEncoder,
    BertPreprocess,
    ExportedModel,
    export_model,
)
from tests.conformance.cases import ONE_BLOCK
from tests.encoder.common import randomized

TEXTS = ["今天天气很好", "Keras，好", ""]


def encoder_of(**kwargs):
    return randomized(BertEncoder(None, config=ONE_BLOCK, **kwargs))


def classifier(*inputs):
    config = BertConfig(hidden_size=12, num_hidden_layers=1, num_attention_heads=3)
    encoder = randomized(BertEncoder(None, config=config), scale=0.1)
    layers = [BertPreprocess(None, max_length=9), encoder, keras.layers.Dense(2)]
    if not inputs:
        return keras.Sequential(layers)
    hidden = inputs if len(inputs) > 1 else inputs[0]
    for layer in layers:
        hidden = layer(hidden)
    return keras.Model(list(inputs), hidden)


def exported(model, folder, format="savedmodel", **kwargs):
    """The model from a folder, run by the engine of the format."""
    return ExportedModel(export_model(model, folder, format, overwrite=True, **kwargs))
