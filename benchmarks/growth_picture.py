"""The three plots of `benchmarks.growth`."""

import pathlib
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter

from benchmarks.workloads import Series

INK, FAINT = "#222222", "#777777"
# Ours are bold, and a peer has the colour of what it competes with.
_LINES = {
    "ours-float32": {"color": "#2f6690", "lw": 2.4},
    "ours-bfloat16": {"color": "#b5483a", "lw": 2.4},
    "keras-hub-float32": {"color": "#2f6690", "lw": 1.2, "ls": "--"},
    "openvino-bfloat16": {"color": "#b5483a", "lw": 1.2, "ls": "--"},
    "pytorch-bfloat16": {"color": "#b5483a", "lw": 1.2, "ls": ":"},
}
STYLE = {
    "font.size": 10.5,
    "text.color": INK,
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


def draw(
    path: pathlib.Path,
    chosen: Sequence[Series],
    names: Mapping[str, str],
    medians: Mapping[tuple[str, str], float],
) -> Figure:
    """Writes a PNG, 1440 x 540.

    Args:
        path: the file.
        chosen: a plot each.
        names: of the contestants, as the legend has them, by key.
        medians: seconds by name of the case and key of the contestant.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 4.5), dpi=120)
        plots = figure.subplots(1, len(chosen))
        for axes, series in zip(plots, chosen, strict=True):
            for key, name in names.items():
                values = [1000 * medians[case.name, key] for case in series.cases.values()]
                line = _LINES.get(key, {"color": FAINT, "lw": 1.2})
                axes.plot(list(series.cases), values, marker="o", ms=3.5, label=name, **line)
            _label(axes, series)
        plots[0].set_ylabel("milliseconds of a call")
        handles = plots[0].get_legend_handles_labels()
        figure.legend(*handles, loc="lower center", ncols=len(names), frameon=False)
        figure.tight_layout(rect=(0, 0.08, 1, 1))
        figure.savefig(path)
    return figure


def _label(axes: Axes, series: Series) -> None:
    axes.set_title(series.title)
    axes.set_xlabel(series.label)
    if series.logarithmic:
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(list(series.cases))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(color="#e6e6e6", lw=0.8)
    axes.set_axisbelow(True)
