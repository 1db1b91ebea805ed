"""The picture of the README: `python -m benchmarks.relative_picture` draws it from RESULTS.md."""

import pathlib
import re

import matplotlib
from matplotlib.figure import Figure

from benchmarks.growth_picture import FAINT, INK, STYLE

ROOT = pathlib.Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
PICTURE = ROOT / "docs" / "images" / "relative_speed.png"
CASE = "32x128 reviews"
TITLE = "Time relative to this package: BERT-base, 32 Chinese reviews, two CPU cores"
NOTE = "1,832 tokens, padded to 32 x 128. Shorter is faster. AMD EPYC, medians of five rounds."
PANELS = {
    "float32": {
        "ours float32": "keras_bert_zh",
        "OpenVINO float32": "OpenVINO",
        "ONNX Runtime float32": "ONNX Runtime",
        "Keras Hub jit float32": "Keras Hub, XLA",
        "TF1 module, `hub.load`": "TF1 Hub module",
        "PyTorch sdpa float32": "Transformers, PyTorch",
    },
    "bfloat16": {
        "ours bfloat16": "keras_bert_zh",
        "OpenVINO bfloat16": "OpenVINO",
        "PyTorch sdpa bfloat16": "Transformers, PyTorch",
        "Keras Hub jit mixed_bfloat16": "Keras Hub, XLA",
    },
}


def figures(results: str, case: str) -> dict[str, list[float]]:
    """Returns milliseconds and both ratios of each contestant in a case of the section "Encoder".

    A contestant has no ratio to itself: there it is 1.
    """
    section = results.partition("\n## Encoder\n")[2].partition("\n## ")[0]
    table = section.partition(f"**{case}: ")[2].partition("\n**")[0]
    rows = re.findall(r"^\| (.+?) \| ([\d.]+) \(.*?\) \|(.*?)\|(.*?)\|$", table, re.MULTILINE)
    return {name: [float((cell.split() or ["1"])[0]) for cell in cells] for name, *cells in rows}


def draw(path: pathlib.Path, found: dict[str, list[float]]) -> Figure:
    """Writes a PNG, 1440 x 460: bars of time, this package's being 1."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 3.84), dpi=120)
        plots = figure.subplots(1, len(PANELS))
        panels = zip(plots, PANELS.items(), strict=True)
        for column, (axes, (dtype, names)) in enumerate(panels, start=1):
            values = [found[key][0] for key in names]
            ratios = [found[key][column] for key in names]
            colors = ["#b5483a"] + ["#9fb4c7"] * (len(values) - 1)
            bars = axes.barh(list(names.values()), ratios, color=colors, height=0.62)
            labels = [f"{r:.1f}  ({v:,.0f} ms)" for r, v in zip(ratios, values, strict=True)]
            axes.bar_label(bars, labels, padding=4, fontsize=9.5, color=INK)
            axes.invert_yaxis()
            axes.set_xlim(0, max(ratios) * 1.28)
            axes.set_title(dtype)
            axes.set_xticks([])
            axes.spines["bottom"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        figure.suptitle(TITLE)
        figure.text(
            0.99,
            0.02,
            NOTE,
            ha="right",
            fontsize=9,
            color=FAINT,
        )
        figure.tight_layout(rect=(0, 0.05, 1, 1))
        figure.savefig(path, metadata={"Software": "keras_bert_zh benchmarks"})
    return figure


if __name__ == "__main__":
    draw(PICTURE, figures(RESULTS.read_text(encoding="utf-8"), CASE))
