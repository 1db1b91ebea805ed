"""recipes/small/curve.py: the picture of a log."""

import json
import sys

import pytest
from matplotlib import image

from recipes.small import curve

pytestmark = pytest.mark.slow

RECORDS = [
    {"step": 0, "held_out_accuracy": 0.01},
    {"step": 50, "accuracy": 0.2, "pooled": 0.9, "hidden": 0.8},
    {"step": 100, "accuracy": 0.3, "pooled": 0.6, "hidden": 0.7, "held_out_accuracy": 0.312},
]


def lines(axes):
    return {line.get_label(): line.get_xydata().tolist() for line in axes.lines}


def test_what_is_drawn(tmp_path):
    left, right = curve.draw(RECORDS, tmp_path / "curve.png").axes
    assert lines(left) == {
        "training, 20% masked": [[50, 0.2], [100, 0.3]],
        "held out, 15% masked: 31.2%": [[0, 0.01], [100, 0.312]],
    }
    assert lines(right) == {
        "sentence vectors": [[50, 0.9], [100, 0.6]],
        "hidden states in the middle": [[50, 0.8], [100, 0.7]],
    }
    pixels = image.imread(tmp_path / "curve.png")
    assert pixels.shape == (480, 1200, 4)
    assert pixels[..., :3].std() > 0.05


def test_a_run_that_measured_nothing_on_held_out_text(tmp_path):
    left, _ = curve.draw(RECORDS[1:2], tmp_path / "curve.png").axes
    assert lines(left) == {"training, 20% masked": [[50, 0.2]]}


def test_from_a_log(tmp_path, monkeypatch):
    log, picture = tmp_path / "log.jsonl", tmp_path / "curve.png"
    log.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    monkeypatch.setattr(sys, "argv", ["curve", str(log), str(picture)])
    curve.main()
    assert image.imread(picture).shape == (480, 1200, 4)


def test_it_replaces_its_own_picture_alone(tmp_path):
    for _ in range(2):
        curve.draw(RECORDS, tmp_path / "curve.png")
    image.imsave(tmp_path / "curve.png", [[0.0, 1.0]])
    before = (tmp_path / "curve.png").read_bytes()
    with pytest.raises(
        FileExistsError, match=r"curve\.png exists and was not drawn by recipes\.small\.curve"
    ):
        curve.draw(RECORDS, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes() == before


def test_a_log_without_a_line(tmp_path):
    with pytest.raises(ValueError, match=r"No step was logged yet"):
        curve.draw([], tmp_path / "curve.png")
    assert not (tmp_path / "curve.png").exists()
