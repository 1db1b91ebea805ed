"""The file of a state: what it holds, what it replaces, and what is refused."""

import os
import resource

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from keras_bert_zh import TrainingState
from tests.folders import contents
from tests.training.runs import LABELS, make, train


def test_without_a_file_nothing_changes(tmp_path):
    model = make()
    before = [np.array(weight) for weight in model.get_weights()]
    assert TrainingState(tmp_path / "none").restore(model) == 0
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


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
    "text": (lambda file: file.write_text("dear"), "not the state of a training run, or is damag"),
    "weights": (
        lambda file: save_file({"bert.pooler.dense.bias": np.ones(3)}, file),
        "not the state of a training run, or is damaged: it does not contain the number of batches",
    ),
    "folder": (lambda file: file.mkdir(), "a folder, but a file is written there: choose"),
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
        with pytest.raises((ValueError, IsADirectoryError), match=rf"/state is {message}"):
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
    message = r"of another optimiser, or of an optimiser that .*\n  unexpected: optimizer/"
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
    message = r"dense\S*/kernel has values .* after 4 batches: .*state was left unchanged"
    with pytest.raises(ValueError, match=message):
        train(model, state, step=2, steps=7, labels=labels)
    model = make()
    assert state.restore(model) == 3
    # Also where weights are still finite: a moment of this size stops them for good.
    moment = model.optimizer.variables[-1]
    moment.assign(np.full(moment.shape, np.inf))
    state.set_model(model)
    with pytest.raises(ValueError, match=r"velocity has values .* after 3 batches"):
        state.save()
    assert state.restore(make()) == 3


def test_a_damaged_file_is_refused(tmp_path):
    state = TrainingState(tmp_path / "state")
    train(make(), state, steps=1)
    whole = (tmp_path / "state").read_bytes()
    (tmp_path / "state").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=r"is not the state of a training run, or is damaged"):
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
    with pytest.raises(ValueError, match=r"minutes must be a number of at least 0, got -1"):
        TrainingState(tmp_path / "state", minutes=-1)
    with pytest.raises(ValueError, match=r"has no state yet: compile it"):
        TrainingState(tmp_path / "state").restore(keras.Sequential([keras.layers.Dense(1)]))
