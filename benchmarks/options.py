"""The command line that the comparisons of encoders share."""

import argparse
from collections.abc import Iterable, Sequence


def make_parser(
    description: str, names: Iterable[str], rounds: int, shown: Sequence[str] | None = None
) -> argparse.ArgumentParser:
    """Returns a parser of `rounds`, `write`, `only` and `size`, a key of `SIZES`.

    Args:
        description: the docstring of the module, whose first line is shown.
        names: of the contestants.
        rounds: how many there are if nothing else is said.
        shown: who takes part if nothing else is said; `None` stands for all.
    """
    names = list(names)
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--write", action="store_true", help="save the results in RESULTS.md")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=names,
        default=shown or names,
        help="the contestants: " + ", ".join(names),
    )
    parser.add_argument(
        "--small",
        dest="size",
        action="store_const",
        const="small",
        default="base",
        help="use a tiny encoder, to check that everything works",
    )
    return parser


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parses the arguments; figures of a tiny encoder are not kept."""
    options = parser.parse_args(arguments)
    if options.write and options.size != "base":
        parser.error("--small and --write exclude each other")
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return options
