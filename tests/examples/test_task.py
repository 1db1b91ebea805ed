"""task.py, outputs.py and defaults.py of examples/parts: what the scripts share that fine-tune."""

import argparse
import importlib
import json
import pathlib

import keras
import numpy as np
import pytest

TASK = "classify_reviews"


@pytest.fixture
def task():
    return importlib.import_module("parts.task")


@pytest.fixture
def outputs():
    return importlib.import_module("parts.outputs")


@pytest.fixture
def parse(task, tmp_path):
    def parse(*arguments):
        return task.parse(task.parser("Doc.", TASK), [*arguments, "--output", str(tmp_path)])

    return parse


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs must be at least 1, got 0"),
        (["--batch-size", "0"], "--batch-size must be at least 1, got 0"),
        (["--max-length", "2"], "--max-length must be at least 3, got 2"),
        (["--seed", "-1"], "--seed must be at least 0, got -1"),
        (["--learning-rate", "0"], "--learning-rate must be above 0 and finite, got 0.0"),
        (["--learning-rate", "inf"], "--learning-rate must be above 0 and finite, got inf"),
        (["--train", "a.tsv"], "--train and --test must be given together"),
    ],
)
def test_arguments_out_of_range(parse, capfd, arguments, message):
    with pytest.raises(SystemExit):
        parse(*arguments)
    assert message in capfd.readouterr().err


def test_the_output_is_no_file(task, capfd):
    with pytest.raises(SystemExit):
        task.parse(task.parser("Doc.", TASK), ["--output", __file__])
    assert "test_task.py is a file" in capfd.readouterr().err


def test_columns_by_name_and_number(parse):
    options = parse("--text", "1", "--label", "y")
    assert (options.text, options.label) == (1, "y")


def test_the_recipe_is_that_of_the_width(task, parse, tiny_module):
    narrow, wide = task.RECIPES[TASK]
    assert task.recipe_of(TASK, 384) == narrow
    assert task.recipe_of(TASK, 768) == wide
    options = parse("--checkpoint", str(tiny_module), "--epochs", "7", "--max-length", "32")
    task.begin(options)
    assert (options.epochs, options.learning_rate) == (7, narrow.learning_rate)
    rate = task.optimizer(options, rows=65)._learning_rate  # 3 batches an epoch, 21 steps.
    assert [float(rate(step)) for step in (0, 2, 21)] == pytest.approx([0, 1.2e-4, 0], abs=1e-9)
    with pytest.raises(SystemExit, match="--max-length must be at most 64, got 65"):
        task.begin(parse("--checkpoint", str(tiny_module), "--max-length", "65"))


@pytest.mark.parametrize("name", ["letter.txt", "model.keras"])
def test_a_folder_of_something_else_is_left_alone(task, parse, tmp_path, tiny_module, name):
    options = parse("--checkpoint", str(tiny_module), "--max-length", "8")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    (tmp_path / name).write_text("dear") if name.endswith("txt") else model.save(tmp_path / name)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(SystemExit, match=f"{name}.* (did|is) not .*: choose another --output"):
        task.begin(options)
    assert (tmp_path / name).read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_model_half_written_does_not_replace_a_whole_one(outputs, tmp_path):
    class FullDisk:
        def save(self, path):
            pathlib.Path(path).write_text("half")
            raise OSError("No space left on device")

    (tmp_path / "model.keras").write_text("whole")
    with pytest.raises(OSError, match="No space left"):
        outputs.save(FullDisk(), argparse.Namespace(output=tmp_path))
    assert (tmp_path / "model.keras").read_text() == "whole"


def test_no_model_to_predict_with(outputs, parse, tmp_path):
    with pytest.raises(SystemExit, match=r"no .*model\.keras: train a model first"):
        outputs.saved_model(parse())
    (tmp_path / "model.keras").write_text("dear")
    with pytest.raises(SystemExit, match=r"is not a model of classify_reviews\.py"):
        outputs.saved_model(parse())
    with pytest.raises(SystemExit, match=r"options\.json is missing, .*: train the model again"):
        outputs.remembered(parse(), "seed")


class TestResume:
    DATA = (np.arange(20, dtype="float32").reshape(10, 2), np.arange(10) % 2)

    @pytest.fixture
    def fit(self, task, parse):
        """A function that trains for two epochs of five batches, or until it is stopped."""

        def fit(*arguments):
            options = parse("--batch-size", "2", "--epochs", "2", *arguments)
            keras.utils.set_random_seed(options.seed)
            options.learning_rate = 0.1
            model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
            model.add(keras.layers.Dropout(0.5))
            model.compile(task.optimizer(options, 10), "mse", run_eagerly=True)
            history = task.fit(model, self.DATA, None, options)
            return model.get_weights(), history

        return fit

    @pytest.mark.parametrize("stop", [3, 5, 7])
    def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
        self, fit, task, monkeypatch, stop
    ):
        expected, history = fit()
        assert len(history["loss"]) == 2

        def killed(state, batch, logs=None, inner=task.TrainingState.on_train_batch_end):
            inner(state, batch, logs)
            if state._batches == stop:
                raise KeyboardInterrupt

        monkeypatch.setattr(task, "SAVE_MINUTES", 0)
        with monkeypatch.context() as patch:
            patch.setattr(task.TrainingState, "on_train_batch_end", killed)
            with pytest.raises(KeyboardInterrupt):
                fit()
        found, history = fit("--resume")
        assert len(history["loss"]) == (2 if stop < 5 else 1)
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)

    def test_with_other_options_or_nothing_to_go_on_with(self, outputs, parse, tmp_path):
        with pytest.raises(SystemExit, match="contains no run to resume"):
            outputs.remember(parse("--resume"))
        outputs.remember(parse("--seed", "3"))
        assert outputs.remembered(parse(), "seed") == "3"
        assert json.loads((tmp_path / "options.json").read_text())["seed"] == "3"
        (tmp_path / "state.safetensors").touch()
        outputs.remember(parse("--seed", "3", "--resume"))
        with pytest.raises(SystemExit, match="other options: seed was 3"):
            outputs.remember(parse("--seed", "4", "--resume"))
        outputs.remember(parse("--seed", "4"))
        assert not (tmp_path / "state.safetensors").exists()


def test_rows_are_printed_as_tsv(task, capsys):
    task.print_rows(("text", "label"), [("一\t二\n三", 1)])
    assert capsys.readouterr().out == "text\tlabel\n一 二 三\t1\n"


def test_texts_of_lines_and_of_a_column(parse, tmp_path):
    table_of = importlib.import_module("parts.texts").table_of
    (tmp_path / "a.txt").write_text("一\n二\n", encoding="utf-8")
    (tmp_path / "a.csv").write_text("x,y\n一,二\n", encoding="utf-8")
    assert table_of(tmp_path / "a.txt", parse()).texts == ["一", "二"]
    assert table_of(tmp_path / "a.csv", parse("--text", "y")).texts == ["二"]


def test_one_in_ten_rows_is_for_validation(task):
    held = [task.is_validation(str(number)) for number in range(2000)]
    assert 150 < sum(held) < 250
