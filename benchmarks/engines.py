"""Seconds per call in ONNX Runtime and OpenVINO, our export against the usual one.

    python -m benchmarks.engines [--write] [--rounds N] [--only NAME ...] [--cases NAME ...]

`make bench-peers` installs the engines. The usual export is Transformers with `torch.onnx.export`.
All have the same weights, take the same NumPy arrays and return the pooled output as a NumPy array.
Their outputs are compared before anything is timed. Each has its own process on all cores.
`--write` saves the report in `benchmarks/RESULTS.md`; `--small` uses a tiny encoder.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.contestants.start import (
    Files,
    check_installed,
    needs_of,
    start,
    started,
    written_files,
)
from benchmarks.contestants.table import ENGINE_ENTRIES, ENGINE_KINDS, EXPORTS, Kind
from benchmarks.contestants.turns import Job, prepare, take_turns
from benchmarks.engines_report import Measured, show
from benchmarks.options import make_parser, parse
from benchmarks.report import write_section
from benchmarks.workloads import make_case

CASES = ("1x16", "8x128 full", "32x128 real", "8x512 real")
# What float32 may differ by from the usual export.
TOLERANCE = 1e-4


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    kinds = {name: ENGINE_KINDS[name] for name in options.only}
    check_installed(needs_of(kinds.values()))
    cases = {name: make_case(name) for name in options.cases}
    with written_files(kinds.values(), options.size) as files:
        facts = _export(kinds, files)
        with started(kinds, files) as contestants:
            entries = [entry for entry in ENGINE_ENTRIES if entry.kind in kinds]
            jobs = dict.fromkeys(cases, entries)
            inputs = {name: case.inputs for name, case in cases.items()}
            _, outputs = prepare(contestants, jobs, inputs)
            differences = _differences(outputs, kinds)
            seconds = take_turns(contestants, jobs, options.rounds)
    report = show(Measured(cases, files.sizes, facts, differences, seconds), options.rounds)
    print(report)
    if options.write:
        write_section("Engines", report)


def _export(kinds: Mapping[str, Kind], files: Files) -> dict[str, dict[str, Any]]:
    """Writes our exports that these contestants read, and returns what each took."""
    read = {str(argument) for kind in kinds.values() for argument in kind.arguments}
    facts = {}
    for name, arguments in EXPORTS.items():
        if any(path.startswith(f"{name}/") for path in read):
            make = "benchmarks.contestants.exported:Export"
            contestant = start(make, str(files.place), name, *arguments)
            facts[name] = contestant.call("facts").value
            contestant.close()
    return facts


def _differences(
    outputs: Mapping[Job, np.ndarray], kinds: Mapping[str, Kind]
) -> dict[str, tuple[float, float]]:
    """Returns the largest difference to float32, and the least cosine, of pooled outputs.

    Raises:
        SystemExit: if one in float32 differs by more than `TOLERANCE`.
    """
    pooled = [entry for entry in ENGINE_ENTRIES if entry.way == "pooled" and entry.kind in kinds]
    base = pooled[0].name
    found = {}
    for entry in pooled[1:]:
        largest, least = 0.0, 1.0
        for (case, name), output in outputs.items():
            if name != entry.name:
                continue
            reference = outputs[case, base]
            largest = max(largest, float(np.abs(output - reference).max()))
            cosines = (output * reference).sum(-1) / (
                np.linalg.norm(output, axis=-1) * np.linalg.norm(reference, axis=-1)
            )
            least = min(least, float(cosines.min()))
        if kinds[entry.kind].exact and not largest < TOLERANCE:
            raise SystemExit(f"{entry.name} differs by {largest:.1e} from {base}.")
        found[entry.name] = largest, least
    return found


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, ENGINE_KINDS, rounds=7)
    parser.add_argument("--cases", nargs="+", metavar="NAME", choices=CASES, default=CASES)
    return parse(parser, arguments)


if __name__ == "__main__":
    main()
