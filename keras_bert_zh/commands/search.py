"""`search FOLDER QUERY`: finds the rows of a corpus that are closest to a text."""

import argparse
import json
import pathlib
import sys

from keras_bert_zh.arguments import check_int
from keras_bert_zh.corpus.arrow import arrow
from keras_bert_zh.corpus.names import MODEL, PLAN, REJECTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="a folder that embed has written")
    parser.add_argument("query", metavar="QUERY", help="the text to search for")
    parser.add_argument(
        "--top", type=int, default=5, help="the number of rows to show (default: %(default)s)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object per row, for other programs"
    )


def run(arguments: argparse.Namespace) -> int:
    top = check_int("--top", arguments.top, 1)
    folder = pathlib.Path(arguments.folder)
    arrow()
    from keras_bert_zh.corpus.embedder import Embedder
    from keras_bert_zh.corpus.plan import read_plan
    from keras_bert_zh.corpus.search import search

    plan = read_plan(folder)
    if plan is None:
        raise FileNotFoundError(
            f"{folder} does not contain {PLAN}, which the command embed writes: pass a folder that "
            "embed has written."
        )
    options = plan.options
    embedder = Embedder(folder / MODEL, options["engine"], options["batch_tokens"])
    query = embedder([arguments.query]).vectors[0]
    if not (folder / REJECTS).is_file():  # The last that is written.
        print(f"The run in {folder} is not finished: only a part is searched.", file=sys.stderr)
    for found in search(folder, plan, query, top):
        if arguments.json:
            row = {"score": found.score, "source": found.source, "row": found.row, **found.kept}
            print(json.dumps(row, ensure_ascii=False))
        else:
            kept = "".join(f"  {value}" for value in found.kept.values())
            print(f"{found.score:.4f}  {found.source}:{found.row}{kept}")
    return 0
