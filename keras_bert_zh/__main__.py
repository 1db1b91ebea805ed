"""The command line: `python -m keras_bert_zh`, or `keras-bert-zh` where it is installed."""

import argparse
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import keras_bert_zh
from keras_bert_zh.commands import convert, embed, export, inspect, search, serve, verify

_COMMANDS = {
    "inspect": (inspect, "show what a checkpoint holds, and what it lacks"),
    "convert": (convert, "write a checkpoint in another format"),
    "export": (export, "write a model for prediction alone, as ONNX for instance"),
    "embed": (embed, "make vectors of whole corpora, as Parquet"),
    "search": (search, "find rows of what embed has written"),
    "serve": (serve, "answer requests over HTTP, in batches of tokens"),
    "verify": (verify, "compare what two checkpoints compute on random inputs"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: list of str, instead of those of the process.

    Returns:
        0 if all is well, 1 if `verify` finds a difference, 2 after an error, which is reported in
        one line on standard error, 3 if a file that `embed` reads is damaged, 130 if it is stopped
        by Ctrl-C.
    """
    parsed = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return parsed.run(parsed)
    except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
        if parsed.debug:
            traceback.print_exc()
            return 2
        print(f"keras-bert-zh: error: {_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("keras-bert-zh: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keras-bert-zh", description=keras_bert_zh.__doc__)
    parser.add_argument("--version", action="version", version=keras_bert_zh.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (command, summary) in _COMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=summary.capitalize() + ".")
        subparser.add_argument("--debug", action="store_true", help="show errors whole")
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def _show_warning(message: Warning | str, *where: Any, **more: Any) -> None:
    print(f"keras-bert-zh: warning: {message}", file=sys.stderr)


def _one_line(error: Exception) -> str:
    """Returns the first problem that a message names, how many lines there are beyond, and advice.

    What the notes of an error advise, to delete a file for instance, is never left out.
    """
    lines = [line.strip() for line in f"{error}".splitlines() if line.strip()]
    # A list of problems begins after a colon.
    count = 2 if lines and lines[0].endswith("found:") else 1
    shown = " ".join(lines[:count]) or type(error).__name__
    more = len(lines) - count
    beyond = [f"... ({more} more lines with --debug)"] if more > 0 else []
    return " ".join([shown, *beyond, *getattr(error, "__notes__", [])])


if __name__ == "__main__":
    sys.exit(main())
