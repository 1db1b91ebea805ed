"""One picture of how a text classifier learned and where it is wrong; Chinese shows everywhere."""

import pathlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from parts.installed import installed_file

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import text_to_path
from matplotlib.ticker import MaxNLocator, PercentFormatter

from keras_bert_zh.files.new_file import new_file

INK, FAINT, BLUE, RED = "#222222", "#777777", "#2f6690", "#b5483a"
SOFTWARE = "examples of keras-bert-zh"  # What the file says that it is made by.
MOST_CLASSES, MOST_CONFUSIONS = 6, 8  # Of which there is a confusion matrix; in place of it.
HANGING = "，。！？；：、）》」』”’…,.!?;:)"


class Outcome(NamedTuple):
    """What a classifier answered on texts whose labels are known."""

    texts: np.ndarray  # of str
    labels: np.ndarray  # <int>[B]
    probabilities: np.ndarray  # <float>[B, classes]

    @property
    def predictions(self) -> np.ndarray:
        return self.probabilities.argmax(axis=-1)

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.predictions == self.labels))

    def confident_mistakes(self, count: int) -> np.ndarray:
        """Returns the rows answered wrongly, the surest answers first."""
        wrong = np.flatnonzero(self.predictions != self.labels)
        return wrong[np.argsort(-self.probabilities[wrong].max(axis=-1), kind="stable")][:count]


def draw(
    path: pathlib.Path,
    *,
    title: str,
    history: dict[str, list[float]],
    baseline: float,
    outcome: Outcome,
    names: Sequence[str],
) -> Figure:
    """Writes the learning curve, the confusion matrix and five mistakes as a PNG, 1320 x 1200.

    Where accuracy was not measured in training, probabilities take the place of the curve; of more
    than six classes the most frequent mistakes that of the matrix.
    """
    with matplotlib.rc_context(style()):
        figure = Figure(figsize=(11, 10), dpi=120)
        figure.suptitle(title, x=0.04, y=0.975, ha="left", fontsize=15)
        axes = figure.add_axes((0.08, 0.58, 0.47, 0.32))
        if history and "accuracy" not in history:
            _draw_probabilities(axes, outcome, names)
        else:
            _draw_curve(axes, history, baseline, outcome.accuracy)
        draw_confusion = _draw_confusion if len(names) <= MOST_CLASSES else _draw_confusions
        draw_confusion(figure.add_axes((0.68, 0.55, 0.28, 0.35)), outcome, names)
        _draw_mistakes(figure.add_axes((0.04, 0.02, 0.92, 0.41)), outcome, names)
        with new_file(path) as new:
            figure.savefig(new, metadata={"Software": SOFTWARE})
    return figure


def is_report(path: pathlib.Path) -> bool:
    """Tells whether `draw` has made the file."""
    with path.open("rb") as file:
        head = file.read(512)
    return head.startswith(b"\x89PNG") and SOFTWARE.encode() in head


def wrap(text: str, width: float, max_lines: int, measure: Callable[[str], float]) -> list[str]:
    """Cuts a text into lines at most `width` wide, as `measure` tells of each character.

    No line begins with closing punctuation: that hangs over the end of the line before, by one
    character at most. A text with too many lines ends in an ellipsis.
    """
    lines, used = [""], 0.0
    for character in " ".join(text.split()):
        needed = measure(character)
        hangs = character in HANGING and used <= width
        if used + needed > width and not hangs:
            if len(lines) == max_lines:
                lines[-1] = lines[-1][:-1] + "…"
                break
            lines.append("")
            used = 0.0
        lines[-1] += character
        used += needed
    return lines


def style() -> dict:
    """Returns how pictures look: matplotlib's settings, with a font that has Chinese characters."""
    font = installed_file("mplfonts", "fonts", "NotoSansCJKsc-Regular.otf")
    font_manager.fontManager.addfont(font)
    return {
        "font.family": font_manager.FontProperties(fname=font).get_name(),
        "font.size": 10.5,
        "text.color": INK,
        "text.parse_math": False,  # Prices have dollar signs.
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.titlelocation": "left",
        "axes.titlesize": 12,
        "axes.titlepad": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": INK,
        "ytick.color": INK,
    }


def _draw_curve(axes: Axes, history: dict[str, list[float]], baseline: float, score: float) -> None:
    axes.set_title("Accuracy after each epoch")
    epochs = [1]  # A run that was stopped after its last epoch has no more to show.
    for name, label, style, color in (
        ("accuracy", "training", "o--", FAINT),
        ("val_accuracy", "validation", "o-", BLUE),
    ):
        if name in history:
            epochs = range(1, len(history[name]) + 1)
            axes.plot(epochs, history[name], style, color=color, label=label)
    axes.axhline(score, color=BLUE, lw=1, ls=":", label=f"BERT, test set: {score:.1%}")
    axes.axhline(baseline, color=RED, lw=1, ls=":", label=f"TF-IDF, test set: {baseline:.1%}")
    axes.set_xlabel("epoch")
    axes.set_xlim(0.75, max(epochs) + 0.25)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.margins(y=0.1)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.14), ncols=2, frameon=False)


def _draw_probabilities(axes: Axes, outcome: Outcome, names: Sequence[str]) -> None:
    axes.set_title(f'How probable "{names[-1]}" is to the model')
    groups = [outcome.probabilities[outcome.labels == label, -1] for label in range(len(names))]
    colors = [RED, BLUE] if len(names) == 2 else None
    axes.hist(groups, bins=20, range=(0, 1), color=colors, label=[f"label: {n}" for n in names])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylabel("texts")
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.14), ncols=2, frameon=False)


def _draw_confusion(axes: Axes, outcome: Outcome, names: Sequence[str]) -> None:
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (outcome.labels, outcome.predictions), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.set_anchor("N")
    axes.set_title(f"{len(outcome.labels):,} texts of the test set")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.2)
    size = 12 if len(names) <= 3 else 8
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        color = "white" if share > 0.6 else INK
        text = f"{count:,}\n{share:.1%}"
        axes.text(column, row, text, ha="center", va="center", color=color, size=size)
    if len(names) > 3:
        names = [wrap(name, _width(axes) / len(names), 1, points(size))[0] for name in names]
        axes.tick_params(labelsize=size)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names, rotation=90, va="center")
    axes.set_xlabel("answer of the model")
    axes.set_ylabel("label")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw_confusions(axes: Axes, outcome: Outcome, names: Sequence[str]) -> None:
    axes.set_title("Most frequent mistakes: label → answer")
    axes.set_axis_off()
    size = matplotlib.rcParams["font.size"]
    wrong = outcome.labels != outcome.predictions
    pairs = zip(outcome.labels[wrong], outcome.predictions[wrong], strict=True)
    found = Counter(pairs).most_common(MOST_CONFUSIONS)
    axes.set_xlim(0, 1.5 * max((count for _, count in found), default=1))
    axes.set_ylim(MOST_CONFUSIONS, 0)
    for place, ((label, answer), count) in enumerate(found):
        (text,) = wrap(f"{names[label]} → {names[answer]}", _width(axes), 1, points(size))
        axes.text(0, place + 0.35, text, va="center")
        axes.barh(place + 0.75, count, height=0.2, color=RED)
        of_label = np.count_nonzero(outcome.labels == label)
        axes.text(count, place + 0.75, f" {count:,} of {of_label:,}", va="center", size=size - 2)


def _draw_mistakes(axes: Axes, outcome: Outcome, names: Sequence[str]) -> None:
    axes.set_title("The five most confident mistakes")
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    begin, size = 0.26, matplotlib.rcParams["font.size"]
    width = (1 - begin) * _width(axes) - 2 * size
    for place, row in enumerate(outcome.confident_mistakes(5)):
        top = 1 - place / 5
        answer, label = outcome.predictions[row], outcome.labels[row]
        probability = outcome.probabilities[row, answer]
        axes.plot((0, 1), (top, top), color="#dddddd", lw=0.8, clip_on=False)
        for name, color, down in (
            (f"label:  {names[label]}", BLUE, 0.03),
            (f"model: {names[answer]}, {probability:.1%}", RED, 0.085),
        ):
            axes.text(0, top - down, name, va="top", color=color)
        lines = wrap(outcome.texts[row], width, 3, points(size))
        axes.text(begin, top - 0.03, "\n".join(lines), va="top", linespacing=1.3)


def _width(axes: Axes) -> float:
    """Returns that of the axes in points."""
    return axes.get_window_extent().width * 72 / axes.figure.dpi


def points(size: float) -> Callable[[str], float]:
    """Returns what measures a character in points."""
    font = font_manager.FontProperties(size=size)
    return cache(
        lambda character: text_to_path.get_text_width_height_descent(character, font, False)[0]
    )
