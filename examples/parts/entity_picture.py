"""A picture of texts with their entities marked: those found, those missed, and the wrong ones."""

import pathlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from parts import picture
from parts.tagged import Tagged

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from keras_bert_zh.files.new_file import new_file
from keras_bert_zh.label_schemes import Span

WIDTH, HEIGHT = 50.0, 29.0  # What is to be seen, in characters and lines.
STEP, GAP = 1.65, 2.3  # From one line to the next, and to the next text.
LONGEST = 100  # Characters of a text that is shown.
TINTS = ("#cfe0ee", "#d9ead0", "#f6e3b4", "#e2d5ec", "#f3d3d8", "#d0ebe8")  # By kind, in turn.
RIGHT, WRONG, MISSED = "right", "wrong", "missed"
LEGEND = {RIGHT: "found", WRONG: "found, and wrong", MISSED: "missed"}


class Mark(NamedTuple):
    """An entity to be marked."""

    span: Span
    state: str


def draw(
    path: pathlib.Path,
    title: str,
    texts: Sequence[Tagged],
    found: Sequence[Iterable[tuple[Span, float]]],
) -> Figure:
    """Writes a PNG, 1320 x 1200, of texts of the test set: right ones, and ones with mistakes."""
    rows = [
        (tagged.text, marks_of(tagged.spans, [span for span, _ in spans]))
        for tagged, spans in zip(texts, found, strict=True)
    ]
    kinds = sorted({mark.span.kind for _, marks in rows for mark in marks})
    tints = {kind: TINTS[place % len(TINTS)] for place, kind in enumerate(kinds)}
    with rc_context(picture.style()):
        figure = Figure(figsize=(11, 10), dpi=120)
        figure.suptitle(title, x=0.04, y=0.975, ha="left", fontsize=15)
        axes = figure.add_axes((0.04, 0.02, 0.92, 0.9))
        axes.set_axis_off()
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(HEIGHT, 0)
        top = _draw_legend(axes, tints)
        for text, marks in chosen(rows):
            if top + max(line for _, line, _ in places_of(text)) + 1 > HEIGHT:
                break
            top = _draw_text(axes, text, marks, top, tints)
        with new_file(path) as new:
            figure.savefig(new, metadata={"Software": picture.SOFTWARE})
    return figure


def marks_of(expected: Iterable[Span], found: Iterable[Span]) -> list[Mark]:
    """Returns the entities of a text with what became of them."""
    expected, found = set(expected), set(found)
    states = {RIGHT: expected & found, WRONG: found - expected, MISSED: expected - found}
    return [Mark(span, state) for state, spans in states.items() for span in sorted(spans)]


def chosen(rows: Sequence[tuple[str, list[Mark]]]) -> list[tuple[str, list[Mark]]]:
    """Returns short texts with several entities, in turn one that is right and one that is not."""
    short = [(text, marks) for text, marks in rows if len(text) <= LONGEST and len(marks) > 1]
    good = [row for row in short if all(mark.state == RIGHT for mark in row[1])]
    bad = [row for row in short if any(mark.state != RIGHT for mark in row[1])]
    pairs = [row for pair in zip(good, bad, strict=False) for row in pair]
    return pairs or short


def places_of(text: str) -> Iterator[tuple[float, float, float]]:
    """Yields for each character where it is drawn: from the left, from the top, and its width."""
    left, line = 0.0, 0.0
    for character in text:
        width = 0.55 if unicodedata.east_asian_width(character) in ("N", "Na", "H") else 1.0
        if left + width > WIDTH and not (character in picture.HANGING and left <= WIDTH):
            left, line = 0.0, line + STEP
        yield left, line, width
        left += width


def _draw_text(
    axes: Axes, text: str, marks: Iterable[Mark], top: float, tints: dict[str, str]
) -> float:
    """Returns where the next text begins."""
    places = list(places_of(text))
    for span, state in marks:
        for line in sorted({line for _, line, _ in places[span.start : span.end]}):
            inside = [place for place in places[span.start : span.end] if place[1] == line]
            left, right = inside[0][0], sum(inside[-1][::2])
            mark = Mark(Span(span.kind, left, right), state)
            _draw_mark(axes, mark, top + line, tints)
    for character, (left, line, width) in zip(text, places, strict=True):
        axes.text(left + width / 2, top + line + 0.5, character, ha="center", va="center", size=12)
    return top + places[-1][1] + GAP


def _draw_mark(axes: Axes, mark: Mark, top: float, tints: dict[str, str]) -> None:
    (kind, left, right), state = mark
    color = picture.INK if state == RIGHT else picture.RED
    box = FancyBboxPatch(
        (left + 0.08, top + 0.02),
        right - left - 0.16,
        0.96,
        boxstyle="round,pad=0,rounding_size=0.15",
        facecolor="none" if state == MISSED else tints[kind],
        edgecolor="none" if state == RIGHT else color,
        linestyle="--" if state == MISSED else "-",
        linewidth=1.3,
    )
    axes.add_patch(box)
    above = state != MISSED  # A wrong one and a missed one can be at one place.
    axes.text(
        left + 0.1,
        top - 0.22 if above else top + 1.2,
        kind,
        va="center",
        size=6.5,
        color=color,
    )


def _draw_legend(axes: Axes, tints: dict[str, str]) -> float:
    """Returns where the texts begin."""
    left = 0.0
    for kind in tints:
        _draw_mark(axes, Mark(Span(kind, left, left + 2), RIGHT), 0.5, tints)
        left += 3
    for state, meaning in LEGEND.items():
        _draw_mark(axes, Mark(Span(next(iter(tints)), left, left + 2), state), 0.5, tints)
        axes.text(left + 2.3, 1, meaning, va="center", size=11)
        left += 3.5 + 0.45 * len(meaning)
    return 3.2
