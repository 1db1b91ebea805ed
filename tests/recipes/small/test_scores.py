import importlib
import re
import sys

import numpy as np
import pytest

from recipes.small import preset, student
from tests.recipes.small.fake_e5 import FREQUENCIES, VOCABULARY

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scores():
    before = list(sys.path)
    yield importlib.import_module("recipes.small.scores")
    sys.path[:] = before


@pytest.fixture
def checkpoint(model, preprocess, tmp_path, monkeypatch):
    """One that says 好 everywhere."""
    monkeypatch.setattr(student, "LAYERS", (0, 7))  # Quicker.
    made = student.make(model, VOCABULARY, FREQUENCIES)
    made.masked_lm.bias.assign(1000.0 * (np.array(VOCABULARY) == "好"))
    preset.write(made, preprocess, tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_the_accuracy_on_held_out_text(scores, checkpoint, tmp_path):
    lines = ["好天好" * 5 if number // 64 == 50 else "我们" for number in range(3264)]
    (tmp_path / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    accuracy = scores.masked_accuracy(checkpoint, tmp_path)
    assert accuracy == pytest.approx(2 / 3, abs=0.12)


def test_too_little_was_held_out(scores, checkpoint, tmp_path):
    (tmp_path / "a.txt").write_text("我们\n" * 100, encoding="utf-8")
    with pytest.raises(ValueError, match=r"has 0 held-out tokens, but 126 are needed: in each f"):
        scores.masked_accuracy(checkpoint, tmp_path)


@pytest.mark.usefixtures("eagerly")
def test_scores_of_fine_tuning(scores, checkpoint, monkeypatch, capsys):
    example = scores.classify_reviews
    parts = {part: held.first(64) for part, held in example.load_reviews().items()}
    monkeypatch.setattr(example, "load_reviews", lambda: parts)
    arguments = ["scores", "--checkpoint", str(checkpoint), "--rows", "32", "--seeds", "2"]
    monkeypatch.setattr(sys, "argv", arguments)
    scores.main()
    printed = capsys.readouterr().out
    assert re.search(r"^TF-IDF \+ logistic regression: 0\.\d{4}$", printed, re.M)
    first, second = map(float, re.findall(r"^seed [01]: (0\.\d{4})$", printed, re.M))
    low, high = sorted((first, second))
    mean, *ends = re.search(r"^mean (.*), from (.*) to (.*)$", printed, re.M).groups()
    assert float(mean) == pytest.approx((low + high) / 2, abs=1e-4)
    assert [float(end) for end in ends] == [low, high]
