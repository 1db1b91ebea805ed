import re
import textwrap
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

from keras_bert_zh import TrainingState, adamw
from tests.process import run_python
from tests.training.runs import INPUTS, LABELS, make, train

# How they are made, and how many updates they make of 7 batches, the second of which is infinite.
OPTIMIZERS = {
    "plain": (lambda: keras.optimizers.AdamW(0.05), 7),
    "accumulating": (lambda: adamw(0.05, 16, warmup=0, gradient_accumulation_steps=4), 1),
    "skipping": (lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.AdamW(0.05)), 6),
}


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


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_killed_and_resumed_equals_uninterrupted(tmp_path, name):
    make_optimizer, updates = OPTIMIZERS[name]
    labels = LABELS.copy()
    if name == "skipping":
        labels[8:16] = np.inf
    whole = make(optimizer=make_optimizer())
    train(whole, TrainingState(tmp_path / "whole"), steps=7, labels=labels)
    assert int(whole.optimizer.iterations) == updates

    state, killed = TrainingState(tmp_path / "state", minutes=0), make(optimizer=make_optimizer())
    with pytest.raises(KilledError):
        train(killed, state, KillAfter(3), steps=7, labels=labels)
    resumed, state = make(optimizer=make_optimizer()), TrainingState(tmp_path / "state")
    assert state.restore(resumed) == 3
    train(resumed, state, steps=7, step=3, labels=labels)
    for one, other in zip(values(whole), values(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.isfinite(values(whole)[0]).all()
    assert TrainingState(tmp_path / "state").restore(make(optimizer=make_optimizer())) == 7


def test_a_finished_run_that_is_started_again_does_nothing(tmp_path):
    """As the docstring shows it."""
    tf = pytest.importorskip("tensorflow")
    shown = re.search(r"\n\n( {8}step = .*?)\n\n", TrainingState.__doc__, re.DOTALL)[1]
    batches = tf.data.Dataset.from_tensor_slices((INPUTS, LABELS)).batch(8).repeat()
    trained = []
    for _ in range(2):
        model = make()
        names = {
            "model": model,
            "state": TrainingState(tmp_path / "state"),
            "steps": 4,
            # Without end for `fit`, but not for this test.
            "packed": SimpleNamespace(batches=lambda size, start: batches.skip(start).take(20)),
            "mask": lambda *batch: batch,
        }
        exec(textwrap.dedent(shown), names)
        trained.append((names["step"], int(model.optimizer.iterations)))
        assert TrainingState(tmp_path / "state").restore(make()) == 4
    assert trained == [(0, 4), (4, 4)]


def test_batches_are_counted_through_all_calls_of_fit(tmp_path):
    """The end of each is saved, also if the optimiser made no update since the one before."""
    optimizer = keras.optimizers.AdamW(gradient_accumulation_steps=4)
    state, model = TrainingState(tmp_path / "state"), make(optimizer=optimizer)
    counts = []
    for step, steps in ((0, 4), (4, 7), (7, 8)):
        train(model, state, step=step, steps=steps)
        counts.append(int(load_file(state.file)["batches"]))
    assert counts == [4, 7, 8]


def test_another_run_with_the_same_object_is_saved(tmp_path):
    state = TrainingState(tmp_path / "state")
    for _ in range(2):
        model = make()
        assert state.restore(model) == 0
        train(model, state, steps=4)
        assert load_file(state.file)["batches"] == 4
        state.file.unlink()


def test_batches_that_keras_runs_together_are_counted(tmp_path):
    counts = []

    class Spy(TrainingState):
        def save(self):
            super().save()
            counts.append((int(load_file(self.file)["batches"]), int(model.optimizer.iterations)))

    model = make(together=3)
    state = Spy(tmp_path / "state", minutes=0)
    train(model, state, steps=6)
    train(model, state, steps=3)
    assert counts == [(3, 3), (6, 6), (6, 6), (9, 9), (9, 9)]


@pytest.mark.parametrize(("known", "number"), [(True, "8"), (False, "an unknown number")])
def test_batches_that_can_not_be_counted_are_refused(tmp_path, known, number):
    """Keras says that 3 were run in the end, when there were 2."""
    tf = pytest.importorskip("tensorflow")
    batches = tf.data.Dataset.from_tensor_slices((INPUTS, LABELS)).batch(8)
    batches = batches if known else batches.filter(lambda *_: True)
    state, model = TrainingState(tmp_path / "state"), make(together=3)
    with pytest.raises(ValueError, match=rf"steps_per_execution=3, .* multiple of 3, got {number}"):
        model.fit(batches, verbose=0, callbacks=[state])
    assert int(model.optimizer.iterations) == 0
    model.fit(batches, steps_per_epoch=6, verbose=0, callbacks=[state])
    assert state.restore(make()) == 6


def test_dropout_goes_on_where_it_was(tmp_path):
    """The seed's state is part of it: killed and resumed differed without, and here it shows."""
    state, model = TrainingState(tmp_path / "state"), make()
    train(model, state, steps=3)
    expected = keras.ops.convert_to_numpy(model(INPUTS, training=True))
    fresh = make()
    assert np.abs(keras.ops.convert_to_numpy(fresh(INPUTS, training=True)) - expected).max() > 1e-3
    assert state.restore(fresh) == 3
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(fresh(INPUTS, training=True)), expected
    )


@pytest.mark.parametrize(("minutes", "saves"), [(0, [1, 2, 3, 4, 4]), (60, [4])])
def test_it_saves_every_few_minutes_and_at_the_end(tmp_path, minutes, saves):
    found = []

    class Spy(TrainingState):
        def save(self):
            super().save()
            found.append(int(self.model.optimizer.iterations))

    train(make(), Spy(tmp_path / "deep" / "state", minutes=minutes), steps=4)
    assert found == saves
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


def test_under_jax(tmp_path):
    printed = run_python(
        """
        import pathlib, sys
        import keras
        from tests.training import test_state
        for name in test_state.OPTIMIZERS:
            place = pathlib.Path(sys.argv[1], name)
            test_state.test_killed_and_resumed_equals_uninterrupted(place, name)
        test_state.test_batches_that_keras_runs_together_are_counted(pathlib.Path(sys.argv[1]))
        print(keras.backend.backend())
        """.replace("\n        ", "\n"),
        tmp_path,
        KERAS_BACKEND="jax",
    )
    assert printed.strip() == "jax"
