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
    "inspect": (inspect, "show what a checkpoint contains, and what is missing"),
    "convert": (convert, "write a checkpoint in another format"),
    "export": (export, "write a model for prediction only, for example as ONNX"),
    "embed": (embed, "compute the vectors of a whole corpus, as Parquet"),
    "search": (search, "search the vectors that embed wrote"),
    "serve": (serve, "serve a model over HTTP, with requests batched by tokens"),
    "verify": (verify, "compare the outputs of two checkpoints on random inputs"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: list of str, replaces the arguments of the process.

    Returns:
        0 on success, 1 if `verify` finds a difference, 2 after an error, which is reported in one
        line on standard error, 3 if a file that `embed` reads is damaged, 130 after Ctrl-C.
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
        subparser = commands.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + "."
        )
        subparser.add_argument(
            "--debug", action="store_true", help="show the full traceback of errors"
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def _show_warning(message: Warning | str, *where: Any, **more: Any) -> None:
    print(f"keras-bert-zh: warning: {message}", file=sys.stderr)


def _one_line(error: Exception) -> str:
    """Returns the first problem of a message, the number of further lines, and all advice.

    The notes of an error, such as the advice to delete a file, are never left out.
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
