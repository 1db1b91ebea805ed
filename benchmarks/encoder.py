"""Seconds per call of an encoder, ours and peers', each in its own process on all cores.

    python -m benchmarks.encoder [--write] [--rounds N] [--only NAME ...] [--cases NAME ...]

`make bench-peers` installs the peers. All have the same weights, take the same NumPy arrays and
return the pooled output as a NumPy array. Their outputs are compared before anything is timed.
`--write` saves the report in `benchmarks/RESULTS.md`; `--small` uses a tiny encoder.
"""

import argparse
from collections.abc import Container, Iterable, Mapping, Sequence

import numpy as np

from benchmarks.contest import Contestant
from benchmarks.contestants.start import Files, check_installed, needs_of, started, written_files
from benchmarks.contestants.table import CEILING_KIND, ENTRIES, KINDS, TEXT_ENTRIES, Entry
from benchmarks.contestants.turns import Job, prepare, take_turns
from benchmarks.encoder_report import Measured, show
from benchmarks.goals import CEILING
from benchmarks.options import make_parser, parse
from benchmarks.report import write_section
from benchmarks.workloads import (
    REVIEW_CASE,
    TEXT_CASE,
    Case,
    draw_reviews,
    make_case,
)

CASES = ("1x16", "8x128 full", "32x128 real", "8x512 real", "8x512 full", REVIEW_CASE, TEXT_CASE)
# What float32 may differ by from ours.
TOLERANCE = 1e-4
# Phases and hidden states are looked at in one case, the first of these that is run.
_LOOKED_AT = ("8x128 full", "32x128 real", *CASES)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    kinds = {name: KINDS[name] for name in options.only}
    check_installed(needs_of(kinds.values()))
    with (
        written_files(kinds.values(), options.size) as files,
        started(kinds | {"ceiling": CEILING_KIND}, files) as contestants,
    ):
        measured = compare(contestants, files, options.cases, options.rounds)
    report = show(measured, options.rounds)
    print(report)
    if options.write:
        write_section("Encoder", report)


def compare(
    contestants: Mapping[str, Contestant], files: Files, names: Sequence[str], rounds: int
) -> Measured:
    """Checks that the contestants agree and lets them take turns."""
    cases = _make_cases(names, files)
    texts = draw_reviews() if TEXT_CASE in names else []
    inputs = {name: case.inputs for name, case in cases.items()}
    if texts:
        inputs[TEXT_CASE] = texts
    jobs = _make_jobs(inputs, contestants)
    looked_at = next(name for name in _LOOKED_AT if name in jobs)

    prepared, outputs = prepare(contestants, jobs, inputs)
    phases = prepared[looked_at]
    differences = _differences(contestants, cases, outputs, looked_at)
    equal = _equal_tokens(contestants, texts)
    ceilings: dict[str, list[float]] = {dtype: [] for dtype in CEILING}

    def ceiling():
        for dtype, rates in ceilings.items():
            rates.append(contestants["ceiling"].take_turn("run", dtype))

    seconds = take_turns(contestants, jobs, rounds, before=ceiling)
    return Measured(cases, files.sizes, looked_at, phases, differences, seconds, ceilings, equal)


def _make_jobs(names: Iterable[str], contestants: Container[str]) -> dict[str, list[Entry]]:
    jobs = {}
    for name in names:
        entries = TEXT_ENTRIES if name == TEXT_CASE else ENTRIES
        taking_part = [entry for entry in entries if entry.kind in contestants]
        if taking_part:
            jobs[name] = taking_part
    if not jobs:
        raise SystemExit(f"None of those chosen takes part in {', '.join(names)}.")
    return jobs


def _make_cases(names: Sequence[str], files: Files) -> dict[str, Case]:
    cases = {}
    for name in names:
        if name == REVIEW_CASE:
            cases[name] = Case(name, files.reviews)
        elif name != TEXT_CASE:
            cases[name] = make_case(name)
    return cases


def _differences(
    contestants: Mapping[str, Contestant],
    cases: Mapping[str, Case],
    outputs: Mapping[Job, np.ndarray],
    looked_at: str,
) -> dict[str, dict[str, float]]:
    """Returns the largest differences to our float32, by kind and output.

    Raises:
        SystemExit: if one in float32 is above `TOLERANCE`.
    """
    pooled = {entry.name: entry.kind for entry in ENTRIES if entry.way != "sequence"}
    found = {kind: {} for kind in contestants if kind in KINDS}
    if "ours-float32" not in contestants or looked_at not in cases:
        return found
    for (case, entry), output in outputs.items():
        if case in cases and entry in pooled:
            difference = float(np.abs(output - outputs[case, "ours float32"]).max())
            of_kind = found[pooled[entry]]
            # Unlike max, this keeps NaN.
            largest = np.maximum(difference, of_kind.get("pooled_output", 0.0))
            of_kind["pooled_output"] = float(largest)
    case = cases[looked_at]
    ours = contestants["ours-float32"].call("output", "sequence", case.inputs).value
    for kind, of_kind in found.items():
        if not KINDS[kind].sequence:
            continue
        theirs = contestants[kind].call("output", "sequence", case.inputs).value
        of_kind["sequence_output"] = float(np.abs(theirs - ours)[case.mask].max())
    wrong = {
        kind: of_kind
        for kind, of_kind in found.items()
        if KINDS[kind].exact and not all(value < TOLERANCE for value in of_kind.values())
    }
    if wrong:
        raise SystemExit(f"Outputs differ from ours by more than {TOLERANCE:g}: {wrong}")
    return found


def _equal_tokens(contestants: Mapping[str, Contestant], texts: list[str]) -> int | None:
    """Returns for how many texts Keras Hub has the tokens that ours has."""
    if not texts or not {"ours-float32", "keras-hub-float32"} <= contestants.keys():
        return None
    ours, theirs = (
        contestants[kind].call("tokens", texts).value
        for kind in ("ours-float32", "keras-hub-float32")
    )
    return int((ours == theirs).all(1).sum())


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, KINDS, rounds=7)
    parser.add_argument("--cases", nargs="+", metavar="NAME", choices=CASES, default=CASES)
    return parse(parser, arguments)


if __name__ == "__main__":
    main()
