"""Arguments that are numbers: NumPy's are as good as Python's, and True is none."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import (
    BertConfig,
    BertEncoder,
    BertPreprocess,
    MaskTokens,
    PackedText,
    TrainingState,
    adamw,
    batch_by_length,
)

SIZES = {
    "vocab_size": 30,
    "hidden_size": 12,
    "num_hidden_layers": 1,
    "num_attention_heads": 3,
    "intermediate_size": 17,
    "max_position_embeddings": 9,
    "type_vocab_size": 2,
}
RATES = {
    "hidden_dropout_prob": 0.25,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.5,
    "layer_norm_eps": 0.125,
}
TEXTS = tf.data.Dataset.from_tensor_slices(["好", "很好"])


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(None, max_length=np.int64(16), lowercase=np.True_)


@pytest.fixture(scope="module")
def packed(preprocess, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    (folder / "text.txt").write_text("今天天气很好" * 100, encoding="utf-8")
    length = np.int64(5)
    return PackedText.write(
        [folder / "text.txt"], folder / "rows", preprocess, sequence_length=length
    )


def test_config():
    of_numpy = {name: np.int32(value) for name, value in SIZES.items()}
    of_numpy |= {name: np.float32(value) for name, value in RATES.items()}
    config = BertConfig(**of_numpy)
    assert config == BertConfig(**SIZES, **RATES)
    assert BertConfig.from_json(config.to_json()) == config
    types = {type(value) for value in dataclasses.asdict(config).values()}
    assert types == {int, float, str}
    assert BertConfig(hidden_dropout_prob=np.int64(0)).hidden_dropout_prob == 0


@pytest.mark.parametrize("name", [*SIZES, *RATES])
def test_config_takes_no_bool(name):
    for value in (True, np.True_):
        with pytest.raises(ValueError, match=rf"{name} must be .*, got (np\.)?True"):
            BertConfig(**{name: value})


def test_configs_of_layers_are_json(preprocess):
    encoder = BertEncoder(None, config=BertConfig(**SIZES), dropout=np.float64(0.5))
    for layer in (preprocess, encoder):
        assert json.loads(json.dumps(layer.get_config())) == layer.get_config()
    assert (preprocess.max_length, type(preprocess.max_length)) == (16, int)
    assert encoder.config.hidden_dropout_prob == 0.5


def test_training(preprocess, packed, tmp_path):
    assert packed.sequence_length == 5
    batches = packed.batches(np.int64(2), seed=np.int8(3), start=np.uint8(1), count=np.int64(2))
    assert [int(step) for _, step in batches] == [1, 2]
    mask = MaskTokens(
        preprocess, rate=np.float32(0.5), max_predictions=np.int64(3), seed=np.int64(7)
    )
    (inputs, *_), *_ = batches.map(mask)
    assert inputs["mlm_positions"].shape == (2, 3)
    assert TrainingState(tmp_path / "state", np.float32(0.5)).minutes == 0.5
    assert len(list(batch_by_length(TEXTS, preprocess, np.int64(1)))) == 2


def test_optimiser():
    floats = {"learning_rate": 0.5, "warmup": 0.25, "weight_decay": 0.125, "clipnorm": 2.0}
    ints = {"steps": 8, "gradient_accumulation_steps": 2}
    of_numpy = {name: np.float32(value) for name, value in floats.items()}
    of_numpy |= {name: np.int64(value) for name, value in ints.items()}
    ours, theirs = adamw(**of_numpy).get_config(), adamw(**floats, **ints).get_config()
    assert json.loads(json.dumps(ours | {"name": ""})) == theirs | {"name": ""}


@pytest.mark.parametrize("value", [True, "1", None])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("max_length", lambda preprocess, value: BertPreprocess(None, max_length=value)),
        ("batch_size", lambda preprocess, value: batch_by_length(TEXTS, preprocess, value)),
        (
            "lengths",
            lambda preprocess, value: batch_by_length(TEXTS, preprocess, 2, lengths=[value, 16]),
        ),
        ("minutes", lambda preprocess, value: TrainingState("state", value)),
        ("learning_rate", lambda preprocess, value: adamw(value, 10)),
        ("steps", lambda preprocess, value: adamw(1e-3, value)),
        ("weight_decay", lambda preprocess, value: adamw(1e-3, 10, weight_decay=value)),
        ("rate", lambda preprocess, value: MaskTokens(preprocess, rate=value)),
        ("seed", lambda preprocess, value: MaskTokens(preprocess, seed=value)),
    ],
)
def test_no_bools_and_nothing_else(preprocess, name, make, value):
    with pytest.raises(ValueError, match=f"{name} must be .*, got .*{value}"):
        make(preprocess, value)


@pytest.mark.parametrize("name", ["learning_rate", "weight_decay", "clipnorm"])
def test_numbers_of_the_optimiser_are_not_negative(name):
    with pytest.raises(ValueError, match=f"{name} must be a number from 0 on, got -1"):
        adamw(**({"learning_rate": 1e-3, "steps": 10} | {name: -1}))
