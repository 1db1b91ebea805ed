import os
import time

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

from keras_bert_zh import TrainingState
from tests.process import run_python

RNG = np.random.default_rng(0)
INPUTS, LABELS = RNG.normal(size=(64, 3)).astype("float32"), RNG.normal(size=(64, 1))


def make(rate=0.5, width=5, optimizer=None):
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((3,)),
        keras.layers.Dense(width, "tanh"),
        keras.layers.Dropout(rate, seed=7),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile(optimizer or keras.optimizers.AdamW(0.05), "mse", metrics=["mae"])
    return model


def train(model, state, steps, step=0):
    rows = slice(8 * step, 8 * steps)
    model.fit(INPUTS[rows], LABELS[rows], batch_size=8, shuffle=False, verbose=0, callbacks=[state])


def values(model):
    both = (*model.trainable_variables, *model.optimizer.variables)
    return [keras.ops.convert_to_numpy(variable) for variable in both]


class KilledError(Exception):
    """Stands for the end of the process."""


class KillAfter(keras.callbacks.Callback):
    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 == self.steps:
            raise KilledError


def test_killed_and_resumed_equals_uninterrupted(tmp_path):
    whole = make()
    train(whole, TrainingState(tmp_path / "whole"), 8)

    state = TrainingState(tmp_path / "state", minutes=0)
    with pytest.raises(KilledError):
        make().fit(
            INPUTS,
            LABELS,
            batch_size=8,
            shuffle=False,
            verbose=0,
            callbacks=[state, KillAfter(3)],
        )
    resumed = make()
    assert TrainingState(tmp_path / "state").restore(resumed) == 3
    train(resumed, TrainingState(tmp_path / "state"), 8, step=3)
    for one, other in zip(values(whole), values(resumed), strict=True):
        np.testing.assert_array_equal(one, other)


def test_dropout_goes_on_where_it_was(tmp_path):
    """The seed's state is part of it: the test before would fail without, and here it shows."""
    state, model = TrainingState(tmp_path / "state"), make()
    train(model, state, 3)
    expected = keras.ops.convert_to_numpy(model(INPUTS, training=True))
    fresh = make()
    assert np.abs(keras.ops.convert_to_numpy(fresh(INPUTS, training=True)) - expected).max() > 1e-3
    assert state.restore(fresh) == 3
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(fresh(INPUTS, training=True)), expected
    )


def test_without_a_file_nothing_changes(tmp_path):
    model = make()
    before = [np.array(weight) for weight in model.get_weights()]
    assert TrainingState(tmp_path / "none").restore(model) == 0
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("minutes", "saves"), [(0, [1, 2, 3, 4]), (60, [4])])
def test_it_saves_every_few_minutes_and_at_the_end(tmp_path, minutes, saves):
    steps = []

    class Spy(TrainingState):
        def save(self):
            super().save()
            steps.append(int(self.model.optimizer.iterations))

    train(make(), Spy(tmp_path / "deep" / "state", minutes=minutes), 4)
    assert steps == saves
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["state"]


def test_minutes_pass(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    state = TrainingState(tmp_path / "state", minutes=2)
    state.set_model(make())
    state.on_train_begin()
    now[0] = 119
    state.on_train_batch_end(0)
    assert not state.file.exists()
    now[0] = 120
    state.on_train_batch_end(1)
    assert state.file.exists()


def test_a_save_that_fails_leaves_the_file_before(tmp_path, monkeypatch):
    state, model = TrainingState(tmp_path / "state"), make()
    train(model, state, 2)
    before = (tmp_path / "state").read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        state.save()
    assert (tmp_path / "state").read_bytes() == before


def test_the_state_of_another_model_is_refused_and_changes_nothing(tmp_path):
    state = TrainingState(tmp_path / "state")
    train(make(), state, 1)
    other = make(width=6)
    before = [np.array(weight) for weight in other.get_weights()]
    with pytest.raises(ValueError, match=r"another model or optimiser.*\n.*is \[3, 5\].*\[3, 6\]"):
        state.restore(other)
    for one, after in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, after)
    with pytest.raises(ValueError, match=r"another model or optimiser.*\n  unexpected: optimizer/"):
        state.restore(make(optimizer="sgd"))


def test_a_damaged_file_is_refused(tmp_path):
    state = TrainingState(tmp_path / "state")
    train(make(), state, 1)
    whole = (tmp_path / "state").read_bytes()
    (tmp_path / "state").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=r"state is no state of a training run, or damaged"):
        state.restore(make())


def test_metrics_are_no_part_of_it(tmp_path):
    state = TrainingState(tmp_path / "state")
    train(make(), state, 2)
    model = make()
    state.restore(model)
    train(model, state, 4, step=2)
    assert state.restore(make()) == 4
    assert not [name for name in load_file(tmp_path / "state") if "mae" in name or "total" in name]


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match=r"minutes must be a number from 0 on, got -1"):
        TrainingState(tmp_path / "state", minutes=-1)
    with pytest.raises(ValueError, match=r"has no state yet: compile it"):
        TrainingState(tmp_path / "state").restore(keras.Sequential([keras.layers.Dense(1)]))


def test_under_jax(tmp_path):
    printed = run_python(
        """
        import pathlib, sys
        import keras
        from tests.training import test_state
        test_state.test_killed_and_resumed_equals_uninterrupted(pathlib.Path(sys.argv[1]))
        print(keras.backend.backend())
        """.replace("\n        ", "\n"),
        tmp_path,
        KERAS_BACKEND="jax",
    )
    assert printed.strip() == "jax"
