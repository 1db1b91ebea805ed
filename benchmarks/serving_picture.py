"""The picture of `benchmarks.serving`: seconds per answer by the rate of requests."""

import math
import pathlib
import statistics
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.growth_picture import FAINT, STYLE
from benchmarks.load import Run
from benchmarks.peak import LIMIT
from benchmarks.serving_report import by_rate

# Ours are bold; bfloat16 is red.
_LINES = {
    "ours, ONNX Runtime": {"color": "#2f6690", "lw": 2.4},
    "ours, OpenVINO bfloat16": {"color": "#b5483a", "lw": 2.4},
    "ours, ONNX Runtime, one text a batch": {"color": "#2f6690", "lw": 2.4, "ls": ":"},
    "infinity, torch": {"color": "#3c7a57", "lw": 1.2, "ls": "--"},
    "infinity, torch bfloat16": {"color": "#b5483a", "lw": 1.2, "ls": "--"},
    "infinity, optimum": {"color": "#2f6690", "lw": 1.2, "ls": "--"},
    "sentence-transformers, FastAPI": {"color": FAINT, "lw": 1.2, "ls": ":"},
    "sentence-transformers bfloat16, FastAPI": {"color": "#b5483a", "lw": 1.2, "ls": ":"},
}


def draw(path: pathlib.Path, runs: Mapping[str, Sequence[Run]]) -> Figure:
    """Writes a PNG, 1440 x 600.

    Args:
        path: the file.
        runs: those at rates, of all rounds, by the name of the server.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 5), dpi=120)
        plots = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, share in zip(plots, (0.5, 0.99), strict=True):
            for name, of in runs.items():
                points = _points(of, share)
                line = _LINES.get(name, {"color": FAINT, "lw": 1.2})
                axes.plot(
                    list(points), list(points.values()), marker="o", ms=3.5, label=name, **line
                )
            axes.axhline(1000 * LIMIT, color=FAINT, lw=0.8)
            axes.set_title(f"{share:.0%} of requests take at most")
            axes.set_xlabel("requests a second")
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axis.set_minor_formatter(NullFormatter())
            axes.grid(color="#e6e6e6", lw=0.8)
            axes.set_axisbelow(True)
        plots[0].set_ylabel("milliseconds")
        handles = plots[0].get_legend_handles_labels()
        figure.legend(*handles, loc="lower center", ncols=4, frameon=False, fontsize=9.5)
        figure.tight_layout(rect=(0, 0.12, 1, 1))
        figure.savefig(path)
    return figure


def _points(runs: Sequence[Run], share: float) -> dict[float, float]:
    """Returns milliseconds by rate, medians over rounds, where no more than the rest has failed."""
    medians = {
        rate: 1000 * statistics.median(run.percentile(share) for run in of)
        for rate, of in by_rate(runs).items()
    }
    return {rate: median for rate, median in medians.items() if math.isfinite(median)}
