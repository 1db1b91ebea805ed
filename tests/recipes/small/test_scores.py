import importlib
import sys

import numpy as np
import pytest

from recipes.small import preset, student
from tests.recipes.small.fake_e5 import FREQUENCIES, VOCABULARY


@pytest.fixture(scope="module")
def scores():
    before = list(sys.path)
    yield importlib.import_module("recipes.small.scores")
    sys.path[:] = before


@pytest.fixture
def checkpoint(model, preprocess, tmp_path):
    """One that says 好 everywhere."""
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
    with pytest.raises(ValueError, match=r"has 0 held-out tokens, and 126 are needed: of each f"):
        scores.masked_accuracy(checkpoint, tmp_path)
