"""examples/pretrain_masked_lm.py: whole runs on both backends, killed and resumed."""

import importlib
import json
import lzma
import os
import pathlib
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from keras_bert_zh import BertEncoder, MaskedLM, load_checkpoint
from keras_bert_zh.checkpoints.writers import huggingface
from tests.folders import contents
from tests.process import fork_python

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "pretrain_masked_lm.py"
SMALL = ["--scratch", "1x32", "--batch-size", "4", "--sequence-length", "16"]
SMALL += ["--no-mixed-precision"]  # Compared to the last digits, on every processor.
SCHEDULE = ["--steps", "8", "--evaluate-every", "5", "--learning-rate", "0.01"]


@pytest.fixture(scope="module")
def example():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLE.parent)
        yield importlib.import_module("pretrain_masked_lm")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Two files, one of them compressed, with enough text for a row to be held out."""
    folder = tmp_path_factory.mktemp("text")
    lines = [f"第{number}天，今天天气很好，我们去公园吧。" for number in range(200)]
    (folder / "one.txt").write_text("\n".join(lines[:100]), encoding="utf-8")
    with lzma.open(folder / "two.txt.xz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines[100:]))
    return [folder / "one.txt", folder / "two.txt.xz"]


def run_anew(*arguments, backend):
    """Runs it as its users do; returns what it prints."""
    process = subprocess.run(
        [sys.executable, EXAMPLE, *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("TF_CPP")},
            "KERAS_BACKEND": backend,
        },
        timeout=300,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    assert process.stderr == ""  # Not even from TensorFlow.
    return process.stdout


# The same in a process that need not import TensorFlow, and is killed as soon as a file says that
# it has gone so many steps.
FORK = """
import os, pathlib, runpy, signal, sys, threading, time
from safetensors.numpy import load_file

def kill_after(file, steps):
    while not file.exists() or load_file(file)["optimizer/0"] < steps:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)

_, example, *arguments, file, steps = sys.argv
threading.Thread(target=kill_after, args=(pathlib.Path(file), int(steps)), daemon=True).start()
sys.path.insert(0, str(pathlib.Path(example).parent))
sys.argv = [example, *arguments]
runpy.run_path(example, run_name="__main__")
"""


def whole_run(text, folder, backend):
    """Runs it to the end; returns what it prints."""
    printed = run_anew(*text, *SMALL, *SCHEDULE, "--output", folder, backend=backend)
    assert re.search(r"\d+ rows to learn from, \d held out\.", printed)
    evaluated = r" accuracy: \S+ - loss: \S+ - val_accuracy: \S+ - val_loss"
    assert len(re.findall(evaluated, printed)) == 2
    begin = (
        r"held out\.\nBefore training: val_accuracy: \d\.\d{4} - val_loss: \d+\.\d{4}\nEpoch 1/2\n"
    )
    assert re.search(begin, printed)
    assert "\nEpoch 2/2\n" in printed
    assert sorted(entry.name for entry in folder.iterdir()) == [
        "checkpoint",
        "logs",
        "options.json",
        "state.safetensors",
        "text",
    ]
    assert list((folder / "logs").rglob("events*"))
    checkpoint = load_checkpoint(folder / "checkpoint")
    assert checkpoint.missing == ("next_sentence",)
    MaskedLM(BertEncoder(checkpoint), checkpoint)
    return printed


@pytest.mark.slow
def test_under_jax(text, tmp_path):
    """Killed and resumed there: tests/training/test_state.py."""
    whole_run(text, tmp_path / "whole", "jax")


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(example, text, tmp_path, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    printed = whole_run(text, whole, "tensorflow")
    common = [*text, *SMALL, *SCHEDULE]
    options = [*common, "--output", parts, "--save-minutes", "0"]
    state = parts / "state.safetensors"
    killed = fork_python(FORK, EXAMPLE, *options, state, 2)
    assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, "")
    at = int(load_file(state)["optimizer/0"])
    assert 2 <= at < 8
    assert not (parts / "checkpoint").exists()
    example.main(list(map(str, options)))
    resumed = capsys.readouterr().out
    assert f"Going on after step {at}.\nEpoch " in resumed

    expected, found = (
        load_file(place / "checkpoint" / "model.safetensors") for place in (whole, parts)
    )
    assert expected.keys() == found.keys()
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-6, err_msg=name)
    last = [re.findall(r"val_loss: (\S+)", output)[-1] for output in (printed, resumed)]
    assert last[0] == last[1]

    other = map(str, [*common, "--output", whole, "--batch-size", "5"])
    with pytest.raises(SystemExit, match=r"with other options: batch_size was 4\. Use the same"):
        example.main(list(other))


def test_it_learns_from_a_checkpoint_with_whole_words(example, text, tmp_path, tiny_block, capsys):
    checkpoint, place = tmp_path / "checkpoint", tmp_path / "run"
    checkpoint.mkdir()
    huggingface.write(tiny_block, checkpoint)
    options = [
        *("--checkpoint", checkpoint, "--whole-words", "--mixed-precision"),
        *("--batch-size", "16", "--sequence-length", "32", "--learning-rate", "0.01"),
        *("--steps", "20", "--evaluate-every", "5", "--output", place),
    ]
    example.main([*map(str, text), *map(str, options)])
    printed = capsys.readouterr()
    assert printed.err == ""
    before, first, *_, last = map(float, re.findall(r"val_loss: (\S+)", printed.out))
    assert last < first - 1
    assert first < before
    assert (place / "text" / "word_starts.bin").exists()
    assert load_checkpoint(place / "checkpoint").config.num_hidden_layers == 1


@pytest.mark.parametrize(
    ("option", "dtype"), [("--no-mixed-precision", "float32"), ("--mixed-precision", "bfloat16")]
)
def test_precision(example, text, option, dtype):
    options = example.parse([*map(str, text), *SMALL, option])
    model = example.build(options, None)
    assert model.encoder.compute_dtype == model.masked_lm.compute_dtype == dtype
    assert {weight.dtype for weight in model.weights} == {"float32"}


def test_evaluation_does_not_grow_with_the_text(example, text, tmp_path, monkeypatch, capsys):
    def fit(model, batches, *, validation_data, **kwargs):
        evaluated.append(len(list(validation_data)))

    def evaluate(model, batches, **kwargs):
        evaluated_before.append(len(list(batches)))
        return {"accuracy": 0.0, "loss": 0.0}

    monkeypatch.setattr(example.MaskedLM, "fit", fit)
    monkeypatch.setattr(example.MaskedLM, "evaluate", evaluate)
    evaluated, evaluated_before = [], []
    small = ["--scratch", "1x32", "--batch-size", "1", "--sequence-length", "3", "--steps", "1"]
    common = [*map(str, text), *small, "--output", str(tmp_path)]
    example.main(common)
    example.main([*common, "--evaluate-batches", "2"])
    (held_out, _) = map(int, re.findall(r"(\d+) held out", capsys.readouterr().out))
    assert held_out > 10
    assert evaluated == evaluated_before == [held_out, 2]
    assert example.parse(common).evaluate_batches == 100


class TestOptions:
    def test_a_run_goes_on_with_its_own(self, example, text, tmp_path, monkeypatch):
        """Also one that was killed right after the text was packed."""
        pack = example.packed_text

        def killed(options, preprocess):
            pack(options, preprocess)
            raise KeyboardInterrupt

        monkeypatch.setattr(example, "packed_text", killed)
        common = [*map(str, text), *SMALL, "--output", str(tmp_path)]
        with pytest.raises(KeyboardInterrupt):
            example.main(common)
        with pytest.raises(KeyboardInterrupt):
            example.main([*common, "--save-minutes", "1", "--evaluate-batches", "5"])
        for other in (["--whole-words"], ["--sequence-length", "32"]):
            with pytest.raises(SystemExit, match=r"with other options: .*Use the same"):
                example.main([*common, *other])
        (tmp_path / "text").rename(tmp_path / "state.safetensors")
        with pytest.raises(SystemExit, match="with other options: files was "):
            example.main(common[1:])
        (tmp_path / "options.json").unlink()
        with pytest.raises(SystemExit, match=r"without options\.json: choose another --output"):
            example.main(common)

    def test_text_that_has_changed_since_it_was_packed(self, example, tmp_path, monkeypatch):
        trained = []
        monkeypatch.setattr(example, "train", lambda *run: trained.append(run))
        file = tmp_path / "text.txt"
        file.write_text("今天天气很好\n" * 300, encoding="utf-8")
        common = [str(file), *SMALL, "--output", str(tmp_path / "run")]
        example.main(common)
        file.write_text("今天天气很好\n" * 301, encoding="utf-8")
        with pytest.raises(SystemExit, match=r"had 5,700 bytes when .* has 5,719 now\. Name ano"):
            example.main(common)
        file.unlink()
        example.main(common)
        assert len(trained) == 2

    def test_rows_longer_than_the_encoder_reads(self, example, text, tmp_path):
        """Found before the text is packed and the option remembered."""
        for where in (["--scratch", "1x32"], []):
            arguments = [str(text[0]), *where, "--output", str(tmp_path), "--sequence-length"]
            with pytest.raises(SystemExit, match="--sequence-length must be at most 512, got 513"):
                example.main([*arguments, "513"])
        assert not any(tmp_path.iterdir())

    def test_before_there_is_text_they_can_be_mended(self, example, text, tmp_path, monkeypatch):
        with pytest.raises(SystemExit, match=r"1 of 1 files are missing: \['nothing\.txt'\]"):
            example.main(["nothing.txt", *SMALL, "--output", str(tmp_path)])
        options = example.parse([str(text[0]), *SMALL, "--output", str(tmp_path)])
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", stopped)
            with pytest.raises(KeyboardInterrupt):
                example.remember(options)
        file = tmp_path / "options.json"
        assert json.loads(file.read_text(encoding="utf-8"))["files"] == "[PosixPath('nothing.txt')]"
        example.remember(options)
        assert str(text[0]) in json.loads(file.read_text(encoding="utf-8"))["files"]
        assert [entry.name for entry in tmp_path.iterdir()] == ["options.json"]

    @pytest.mark.parametrize("name", ["options.json", "checkpoint/config.json", "notes.txt"])
    def test_a_folder_of_something_else_is_left_alone(self, example, text, tmp_path, name):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"debug": true}')
        before = contents(tmp_path)
        first = name.partition("/")[0]
        with pytest.raises(SystemExit, match=rf"contains {first}, which this script did not write"):
            example.main([*map(str, text), *SMALL, "--output", str(tmp_path)])
        assert contents(tmp_path) == before


def stopped(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "--steps must be at least 1"),
        (["--evaluate-batches", "0"], "--evaluate-batches must be at least 1"),
        (["--scratch", "big"], "--scratch: must be layers x width, such as 4x256, got 'big'"),
        (["--scratch", "0x32"], "--scratch: must be layers x width, such as 4x256, got '0x32'"),
        (["--scratch", "4x250"], "--scratch: width must be a multiple of 32, got 250"),
        (["--sequence-length", "2"], "--sequence-length must be at least 3"),
        (["--save-minutes", "nan"], "--save-minutes must be at least 0"),
        (["--learning-rate", "nan"], "--learning-rate must be above 0 and finite, got nan"),
        (["--learning-rate", "inf"], "--learning-rate must be above 0 and finite, got inf"),
        (["--output", __file__], "test_pretrain_masked_lm.py is a file"),
    ],
)
def test_bad_arguments(example, text, capsys, arguments, message):
    with pytest.raises(SystemExit):
        example.parse([*map(str, text), *arguments])
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("eagerly")
def test_too_little_text_to_hold_some_out(example, tmp_path, capsys):
    file = tmp_path / "text.txt"
    file.write_text("今天天气很好\n" * 30, encoding="utf-8")
    example.main([str(file), *SMALL, "--steps", "2", "--output", str(tmp_path / "run")])
    printed = capsys.readouterr().out
    assert "12 rows to learn from, 0 held out." in printed
    assert "loss: " in printed
    assert "val_loss" not in printed
    assert load_checkpoint(tmp_path / "run" / "checkpoint").config.hidden_size == 32
