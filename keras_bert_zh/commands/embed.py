"""`embed INPUT... --output FOLDER`: the vectors of a corpus, as Parquet."""

import argparse
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from keras_bert_zh.arguments import check_int, check_path_to_write
from keras_bert_zh.checkpoints.pooling import MODES
from keras_bert_zh.commands.options import DTYPES, ENGINES
from keras_bert_zh.corpus.arrow import arrow
from keras_bert_zh.corpus.inputs import ENDINGS
from keras_bert_zh.corpus.names import REJECTS
from keras_bert_zh.corpus.options import Options

# The exit status where a file is cut short or damaged.
_DAMAGED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = Options()
    parser.add_argument(
        "input",
        metavar="INPUT",
        nargs="+",
        help=f"files, or folders of files, whose names end in {ENDINGS}",
    )
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        required=True,
        help="the folder to write; the same command continues a run that was stopped",
    )
    parser.add_argument(
        "--checkpoint",
        default=default.checkpoint,
        help="a path or a URL, as for load_checkpoint, or a folder that export has written "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--column",
        default=default.column,
        help="the column of the texts; its number, counted from 0, for CSV without a header "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--keep",
        metavar="COLUMN",
        action="append",
        default=[],
        help="a column to write next to the vectors, as strings; may be given several times",
    )
    parser.add_argument(
        "--pooling",
        choices=MODES,
        help="how the vector of a text is computed (default: as CHECKPOINT says)",
    )
    parser.add_argument(
        "--normalize", action="store_true", default=None, help="scale vectors to length 1"
    )
    parser.add_argument("--prompt", help="the name of CHECKPOINT's prompt to put before each text")
    parser.add_argument(
        "--max-length", type=int, help="the most tokens of a text (default: as CHECKPOINT says)"
    )
    parser.add_argument(
        "--no-truncate", action="store_true", help="reject longer texts (default: cut them)"
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        help="the engine that computes (default: tensorflow; for a folder of export, the first "
        "engine of its format)",
    )
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        help="the dtype that weights are stored in, or products computed in (default: float32)",
    )
    parser.add_argument("--half", action="store_true", help="write vectors in float16")
    parser.add_argument(
        "--chunk-rows",
        type=int,
        default=default.chunk_rows,
        help="the number of rows in one output file (default: %(default)s)",
    )
    parser.add_argument(
        "--batch-tokens",
        type=int,
        default=default.batch_tokens,
        help="the number of tokens in a batch (default: %(default)s)",
    )
    parser.add_argument(
        "--workers", type=int, help="compute on this number of Ray workers, not in this process"
    )
    parser.add_argument("--address", help="compute on this Ray cluster, such as auto")


def run(arguments: argparse.Namespace) -> int:
    for name, least in {"chunk_rows": 1, "batch_tokens": 1, "workers": 1, "max_length": 2}.items():
        if getattr(arguments, name) is not None:
            check_int(f"--{name.replace('_', '-')}", getattr(arguments, name), least)
    folder = check_path_to_write("folder", arguments.output)
    arrow()
    column = arguments.column
    options = Options(
        checkpoint=arguments.checkpoint,
        column=int(column) if column.isdecimal() and column.isascii() else column,
        keep=tuple(arguments.keep),
        pooling=arguments.pooling,
        normalize=arguments.normalize,
        prompt=arguments.prompt,
        max_length=arguments.max_length,
        truncate=not arguments.no_truncate,
        engine=arguments.engine,
        dtype=arguments.dtype,
        half=arguments.half,
        chunk_rows=arguments.chunk_rows,
        batch_tokens=arguments.batch_tokens,
    )
    from keras_bert_zh.corpus.job import embed_corpus

    with _Bar() as bar:
        done = embed_corpus(
            arguments.input,
            folder,
            options,
            workers=arguments.workers,
            address=arguments.address,
            progress=bar,
        )
    print(f"Wrote {folder}: {done.vectors:,} vectors, {done.rejected:,} rejected rows.")
    print(f"In this run: {bar.said()}.")
    if done.rejected or done.damaged:
        print(f"{folder / REJECTS} lists the rows without a vector, and the reasons.")
    for name in done.damaged:
        print(f"{name} is incomplete or damaged: the rows that can't be read have no vectors.")
    return _DAMAGED if done.damaged else 0


class _Bar:
    """A bar of rows, with how fast they are done in this run."""

    def __init__(self):
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        console = Console(stderr=True)
        self._reading = console.status("Reading the files and loading the model")
        self._bar = Progress(*columns, TimeRemainingColumn(), console=console)
        self._task = None
        self._begun = 0.0
        self._rows = self._tokens = self._rejected = 0

    def __enter__(self):
        self._reading.start()
        return self

    def __exit__(self, *raised):
        self._reading.stop()
        if self._task is not None:
            self._bar.stop()

    def __call__(self, total, rows, tokens, rejected):
        self._rejected += rejected
        if self._task is None:  # What was there before. An error draws no bar.
            self._reading.stop()
            self._bar.start()
            self._begun = time.perf_counter()
            self._task = self._bar.add_task("", total=total, completed=rows)
            return
        self._rows, self._tokens = self._rows + rows, self._tokens + tokens
        said = f"{self.said()}, {self._rejected:,} rejected"
        self._bar.update(self._task, advance=rows, description=said)

    def said(self) -> str:
        """Returns how fast rows were done."""
        seconds = max(time.perf_counter() - self._begun, 1e-9)
        rates = (f"{count / seconds:,.0f}" for count in (self._rows, self._tokens))
        return "{} texts/s, {} tokens/s".format(*rates)
