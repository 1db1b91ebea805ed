"""How the seconds per call grow with batch size, length and fill, in three plots.

    python -m benchmarks.growth [--write] [--rounds N] [--only NAME ...]

`make bench-peers` installs the peers. As in `benchmarks.encoder`, each contestant has its own
process on all cores, and all take turns. `--write` saves the table in `benchmarks/RESULTS.md` and
the plots in `docs/images/speed.png`; `--picture PATH` writes the plots elsewhere; `--small` uses a
tiny encoder.
"""

import argparse
import pathlib
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.contest import Contestant, cores, spread
from benchmarks.contestants.start import check_installed, needs_of, started, written_files
from benchmarks.contestants.table import ENTRIES, KINDS
from benchmarks.options import make_parser, parse
from benchmarks.report import circumstances, installed, table, write_section
from benchmarks.workloads import Series, evenly_real, filled, make_case

PICTURE = pathlib.Path(__file__).parents[1] / "docs" / "images" / "speed.png"
PACKAGES = ("tensorflow", "keras", "keras-hub", "torch", "transformers", "openvino", "numpy")
SHOWN = (
    "ours-float32",
    "ours-bfloat16",
    "keras-hub-float32",
    "openvino-bfloat16",
    "pytorch-bfloat16",
)
NAMES = {entry.kind: entry.name for entry in ENTRIES if entry.way == "pooled"}

Seconds = dict[tuple[str, str], list[float]]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    kinds = {name: KINDS[name] for name in options.only}
    check_installed(needs_of(kinds.values()) | {"matplotlib": "matplotlib"})
    chosen = all_series(options.most)
    with (
        written_files(kinds.values(), options.size) as files,
        started(kinds, files) as contestants,
    ):
        seconds = compare(contestants, chosen, options.rounds)
    report = show(chosen, options.only, seconds, options.rounds)
    print(report)
    picture = options.picture or (PICTURE if options.write else None)
    if picture:
        from benchmarks.growth_picture import draw

        medians = {key: statistics.median(found) for key, found in seconds.items()}
        picture.parent.mkdir(parents=True, exist_ok=True)
        draw(picture, chosen, {name: NAMES[name] for name in options.only}, medians)
    if options.write:
        write_section("Growth", report)


def all_series(most: int) -> list[Series]:
    """Returns what is drawn, of each at most so many cases."""
    batches = (1, 2, 4, 8, 16, 32, 64)[:most]
    lengths = (16, 32, 64, 128, 256, 512)[:most]
    shares = (0.1, 0.25, 0.5, 0.75, 1.0)[:most]
    return [
        Series("Batches of reviews, length 128", "rows", {b: evenly_real(b, 128) for b in batches}),
        Series(
            "Batches of 8, no padding",
            "tokens of a row",
            {length: make_case(f"8x{length} full") for length in lengths},
        ),
        Series(
            "Batches of 32, length 128",
            "share of real tokens",
            {share: filled(32, 128, share) for share in shares},
            logarithmic=False,
        ),
    ]


def compare(
    contestants: Mapping[str, Contestant], chosen: Sequence[Series], rounds: int
) -> Seconds:
    """Lets the contestants take turns at every case; returns the seconds by case and contestant."""
    # Case by name, since series may share one.
    cases = {case.name: case for series in chosen for case in series.cases.values()}
    for case in cases.values():
        for contestant in contestants.values():
            contestant.take_turn("warm_up", "pooled", case.name, case.inputs)
    seconds = {(case, name): [] for case in cases for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        # Each comes after another in the next round.
        first = number % len(names)
        for case in cases:
            for name in names[first:] + names[:first]:
                taken = contestants[name].take_turn("run", "pooled", case)
                seconds[case, name].append(taken)
    return seconds


def show(chosen: Sequence[Series], names: Sequence[str], seconds: Seconds, rounds: int) -> str:
    """Returns the report as Markdown."""
    parts = [
        f"""\
`python -m benchmarks.growth`: milliseconds of a call, each contestant in a process of its own on
{cores()} core(s); median (range) over {rounds} rounds in turns.""",
        circumstances(installed(PACKAGES)),
    ]
    for series in chosen:
        header = (series.label, "real tokens", *(NAMES[name] for name in names))
        rows = [
            (
                f"{value:.0%}" if value <= 1 and not series.logarithmic else f"{value}",
                f"{case.lengths.sum():,}",
                *(_milliseconds(seconds[case.name, name]) for name in names),
            )
            for value, case in series.cases.items()
        ]
        parts += [f"**{series.title}**", table(header, rows)]
    return "\n\n".join(parts)


def _milliseconds(seconds: Sequence[float]) -> str:
    return spread([1000 * value for value in seconds]).show(".1f")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, NAMES, rounds=3, shown=SHOWN)
    parser.add_argument("--picture", type=pathlib.Path, help="where to write the plots")
    parser.add_argument("--most", type=int, default=7, help="the most cases in a plot")
    return parse(parser, arguments)


if __name__ == "__main__":
    main()
