"""The pictures of the pages of tasks: `python docs/pictures.py` draws them.

Scores are read from the tables of the pages; the cosines are computed by the small checkpoint.
"""

import pathlib
import re
import sys

import matplotlib
import numpy as np
from matplotlib.figure import Figure

ROOT = pathlib.Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "examples")]

from parts.picture import style  # noqa: E402

from benchmarks.growth_picture import FAINT, INK  # noqa: E402

IMAGES = ROOT / "docs" / "images"
OURS, OTHERS = "#b5483a", "#9fb4c7"
SENTENCES = [
    "今天天气很好",
    "今天是晴天",
    "手机没电了",
    "电池半天就没电了",
    "怎么退货",
    "如何退换商品",
    "房间很干净",
    "酒店打扫得很好",
]


def table(page: str, heading: str) -> list[list[str]]:
    """Returns the cells of the first table after a line that begins with `heading`."""
    text = (ROOT / "docs" / "tasks" / page).read_text(encoding="utf-8")
    text = text[text.index(f"\n{heading}") :]
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def numbers(cell: str) -> list[float]:
    """Returns the numbers of a cell."""
    return [float(number) for number in re.findall(r"\d+\.\d+", cell)]


def draw_scores() -> Figure:
    """For each task a line from its baseline to the small checkpoint."""
    figure = Figure(figsize=(10, 4), dpi=120)
    axes = figure.subplots()
    rows = [row for row in table("index.md", "| task |") if row[2]]
    for place, (_, _, score_cell, base_cell) in enumerate(rows):
        (score,), (base,) = numbers(score_cell), numbers(base_cell)
        axes.plot([base, score], [place, place], color="#c9d3dc", lw=5, zorder=1)
        axes.scatter([base, score], [place, place], color=[OTHERS, OURS], s=60, zorder=2)
        name = f"{base_cell.partition(', ')[2]}  {base:.3f}"
        axes.text(base - 0.008, place, name, ha="right", va="center", color=FAINT)
        axes.text(score + 0.008, place, f"{score:.3f}", va="center", color=INK)
    names = [re.sub(r"\[(.+?)\].*", r"\1", row[0]) for row in rows]
    metrics = [row[2].rpartition(" ")[0] for row in rows]
    labels = [f"{name}\n{metric}" for name, metric in zip(names, metrics, strict=True)]
    axes.set_yticks(range(len(rows)), labels)
    axes.invert_yaxis()
    axes.set_xlim(0.4, 0.95)
    axes.set_title("The small checkpoint (red) and a baseline, on test data")
    axes.grid(axis="x", color="#e6e6e6", lw=0.8)
    return figure


def draw_few_shot() -> Figure:
    """Accuracy by examples of each class: mean, worst and best of three draws."""
    figure = Figure(figsize=(8, 3.6), dpi=120)
    axes = figure.subplots()
    rows = table("few_shot.md", "| examples of each class |")
    shots = [int(row[0]) for row in rows]
    ours = [numbers(row[1]) + numbers(row[2]) for row in rows]
    others = [numbers(row[3]) for row in rows]
    series = ((ours, OURS, "few_shot.py"), (others, OTHERS, "TF-IDF, logistic regression"))
    for values, color, name in series:
        mean, low, high = np.array(values).T
        axes.fill_between(shots, low, high, color=color, alpha=0.2, lw=0)
        axes.plot(shots, mean, color=color, marker="o", lw=2, label=name)
    axes.set_xticks(shots)
    axes.set_xlabel("examples of each class")
    axes.set_ylabel("accuracy")
    axes.set_title("Reviews: mean of three draws, from the worst to the best")
    axes.legend(frameon=False, loc="center right")
    axes.grid(color="#e6e6e6", lw=0.8)
    return figure


def draw_bars(page: str, heading: str, title: str, ours: tuple[int, ...]) -> Figure:
    """A bar for each row of a table, those of the numbers in `ours` in red."""
    rows = table(page, heading)
    figure = Figure(figsize=(8, 0.45 * len(rows) + 1.1), dpi=120)
    axes = figure.subplots()
    scores = [numbers(row[1])[0] for row in rows]
    colors = [OURS if number in ours else OTHERS for number in range(len(rows))]
    bars = axes.barh([row[0].replace("`", "") for row in rows], scores, color=colors, height=0.6)
    axes.bar_label(bars, [f"{score:.3f}" for score in scores], padding=4, color=INK)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_title(title)
    return figure


def draw_cosines() -> Figure:
    """Cosines of sentences, by the small checkpoint as it is."""
    from keras_bert_zh import SentenceEncoder

    encoder = SentenceEncoder("small", pooling="pooled_output", normalize=True)
    vectors = encoder.predict(SENTENCES, verbose=0)
    cosines = vectors @ vectors.T
    figure = Figure(figsize=(8, 5.4), dpi=120)
    axes = figure.subplots()
    axes.imshow(cosines, cmap="OrRd", vmin=0, vmax=1.2)
    for (row, column), cosine in np.ndenumerate(cosines):
        axes.text(column, row, f"{cosine:.2f}", ha="center", va="center", color=INK)
    places = range(len(SENTENCES))
    axes.set_xticks(places, SENTENCES, rotation=35, ha="right")
    axes.set_yticks(places, SENTENCES)
    axes.set_title("Cosines of sentences, small checkpoint without training")
    axes.spines[:].set_visible(False)
    return figure


def draw_all(folder: pathlib.Path) -> list[Figure]:
    """Writes all pictures into a folder, and returns them."""
    pairs = "Headline and article: accuracy on 800 validation pairs"
    windows = "Long news: accuracy on 400 validation articles"
    with matplotlib.rc_context(style() | {"axes.titlelocation": "left"}):
        figures = {
            "tasks": draw_scores(),
            "few_shot": draw_few_shot(),
            "pairs": draw_bars("pairs.md", "| | accuracy | time", pairs, (2, 3)),
            "long_texts": draw_bars("long_texts.md", "validation data, with", windows, (0, 1, 2)),
            "vectors": draw_cosines(),
        }
        for name, figure in figures.items():
            figure.tight_layout()
            figure.savefig(folder / f"{name}.png", metadata={"Software": "keras_bert_zh"})
    return [*figures.values()]


if __name__ == "__main__":
    draw_all(IMAGES)
