"""Seconds until the first step of `fit` is done, and of the steps after it.

    python -m benchmarks.first_step [--write] [--rounds N] [--only NAME ...] [--before CHECKOUT]

A classifier is trained on 32 reviews, cut at 128 tokens, in a new process for each contestant and
round. With `--before`, a checkout of an earlier version takes part too. `--write` saves the report
in `benchmarks/RESULTS.md`; `--small` uses a tiny encoder. Needs no peers.
"""

import pathlib
from collections.abc import Sequence

from benchmarks.contest import cores, ratios, spread
from benchmarks.contestants.start import check_installed, needs_of, start
from benchmarks.contestants.table import FIRST_STEPS
from benchmarks.options import make_parser, parse
from benchmarks.report import circumstances, table, write_section
from benchmarks.workloads import REVIEW_LENGTH, REVIEWS, draw_reviews

Replies = dict[tuple[str, bool], list[dict[str, float]]]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, FIRST_STEPS, rounds=3)
    parser.add_argument("--before", type=pathlib.Path, help="a checkout of an earlier version")
    options = parse(parser, arguments)
    check_installed(needs_of(FIRST_STEPS[name] for name in options.only))
    replies = compare(options.only, options.rounds, options.before, tiny=options.size == "small")
    report = show(replies, options.only, options.rounds)
    print(report)
    if options.write:
        write_section("First step", report)


def compare(
    names: Sequence[str], rounds: int, before: pathlib.Path | None, *, tiny: bool
) -> Replies:
    """Lets each train, before and after, one process at a time; returns each round's reply."""
    texts = draw_reviews()
    labels = [number % 2 for number in range(len(texts))]
    versions = [False] if before is None else [True, False]
    replies: Replies = {(name, old): [] for name in names for old in versions}
    for number in range(rounds):
        for name in names:
            # Each version comes first in every other round.
            for old in versions[:: -1 if number % 2 else 1]:
                kind = FIRST_STEPS[name]
                size, *others = kind.arguments
                place = str(before.resolve()) if old and before is not None else None
                contestant = start(kind.make, place, "small" if tiny else size, *others)
                replies[name, old].append(contestant.call("run", texts, labels).value)
                contestant.close()
    return replies


def show(replies: Replies, names: Sequence[str], rounds: int) -> str:
    """Returns the report as Markdown."""
    parts = [
        f"""\
`python -m benchmarks.first_step`: a classifier is fitted on {REVIEWS} reviews, cut at
{REVIEW_LENGTH}, by `adamw` unless it says otherwise, in a new process for each figure; {cores()}
core(s), {rounds} round(s). The first `fit` has one batch. Tracing is what Python takes to write its
graph, all times together; the rest is TensorFlow's optimisation of it, and the step itself. CPU
time is that of all cores, and says more than seconds where others use the machine. Median (range),
ratios of two figures of one round.""",
        circumstances(("tensorflow", "keras", "numpy")),
        _times(replies, names),
    ]
    if any(old for _, old in replies):
        parts += ["Before, and times as long as it takes now:", _earlier(replies, names)]
    return "\n\n".join(parts)


def _times(replies: Replies, names: Sequence[str]) -> str:
    header = ("", "first `fit`, s", "of CPU time", "tracing, s", "traces", "operations", "step, s")
    return table(header, [_row(name, replies[name, False]) for name in names])


def _row(name: str, found: list[dict[str, float]]) -> tuple[str, ...]:
    shown = [_spread(found, key) for key in ("first", "cpu", "tracing")]
    return (
        name,
        *shown,
        f"{found[0]['traces']}",
        f"{found[0]['operations']:,}",
        _spread(found, "step"),
    )


def _earlier(replies: Replies, names: Sequence[str]) -> str:
    rows = []
    for name in names:
        old, new = replies[name, True], replies[name, False]
        row = [name]
        for key in ("first", "cpu", "step"):
            times = ratios([reply[key] for reply in old], [reply[key] for reply in new])
            row += [_spread(old, key), times.show(".2f")]
        rows.append((*row, f"{old[0]['traces']}", f"{old[0]['operations']:,}"))
    header = ("", "first `fit`, s", "times", "of CPU time", "times", "step, s", "times")
    return table((*header, "traces", "operations"), rows)


def _spread(found: list[dict[str, float]], key: str) -> str:
    return spread([reply[key] for reply in found]).show(".2f")


if __name__ == "__main__":
    main()
