"""A run that is killed in the middle of an epoch goes on as if nothing had happened."""

import keras
import numpy as np
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess, TrainingState, adamw, shuffled_batches
from tests.conformance.cases import ONE_BLOCK
from tests.training.test_state import KillAfter, KilledError, values

PREPROCESS = BertPreprocess(None, max_length=8)
TEXTS = ["天气很好", "天", "今天下雨", "电影好看", "很好吃", "雨", "好"]
LABELS = [1, 0, 0, 1, 1, 0, 1]
AN_EPOCH, EPOCHS = 3, 2
STEPS = AN_EPOCH * EPOCHS


def prepared(texts, labels):
    tokens = PREPROCESS(texts)
    return {**tokens, "input_ids": tokens["input_ids"] % ONE_BLOCK.vocab_size}, labels


def run(file, *others, averages):
    keras.utils.set_random_seed(1)
    encoder = BertEncoder(None, config=ONE_BLOCK, dropout=0.3)
    model = keras.Sequential([encoder, keras.layers.Dense(2)])
    model(prepared(TEXTS, LABELS)[0])
    optimizer = adamw(0.01, STEPS, layer_decay=0.9, use_ema=averages, ema_momentum=0.7)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    state = TrainingState(file, minutes=0)
    step = state.restore(model)
    while step < STEPS:
        # As docstring and documentation have it.
        left = STEPS - step if averages else AN_EPOCH - step % AN_EPOCH
        batches = shuffled_batches((TEXTS, LABELS), 3, start=step).map(prepared)
        model.fit(batches, steps_per_epoch=left, verbose=0, callbacks=[state, *others])
        step += left
    return model, state


@pytest.mark.slow
@pytest.mark.parametrize("averages", [False, True])
@pytest.mark.usefixtures("eagerly")
def test_killed_in_the_middle_of_an_epoch(tmp_path, averages):
    whole, state = run(tmp_path / "whole", averages=averages)
    assert int(whole.optimizer.iterations) == STEPS
    with pytest.raises(KilledError):
        run(tmp_path / "state", KillAfter(2), averages=averages)
    resumed, _ = run(tmp_path / "state", averages=averages)
    for one, other in zip(values(whole), values(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    # What the file of a finished run holds is what its model is.
    again, _ = run(state.file, averages=averages)
    for one, other in zip(values(whole), values(again), strict=True):
        np.testing.assert_array_equal(one, other)
    if averages:
        moving = whole.optimizer._model_variables_moving_average
        for average, variable in zip(moving, whole.trainable_variables, strict=True):
            np.testing.assert_array_equal(average, variable)
