"""Draws the training curves.

pip install 'keras-bert-zh[examples]'
python -m recipes.small.curve out/small/log.jsonl curve.png
"""

import argparse
import json
import pathlib

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from keras_bert_zh.files.new_file import new_file

SOFTWARE = "recipes.small.curve of keras-bert-zh"  # What the file says that it is made by.
BLUE, RED, FAINT = "#2f6690", "#b5483a", "#777777"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("log", type=pathlib.Path, help="the log.jsonl of a run")
    parser.add_argument("picture", type=pathlib.Path, help="the PNG to write")
    options = parser.parse_args()
    lines = options.log.read_text().splitlines()
    draw([json.loads(line) for line in lines], options.picture)


def draw(records: list[dict[str, float]], path: pathlib.Path) -> Figure:
    """Writes a PNG, 1200 x 480: masked accuracy, and the student's distance from its teacher.

    Raises:
        ValueError: if there are no records of training.
        FileExistsError: if the file exists and was not drawn by this function.
    """
    if path.exists() and not _is_curve(path):
        raise FileExistsError(
            f"{path} exists and was not drawn by recipes.small.curve: choose another file."
        )
    if not any("accuracy" in record for record in records):
        raise ValueError(
            "No step was logged yet, so there is nothing to draw: run recipes.small first."
        )
    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2)
    _curve(left, records, "accuracy", FAINT, "training, 20% masked")
    held_out = [record for record in records if "held_out_accuracy" in record]
    if held_out:
        steps, values = _columns(held_out, "held_out_accuracy")
        label = f"held out, 15% masked: {values[-1]:.1%}"
        left.plot(steps, values, "o-", color=BLUE, ms=4, label=label)
    left.set_title("Masked tokens found", loc="left")
    _curve(right, records, "pooled", RED, "sentence vectors")
    _curve(right, records, "hidden", BLUE, "hidden states in the middle")
    right.set_title("Variance of the teacher's output not matched", loc="left")
    for axes in (left, right):
        axes.set_xlabel("step")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    with new_file(path) as new:
        figure.savefig(new, metadata={"Software": SOFTWARE})
    return figure


def _is_curve(path: pathlib.Path) -> bool:
    with path.open("rb") as file:
        head = file.read(512)
    return head.startswith(b"\x89PNG") and SOFTWARE.encode() in head


def _curve(axes: Axes, records: list[dict], key: str, color: str, label: str) -> None:
    steps, values = _columns(records, key)
    axes.plot(steps, values, color=color, label=label)


def _columns(records: list[dict], key: str) -> tuple[np.ndarray, np.ndarray]:
    rows = [(record["step"], record[key]) for record in records if key in record]
    steps, values = np.array(rows).T
    return steps, values


if __name__ == "__main__":
    main()
