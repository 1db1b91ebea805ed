import json
import sys

import numpy as np
import pytest

from keras_bert_zh import load_checkpoint
from recipes.small import __main__ as command
from recipes.small import losses, multilingual_e5, student, training
from tests.recipes.small import fake_e5

pytestmark = pytest.mark.slow


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["python -m recipes.small", *map(str, arguments)])
    command.main()


def test_help(monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, "--help")
    assert end.value.code == 0
    assert "Trains the bundled checkpoint" in capsys.readouterr().out


@pytest.mark.usefixtures("eagerly")  # Traced in test_training.py.
def test_from_text_to_a_checkpoint(monkeypatch, capsys, shallow_file, tmp_path):
    monkeypatch.setattr(multilingual_e5, "find", lambda: shallow_file)
    monkeypatch.setattr(student, "LAYERS", (0, 2))  # Quicker, as is all that follows.
    monkeypatch.setattr(student, "TAUGHT_LAYER", 2)
    monkeypatch.setattr(losses, "TAUGHT_BLOCK", 1)
    monkeypatch.setattr(training, "MEASURED_ROWS", 4)
    (tmp_path / "corpus").mkdir()
    fake_e5.write_text(tmp_path / "corpus" / "text.txt", 3300)
    arguments = ["--corpus", tmp_path / "corpus", "--output", tmp_path / "out"]
    arguments += ["--steps", "2", "--tokens", "200"]

    run(monkeypatch, *arguments)
    printed = capsys.readouterr().out
    assert printed.startswith("Training from step 0 to 2.\n")
    assert printed.endswith(f"Wrote {tmp_path / 'out' / 'checkpoint'}.\n")
    record = json.loads((tmp_path / "out" / "log.jsonl").read_text())
    assert record["step"] == 2
    assert record["is_best"]
    checkpoint = load_checkpoint(tmp_path / "out" / "checkpoint")
    assert checkpoint.config.num_hidden_layers == 2
    assert len(checkpoint.vocabulary) == 21128
    assert np.isfinite(checkpoint.weights["embeddings.word.embeddings"]).all()

    run(monkeypatch, *arguments)
    assert capsys.readouterr().out == "Training from step 2 to 2.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--corpus", __file__], "--corpus must be a folder of text, got "),
        (["--corpus", ".", "--steps", "0"], "--steps must be at least 1, got 0"),
        (["--corpus", ".", "--tokens", "-1"], "--tokens must be at least 1, got -1"),
    ],
)
def test_bad_arguments(monkeypatch, capsys, arguments, message):
    with pytest.raises(SystemExit):
        run(monkeypatch, *arguments)
    assert message in capsys.readouterr().err


def test_it_needs_held_out_text(monkeypatch, file, tmp_path):
    """Before anything is trained, not after hours."""
    monkeypatch.setattr(multilingual_e5, "find", lambda: file)
    (tmp_path / "text.txt").write_text("今天天气很好\n" * 300, encoding="utf-8")
    with pytest.raises(ValueError, match=r"The corpus has 0 held-out tokens, but 126 are needed"):
        run(monkeypatch, "--corpus", tmp_path, "--output", tmp_path / "out")
