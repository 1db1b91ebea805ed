"""The report of `benchmarks.encoder`."""

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.contest import PAUSE, Spread, cores, ratios, spread
from benchmarks.goals import CEILING, CEILING_CASE, ENCODER, TEXT, RatioGoal, goals_table
from benchmarks.report import circumstances, installed, table
from benchmarks.workloads import REVIEWS, TEXT_CASE, Case, operations

PACKAGES = (
    "tensorflow",
    "keras",
    "keras-hub",
    "torch",
    "transformers",
    "onnxruntime",
    "openvino",
    "tensorflow-hub",
    "bert-tensorflow",
    "numpy",
)
PHASES = ("import", "load", "trace", "compile", "first call", "second call", "steady")
_BASES = ("ours float32", "ours bfloat16")
_SEQUENCE = ", `sequence_output`"


class Measured(NamedTuple):
    """What all turns gave.

    Args:
        cases: by name; texts are none.
        sizes: the fields of the `BertConfig`.
        looked_at: the case of the phases and of the hidden states that were compared.
        phases: seconds by phase, by entry.
        differences: the largest ones to our float32 by output, by kind.
        seconds: those of each round, by case and entry.
        ceilings: floating-point operations a second of each round, by dtype.
        equal_tokens: for how many reviews Keras Hub has the tokens that ours has.
    """

    cases: dict[str, Case]
    sizes: dict[str, Any]
    looked_at: str
    phases: dict[str, dict[str, float]]
    differences: dict[str, dict[str, float]]
    seconds: dict[tuple[str, str], list[float]]
    ceilings: dict[str, list[float]]
    equal_tokens: int | None


def show(measured: Measured, rounds: int) -> str:
    """Returns the report as Markdown."""
    parts = [
        f"""\
`python -m benchmarks.encoder`: an encoder of {_describe(measured.sizes)}.
NumPy arrays in, the pooled output as one out; each contestant in a process of its own that may use
{cores()} core(s), {rounds} rounds in turns, {PAUSE} s apart. Median (range) of the rounds, ratios
of two times of one round.""",
        circumstances(installed(PACKAGES)),
    ]
    names = dict.fromkeys(case for case, _ in measured.seconds)
    parts += [_case(measured, name) for name in names]
    parts += [
        "Goals; ratios are a peer's time over ours:",
        goals_table(_goals(measured)),
        "Share of the ceiling: operations in matrix products of real tokens (`operations` in\n"
        "`benchmarks/workloads.py`), over what TensorFlow's best matrix product makes:",
        table(("", "GFLOP/s", "share"), _shares(measured)),
        f"Largest difference to our float32 on real tokens, hidden states in {measured.looked_at}:",
        table(("", "`pooled_output`", "`sequence_output`"), _differences(measured)),
        f"Phases in seconds, {measured.looked_at}; ways of one contestant share `import` and\n"
        "`load`. XLA compiles within its first call: `compile` is what that takes longer than the\n"
        "second. ONNX Runtime and OpenVINO compile while they load.",
        table(("", *PHASES), [_phases(measured, name) for name in measured.phases]),
    ]
    return "\n\n".join(parts)


def _describe(sizes: dict[str, Any]) -> str:
    return (
        f"{sizes['num_hidden_layers']} blocks, {sizes['hidden_size']} wide, vocabulary "
        f"{sizes['vocab_size']:,}"
    )


def _case(measured: Measured, name: str) -> str:
    title = f"{name}, from strings:"
    if name == TEXT_CASE:
        if measured.equal_tokens is not None:
            title += f" Keras Hub's ids are ours for {measured.equal_tokens} of {REVIEWS} reviews."
    else:
        case = measured.cases[name]
        title = f"{name}: {case.lengths.sum():,} real tokens of {case.mask.size:,}."
    entries = [entry for case, entry in measured.seconds if case == name]
    bases = [base for base in _BASES if base in entries]
    rows = []
    for entry in entries:
        seconds = measured.seconds[name, entry]
        milliseconds = spread([1000 * value for value in seconds]).show(".1f")
        compared = [
            "" if entry == base else ratios(seconds, measured.seconds[name, base]).show(".2f")
            for base in bases
        ]
        rows.append((entry, milliseconds, *compared))
    header = ("", "ms", *(f"over {base}" for base in bases))
    return f"**{title}**\n\n{table(header, rows)}"


def _goals(measured: Measured) -> list[tuple[Any, Spread | None]]:
    found = []
    for goal in ENCODER:
        found.append((goal.goal, _ratio(measured, goal, goal.ours)))
        sequence = goal.goal._replace(what=goal.goal.what + _SEQUENCE)
        of_sequence = _ratio(measured, goal, goal.ours + _SEQUENCE)
        if of_sequence is not None:
            found.append((sequence, of_sequence))
    shares = {dtype: _share(measured, f"ours {dtype}", dtype) for dtype in CEILING}
    found += [(goal, shares[dtype]) for dtype, goal in CEILING.items()]
    return [*found, (TEXT.goal, _ratio(measured, TEXT, TEXT.ours))]


def _ratio(measured: Measured, goal: RatioGoal, ours: str) -> Spread | None:
    pair = [measured.seconds.get((goal.goal.case, name)) for name in (goal.peer, ours)]
    return None if None in pair else ratios(*pair)


def _share(measured: Measured, entry: str, dtype: str) -> Spread | None:
    rates = _rates(measured, entry)
    return None if rates is None else ratios(rates, measured.ceilings[dtype])


def _rates(measured: Measured, entry: str) -> list[float] | None:
    """Returns operations a second of each round."""
    seconds = measured.seconds.get((CEILING_CASE, entry))
    if seconds is None:
        return None
    work = operations(
        measured.cases[CEILING_CASE].lengths, measured.sizes, sequence=entry.endswith(_SEQUENCE)
    )
    return [work / value for value in seconds]


def _shares(measured: Measured) -> list[tuple[str, ...]]:
    rows = []
    for dtype, ceiling in measured.ceilings.items():
        rows.append((f"the ceiling, {dtype}", _billions(ceiling), ""))
        for entry in (f"ours {dtype}", f"ours {dtype}{_SEQUENCE}"):
            rates = _rates(measured, entry)
            if rates is not None:
                share = ratios(rates, ceiling).show(".2f")
                rows.append((f"{entry}, {CEILING_CASE}", _billions(rates), share))
    return rows


def _billions(rates: list[float]) -> str:
    return spread([rate / 1e9 for rate in rates]).show(",.0f")


def _differences(measured: Measured) -> list[tuple[str, ...]]:
    outputs = ("pooled_output", "sequence_output")
    return [
        (kind, *(f"{found[output]:.1e}" if output in found else "" for output in outputs))
        for kind, found in measured.differences.items()
    ]


def _phases(measured: Measured, entry: str) -> Sequence[str]:
    steady = statistics.median(measured.seconds[measured.looked_at, entry])
    phases = measured.phases[entry] | {"steady": steady}
    return (entry, *(f"{phases[name]:.3f}" if name in phases else "" for name in PHASES))
