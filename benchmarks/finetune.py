"""Seconds and peak memory of a fine-tuning step, ours and peers'. Linux only.

    python -m benchmarks.finetune [--write] [--rounds N] [--only NAME ...]

`make bench-peers` installs the peers. In every round, each contestant has a new process, in which
it trains a classifier for three steps of forward, loss, backward and AdamW. All start with the same
weights and get the same inputs. `--write` saves the report in `benchmarks/RESULTS.md`; `--small`
uses a tiny encoder.
"""

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.contest import Spread, cores, ratios, spread
from benchmarks.contestants.start import Files, check_installed, needs_of, start, written_files
from benchmarks.contestants.table import TRAININGS
from benchmarks.goals import FINETUNE, FINETUNE_CASE, MEMORY, goals_table
from benchmarks.options import make_parser, parse
from benchmarks.report import circumstances, installed, table, write_section
from benchmarks.workloads import make_case

STEPS = 3
PACKAGES = ("tensorflow", "keras", "keras-hub", "torch", "transformers", "numpy")
_MIB = 2**20
_BASES = ("ours float32", "ours mixed_bfloat16")


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(make_parser(__doc__, TRAININGS, rounds=3), arguments)
    kinds = {name: TRAININGS[name] for name in options.only}
    check_installed(needs_of(kinds.values()))
    with written_files(kinds.values(), options.size) as files:
        replies = compare(files, options.only, options.rounds)
    report = show(replies, files.sizes, options.rounds)
    print(report)
    if options.write:
        write_section("Fine-tuning", report)


def compare(files: Files, names: Sequence[str], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Lets the contestants train in turns, one process at a time; returns each round's reply."""
    inputs = make_case(FINETUNE_CASE).inputs
    replies = {name: [] for name in names}
    for number in range(rounds):
        # Each comes after another in the next round.
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            kind = TRAININGS[name]
            contestant = start(kind.make, str(files.place), *kind.arguments)
            reply = contestant.call("run", inputs, STEPS).value
            contestant.close()
            if not np.isfinite(reply["losses"]).all():
                raise SystemExit(f"{name} has losses of {reply['losses']}.")
            replies[name].append(reply | contestant.phases)
    return replies


def show(replies: dict[str, list[dict[str, Any]]], sizes: dict[str, Any], rounds: int) -> str:
    """Returns the report as Markdown."""
    seconds = {
        name: [statistics.mean(reply["seconds"][1:]) for reply in found]
        for name, found in replies.items()
    }
    peaks = {name: [reply["peak"] for reply in found] for name, found in replies.items()}
    added = {
        name: [reply["peak"] - reply["before"] for reply in found]
        for name, found in replies.items()
    }
    reached = [(goal.goal, _ratio(seconds, goal.peer, goal.ours)) for goal in FINETUNE]
    for peak, where in ((peaks, ""), (added, ", beside imports")):
        reached += [
            (goal.goal._replace(what=goal.goal.what + where), _ratio(peak, goal.ours, goal.peer))
            for goal in MEMORY
        ]
    case = make_case(FINETUNE_CASE)
    return f"""\
`python -m benchmarks.finetune`: a classifier on an encoder of {sizes["num_hidden_layers"]} blocks,
{sizes["hidden_size"]} wide, {FINETUNE_CASE}: {case.lengths.sum():,} real tokens of
{case.mask.size:,}; {cores()} core(s). In each of {rounds} rounds each contestant has a new process,
alone, and takes {STEPS} steps of forward, loss, backward and AdamW; the first one traces and
compiles and stands apart. Median (range) over the rounds, ratios of two figures of one round.

{circumstances(installed(PACKAGES))}

{_times(replies, seconds)}

Memory is what is resident at most, with and without what was resident after the imports:

{_memory(peaks, added)}

Goals; ratios of times are a peer's over ours, ratios of memory ours over a peer's:

{goals_table(reached)}"""


def _times(replies: dict[str, list[dict[str, Any]]], seconds: dict[str, list[float]]) -> str:
    bases = [base for base in _BASES if base in seconds]
    rows = []
    for name, found in replies.items():
        first = spread([reply["seconds"][0] for reply in found]).show(".2f")
        ratio = ["" if name == base else _ratio(seconds, name, base).show(".2f") for base in bases]
        rows.append((name, spread(seconds[name]).show(".2f"), *ratio, first))
    header = ("", "s a step", *(f"over {base}" for base in bases), "first step, s")
    return table(header, rows)


def _memory(peaks: dict[str, list[int]], added: dict[str, list[int]]) -> str:
    rows = []
    for name in peaks:
        mebibytes = [spread([value / _MIB for value in part[name]]) for part in (peaks, added)]
        rows.append((name, *(part.show(",.0f") for part in mebibytes)))
    return table(("", "peak, MiB", "beside imports, MiB"), rows)


def _ratio(values: dict[str, list[float]], name: str, base: str) -> Spread | None:
    return ratios(values[name], values[base]) if {name, base} <= values.keys() else None


if __name__ == "__main__":
    main()
