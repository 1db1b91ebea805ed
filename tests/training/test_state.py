import os
import re
import resource
import textwrap
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from keras_bert_zh import TrainingState, adamw
from tests.folders import contents
from tests.process import run_python

RNG = np.random.default_rng(0)
INPUTS, LABELS = RNG.normal(size=(64, 3)).astype("float32"), RNG.normal(size=(64, 1))

# How they are made, and how many updates they make of 7 batches, the second of which is infinite.
OPTIMIZERS = {
    "plain": (lambda: keras.optimizers.AdamW(0.05), 7),
    "accumulating": (lambda: adamw(0.05, 16, warmup=0, gradient_accumulation_steps=4), 1),
    "skipping": (lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.AdamW(0.05)), 6),
}


def make(rate=0.5, width=5, optimizer=None, together=1):
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((3,)),
        keras.layers.Dense(width, "tanh"),
        keras.layers.Dropout(rate, seed=7),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    optimizer = optimizer or keras.optimizers.AdamW(0.05)
    model.compile(optimizer, "mse", metrics=["mae"], steps_per_execution=together)
    return model


def train(model, *callbacks, steps, step=0, labels=LABELS):
    rows = slice(8 * step, 8 * steps)
    model.fit(
        INPUTS[rows], labels[rows], batch_size=8, shuffle=False, verbose=0, callbacks=[*callbacks]
    )


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
    assert counts == [(3, 3), (6, 6), (9, 9)]


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


def test_without_a_file_nothing_changes(tmp_path):
    model = make()
    before = [np.array(weight) for weight in model.get_weights()]
    assert TrainingState(tmp_path / "none").restore(model) == 0
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("minutes", "saves"), [(0, [1, 2, 3, 4]), (60, [4])])
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


def test_a_save_that_fails_leaves_the_file_before(tmp_path, monkeypatch):
    state, model = TrainingState(tmp_path / "state"), make()
    train(model, state, steps=2)
    before = state.file.read_bytes()

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) - 1, limits[1]))
    try:
        with pytest.raises(OSError, match=r"/state can't be written: .*File too large"):
            state.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == [state.file]

    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        state.save()
    assert list(tmp_path.iterdir()) == [state.file]
    assert state.file.read_bytes() == before


def test_what_a_killed_save_left_is_removed(tmp_path):
    (tmp_path / ".state.new-01234567").mkdir()
    (tmp_path / ".state.new-01234567" / ".tmp1").write_text("half")
    state = TrainingState(tmp_path / "state")
    train(make(), state, steps=1)
    assert list(tmp_path.iterdir()) == [state.file]


def of_another_model(file):
    train(make(width=6), TrainingState(file), steps=1)


FILES = {
    "text": (lambda file: file.write_text("dear"), "no state of a training run, or damaged: "),
    "weights": (
        lambda file: save_file({"bert.pooler.dense.bias": np.ones(3)}, file),
        "no state of a training run, or damaged: it holds no number of batches",
    ),
    "folder": (lambda file: file.mkdir(), "no state of a training run, or damaged: "),
    "another model": (of_another_model, r"the state of another model\. .*\n.*is \[3, 6\]"),
}


@pytest.mark.parametrize("kind", FILES)
def test_it_replaces_only_the_state_of_the_same_model(tmp_path, kind):
    """And says so before it trains."""
    make_file, message = FILES[kind]
    make_file(tmp_path / "state")
    before = contents(tmp_path)
    state, model = TrainingState(tmp_path / "state"), make()
    state.set_model(model)
    for refused in (state.on_train_begin, state.save):
        with pytest.raises(ValueError, match=rf"/state is {message}"):
            refused()
    assert contents(tmp_path) == before


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_it_may_be_read_by_those_who_may_read_other_files(tmp_path, mask):
    state = TrainingState(tmp_path / "state")
    before = os.umask(mask)
    try:
        train(make(), state, steps=1)
        (tmp_path / "other").touch()
    finally:
        os.umask(before)
    assert state.file.stat().st_mode == (tmp_path / "other").stat().st_mode
    assert state.file.stat().st_mode & 0o777 == 0o666 & ~mask


def test_the_state_of_another_model_is_refused_and_changes_nothing(tmp_path):
    state = TrainingState(tmp_path / "state")
    train(make(), state, steps=1)
    other = make(width=6)
    before = [np.array(weight) for weight in other.get_weights()]
    with pytest.raises(ValueError, match=r"of another model\. .*\n.*is \[3, 5\].*\[3, 6\]"):
        state.restore(other)
    for one, after in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, after)
    message = r"of another optimiser, or of one that .*\n  unexpected: optimizer/"
    with pytest.raises(ValueError, match=message):
        state.restore(make(optimizer="sgd"))
    frozen = make()
    frozen.layers[0].trainable = False
    frozen.compile(keras.optimizers.AdamW(0.05), "mse")
    with pytest.raises(ValueError, match=message):
        state.restore(frozen)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    state, model = TrainingState(tmp_path / "state", minutes=0), make()
    train(model, state, steps=2)
    labels = LABELS.copy()
    labels[24:32] = np.inf
    message = r"dense\S*/kernel holds .* after 4 batches: .*state was left as it was"
    with pytest.raises(ValueError, match=message):
        train(model, state, step=2, steps=7, labels=labels)
    model = make()
    assert state.restore(model) == 3
    # Also where weights are still finite: a moment of this size stops them for good.
    moment = model.optimizer.variables[-1]
    moment.assign(np.full(moment.shape, np.inf))
    state.set_model(model)
    with pytest.raises(ValueError, match=r"velocity holds .* after 3 batches"):
        state.save()
    assert state.restore(make()) == 3


def test_a_damaged_file_is_refused(tmp_path):
    state = TrainingState(tmp_path / "state")
    train(make(), state, steps=1)
    whole = (tmp_path / "state").read_bytes()
    (tmp_path / "state").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=r"state is no state of a training run, or damaged"):
        state.restore(make())


def test_metrics_are_no_part_of_it(tmp_path):
    state = TrainingState(tmp_path / "state")
    train(make(), state, steps=2)
    fresh = make()
    state.restore(fresh)
    train(fresh, state, steps=4, step=2)
    assert state.restore(make()) == 4
    found = [name for name in load_file(state.file) if name.startswith("model/")]
    kept = {id(variable) for variable in fresh.variables}
    kept -= {id(variable) for variable in fresh.metrics_variables}
    assert len(found) == len(kept) == len(fresh.weights) + 1  # the seed of dropout
    assert fresh.metrics_variables


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
