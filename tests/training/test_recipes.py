"""Recipes of Keras's own, with the models of this package."""

import keras
import numpy as np
import pytest

from keras_bert_zh import BertEncoder, TextClassifier, TokenTagger, adamw
from tests.conformance.cases import INPUTS, ONE_BLOCK

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
LABELS = np.array([0, 1, 1])


def make(head=TextClassifier, seed=3):
    keras.utils.set_random_seed(seed)
    return head(BertEncoder(None, config=ONE_BLOCK, dropout=0.0), ["a", "b"], dropout=0.0)


def add_lora(model):
    """As docs/fine_tuning.md has it."""
    model.encoder.trainable = False
    for block in model.encoder.blocks:
        for dense in (block.attention.query, block.attention.value):
            dense.trainable = True
            dense.enable_lora(2)


@pytest.mark.usefixtures("eagerly")
def test_lora_trains_its_factors_and_the_head(tmp_path):
    model = make()
    add_lora(model)
    trained = [variable.path.split("/", 1)[1] for variable in model.trainable_variables]
    factors = ("bias", "lora_kernel_a", "lora_kernel_b")
    assert trained == [
        *(f"block_0/attention/{part}/{name}" for part in ("query", "value") for name in factors),
        "classifier/kernel",
        "classifier/bias",
    ]
    frozen = model.non_trainable_weights
    before = [np.array(variable) for variable in frozen]
    model.compile(adamw(0.1, 10, warmup=0, layer_decay=0.9), LOSS)
    model.train_on_batch(INPUTS, LABELS)
    for variable, value in zip(frozen, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert np.abs(model.encoder.blocks[0].attention.query.lora_kernel_b).max() > 1e-3

    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert len(again.trainable_variables) == len(trained)
    np.testing.assert_array_equal(again(INPUTS), model(INPUTS))
    model.save_weights(tmp_path / "model.weights.h5")
    merged = make(seed=5)
    merged.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(merged(INPUTS), model(INPUTS), atol=1e-5)


@pytest.mark.parametrize("head", [TextClassifier, TokenTagger])
@pytest.mark.usefixtures("eagerly")
def test_accumulated_batches_are_one(head):
    """Of texts of one length, or a mean over tokens would weigh texts apart."""
    ids = np.random.default_rng(0).integers(5, 50, (4, 6))
    labels = np.arange(4) % 2 if head is TextClassifier else ids % 2
    found = []
    for size in (4, 1):
        model = make(head)
        together = None if size == 4 else 4
        optimizer = adamw(0.1, 8 // size, warmup=0, gradient_accumulation_steps=together)
        model.compile(optimizer, LOSS)
        for start in range(0, 4, size):
            rows = slice(start, start + size)
            model.train_on_batch({"input_ids": ids[rows]}, labels[rows])
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)
    assert int(optimizer.iterations) == 1
