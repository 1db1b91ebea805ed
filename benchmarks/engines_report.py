"""The report of `benchmarks.engines`."""

import statistics
from typing import Any, NamedTuple

from benchmarks.contest import PAUSE, Spread, cores, ratios, spread
from benchmarks.goals import (
    BEST,
    BEST_AGAINST_BFLOAT16,
    BEST_INT8,
    ENGINES,
    Goal,
    RatioGoal,
    goals_table,
)
from benchmarks.report import circumstances, installed, table
from benchmarks.workloads import Case

PACKAGES = (
    "keras",
    "tensorflow",
    "torch",
    "transformers",
    "onnx",
    "onnxscript",
    "tf2onnx",
    "onnxruntime",
    "openvino",
    "nncf",
    "numpy",
)
_OURS, _USUAL = ", ours", ", usual"
_SEQUENCE = ", `sequence_output`"


class Measured(NamedTuple):
    """What all turns gave.

    Args:
        cases: by name.
        sizes: the fields of the `BertConfig`.
        facts: what each of our exports took, and what it is.
        differences: the largest difference to float32 and the least cosine, by entry.
        seconds: those of each round, by case and entry.
    """

    cases: dict[str, Case]
    sizes: dict[str, Any]
    facts: dict[str, dict[str, Any]]
    differences: dict[str, tuple[float, float]]
    seconds: dict[tuple[str, str], list[float]]


def show(measured: Measured, rounds: int) -> str:
    """Returns the report as Markdown."""
    sizes = measured.sizes
    parts = [
        f"""\
`python -m benchmarks.engines`: an encoder of {sizes["num_hidden_layers"]} blocks,
{sizes["hidden_size"]} wide, vocabulary {sizes["vocab_size"]:,}. The usual export is that of
Transformers, ours that of `export_model`. NumPy arrays in, the pooled output as one out, where
nothing else is said; each contestant in a process of its own that may use {cores()} core(s),
{rounds} rounds in turns, {PAUSE} s apart. Median (range) of the rounds, ratios of two times of one
round. int8 is `quantize_dynamic` in ONNX Runtime and NNCF in OpenVINO, with 96 reviews.""",
        circumstances(installed(PACKAGES)),
    ]
    parts += [_case(measured, name) for name in measured.cases]
    parts += [
        "Goals; ratios are times of the usual export over ours:",
        goals_table(_goals(measured)),
        "Pooled outputs in all cases, against those of the usual export in ONNX Runtime, float32:",
        table(
            ("", "largest difference", "least cosine"),
            [(name, f"{d:.1e}", f"{c:.5f}") for name, (d, c) in measured.differences.items()],
        ),
        "Our exports. Memory is what is added to the process at most, over the size of the weights"
        "\nin float32:",
        _facts(measured.facts),
    ]
    return "\n\n".join(parts)


def _case(measured: Measured, name: str) -> str:
    case = measured.cases[name]
    rows = []
    for (at, entry), seconds in measured.seconds.items():
        if at != name:
            continue
        milliseconds = spread([1000 * value for value in seconds]).show(".1f")
        peer = measured.seconds.get((name, entry.replace(_OURS, _USUAL)))
        is_ours = _OURS in entry and peer is not None
        rows.append((entry, milliseconds, ratios(peer, seconds).show(".2f") if is_ours else ""))
    title = f"{name}: {case.lengths.sum():,} real tokens of {case.mask.size:,}."
    return f"**{title}**\n\n{table(('', 'ms', 'times as fast'), rows)}"


def _goals(measured: Measured) -> list[tuple[Goal, Spread | None]]:
    found = []
    for goal in ENGINES:
        found.append((goal.goal, _ratio(measured, goal.goal.case, goal.peer, goal.ours)))
        if goal.ours.replace(_OURS, _OURS + _SEQUENCE) in _entries(measured):
            found.append(_of_sequence(measured, goal))
    for goal in BEST:
        best = _best(measured, goal.case, _OURS), _best(measured, goal.case, _USUAL)
        found.append((goal, _ratio(measured, goal.case, best[1], best[0])))
    for goal in BEST_AGAINST_BFLOAT16:
        best = _best(measured, goal.goal.case, _OURS)
        found.append((goal.goal, _ratio(measured, goal.goal.case, goal.peer, best)))
    for goal in BEST_INT8:
        best = [_best(measured, goal.case, f"int8{which}") for which in (_OURS, _USUAL)]
        found.append((goal, _ratio(measured, goal.case, best[1], best[0])))
    return found


def _of_sequence(measured: Measured, goal: RatioGoal) -> tuple[Goal, Spread | None]:
    peer, ours = goal.peer + _SEQUENCE, goal.ours + _SEQUENCE
    named = goal.goal._replace(what=goal.goal.what + _SEQUENCE)
    return named, _ratio(measured, goal.goal.case, peer, ours)


def _entries(measured: Measured) -> set[str]:
    return {entry for _, entry in measured.seconds}


def _best(measured: Measured, case: str, ending: str) -> str | None:
    """Returns the fastest of the entries whose names end so."""
    medians = {
        entry: statistics.median(seconds)
        for (at, entry), seconds in measured.seconds.items()
        if at == case and entry.endswith(ending)
    }
    return min(medians, key=medians.__getitem__, default=None)


def _ratio(measured: Measured, case: str, peer: str | None, ours: str | None) -> Spread | None:
    pair = [measured.seconds.get((case, name)) for name in (peer, ours)]
    return None if None in pair else ratios(*pair)


def _facts(facts: dict[str, dict[str, Any]]) -> str:
    patterns = {
        "seconds": ".1f",
        "memory over weights": ".2f",
        "MB": ".0f",
        "operators": "d",
        "of a block": "d",
    }
    rows = [
        (name, *(f"{found[key]:{pattern}}" for key, pattern in patterns.items()))
        for name, found in facts.items()
    ]
    return table(("", *patterns), rows)
