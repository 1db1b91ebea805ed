"""An encoder whose pooled output nobody asks for does not train its pooler."""

import keras
import numpy as np
import pytest

from keras_bert_zh import BertEncoder, MaskedLM
from tests.conformance.cases import CONFIG, INPUTS

LABELS = np.zeros((3, 7), "int32")


def token_encoder(**kwargs):
    return BertEncoder(None, config=CONFIG, output_key="sequence_output", **kwargs)


def trained(encoder):
    return {v.path.split("/")[1] for v in encoder.trainable_variables}


def symbolic():
    return {name: keras.Input((None,), dtype="int32", name=name) for name in INPUTS}


def token_model(encoder):
    inputs = symbolic()
    model = keras.Model(inputs, keras.layers.Dense(2)(encoder(inputs)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-3), loss, run_eagerly=True)
    return model


@pytest.mark.filterwarnings("error:Gradients do not exist")
def test_fit_of_a_token_task_has_nothing_to_warn_of():
    encoder = token_encoder()
    model = token_model(encoder)
    encoder.trainable = False
    model.compile(model.optimizer, model.loss, run_eagerly=True)
    model.fit(INPUTS, LABELS, verbose=0)
    model.trainable = True
    encoder.freeze_layers(1)
    model = token_model(encoder)
    model.fit(INPUTS, LABELS, verbose=0)
    assert trained(encoder) == {"block_1"}


@pytest.mark.filterwarnings("error:Gradients do not exist")
@pytest.mark.parametrize(
    "change",
    [
        lambda dense: dense.enable_lora(2),
        lambda dense: dense.quantize("float8"),
    ],
)
def test_what_it_is_given_later_rests_too(change):
    encoder = token_encoder()
    change(encoder.pooler.dense)
    MaskedLM(encoder)(INPUTS, training=True)  # It asks for the sequence alone.
    MaskedLM(encoder)(symbolic())
    token_model(encoder).fit(INPUTS, LABELS, verbose=0)
    again = BertEncoder.from_config(encoder.get_config())
    assert len(again.trainable_variables) == len(encoder.trainable_variables)
    assert "pooler" not in trained(again)


def test_it_is_trained_where_it_is_asked_for():
    in_functional_model, in_call, in_heads = (token_encoder() for _ in range(3))
    inputs = symbolic()
    keras.Model(inputs, in_functional_model(inputs, as_dict=True)["pooled_output"])
    in_call(INPUTS, as_dict=True)
    assert "pooler" not in trained(in_call)
    in_call(INPUTS, as_dict=True, training=True)
    MaskedLM(in_heads, next_sentence=True)
    plain = BertEncoder(None, config=CONFIG)
    for encoder in (in_functional_model, in_call, in_heads, plain):
        assert trained(encoder) == {"embeddings", "block_0", "block_1", "pooler"}
        encoder.trainable = True
        assert "pooler" in trained(encoder)


@pytest.mark.filterwarnings("error:Gradients do not exist")
def test_a_masked_lm_takes_it_out_of_any_encoder():
    encoder = BertEncoder(None, config=CONFIG)
    model = MaskedLM(encoder)
    assert "pooler" not in trained(encoder)
    again = BertEncoder.from_config(encoder.get_config())
    assert "pooler" not in trained(again)
    labels, inputs = LABELS[:, :2], INPUTS | {"mlm_positions": np.zeros((3, 2), "int32")}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    outer = keras.Sequential([model])  # Inside of another model, too.
    for compiled in (model, outer):
        compiled.compile("sgd", loss, run_eagerly=True)
        compiled.fit(inputs, labels, verbose=0)
    for asked in (encoder, again):
        keras.Sequential([asked, keras.layers.Dense(2)])(INPUTS)
        asked(INPUTS, training=True)
        assert "pooler" in trained(asked)


def test_a_masked_lm_comes_back_with_a_pooler_as_it_was():
    model = MaskedLM(BertEncoder(None, config=CONFIG))
    for trains in (False, True):
        model.encoder.train_pooler(trains)
        again = MaskedLM.from_config(model.get_config())
        assert again.encoder.pooler.trainable is trains
        assert again.get_config() == model.get_config()
    both = MaskedLM(BertEncoder(None, config=CONFIG), next_sentence=True)
    both.encoder.train_pooler(False)
    assert MaskedLM.from_config(both.get_config()).get_config() == both.get_config()
    model.encoder.pooler.trainable = False  # By hand: no call wakes it.
    MaskedLM(model.encoder)
    model.encoder(INPUTS, training=True)
    assert "pooler" not in trained(model.encoder)


def test_one_output_whatever_its_own():
    encoder = BertEncoder(None, config=CONFIG)
    outputs = encoder(INPUTS, as_dict=True)
    for key in ("pooled_output", "sequence_output"):
        np.testing.assert_allclose(encoder(INPUTS, output_key=key), outputs[key], atol=1e-6)
        spec = encoder.compute_output_spec(symbolic(), output_key=key)
        assert spec.shape[1:] == outputs[key].shape[1:] or spec.shape[1] is None
    with pytest.raises(ValueError, match="output_key must be 'pooled_output' or 'sequence_output'"):
        encoder(INPUTS, output_key="pooled")


def test_it_can_be_frozen_by_hand():
    encoder = token_encoder()
    encoder.train_pooler()
    encoder.pooler.trainable = False
    encoder.train_pooler()
    assert "pooler" not in trained(encoder)


def test_it_comes_back_as_it_was():
    def frozen_by_hand(encoder):
        encoder.train_pooler()
        encoder.pooler.trainable = False

    def frozen_and_asked_for(encoder):
        encoder.train_pooler()
        encoder.trainable = False

    changes = (lambda e: None, BertEncoder.train_pooler, lambda e: e.freeze_layers(2))
    for change in (*changes, frozen_by_hand, frozen_and_asked_for):
        encoder = token_encoder()
        change(encoder)
        again = BertEncoder.from_config(encoder.get_config())
        assert trained(again) == trained(encoder)
        assert again.get_config() == encoder.get_config()
        encoder.trainable = again.trainable = True
        assert trained(again) == trained(encoder)


@pytest.mark.parametrize("count", [True, 1.0, 3, -1])
def test_numbers_of_layers_to_freeze(count):
    encoder = token_encoder()
    encoder.freeze_layers(np.int64(1))
    with pytest.raises(ValueError, match="freeze_layers takes a number of blocks from 0 to 2"):
        encoder.freeze_layers(count)
