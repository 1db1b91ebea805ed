"""`inspect SOURCE`: shows what a checkpoint contains, and what is missing."""

import argparse
import json
import math
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from keras_bert_zh.checkpoints import Checkpoint, load_checkpoint
from keras_bert_zh.messages import listing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="a path or a URL, as for load_checkpoint")
    parser.add_argument("--json", action="store_true", help="print JSON, with every tensor")


def run(arguments: argparse.Namespace) -> int:
    found = describe(load_checkpoint(arguments.source))
    if arguments.json:
        print(json.dumps({"source": arguments.source, **found}, ensure_ascii=False, indent=2))
    else:
        Console().print(_table(arguments.source, found))
    return 0


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns a description of a checkpoint, as a dict for JSON."""
    weights, pooling = checkpoint.weights, checkpoint.pooling
    dtypes = weights.dtypes
    return {
        "format": checkpoint.format,
        "config": checkpoint.config.to_dict(),
        "parameters": sum(math.prod(shape) for shape in weights.shapes.values()),
        "vocabulary": None if checkpoint.vocabulary is None else len(checkpoint.vocabulary),
        "lowercase": checkpoint.lowercase,
        "heads": list(checkpoint.parts),
        "head": checkpoint.head and checkpoint.head.to_dict(),
        "pooling": pooling and pooling.to_dict() | {"unsupported": [*pooling.unsupported]},
        "missing": list(checkpoint.missing),
        "leftovers": list(checkpoint.leftovers),
        "tensors": [
            {"name": name, "shape": list(shape), "dtype": dtypes[name]}
            for name, shape in weights.shapes.items()
        ],
    }


def _table(source: str, found: dict[str, Any]) -> Table:
    table = Table(
        title=escape(source), title_justify="left", show_header=False, box=None, pad_edge=False
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    dtypes = sorted({tensor["dtype"] for tensor in found["tensors"]})
    rows = {
        "format": found["format"],
        **found["config"],
        "parameters": f"{found['parameters']:,}",
        "tensors": f"{len(found['tensors'])} of {', '.join(dtypes)}",
        "heads": ", ".join(found["heads"]) or "none",
        **_head(found["head"]),
        "vocabulary": f"{found['vocabulary']:,} tokens" if found["vocabulary"] else "not there",
        "lowercase": {True: "yes", False: "no", None: "not said"}[found["lowercase"]],
        "pooling": _pooling(found["pooling"]),
        "missing": ", ".join(found["missing"]) or "nothing",
        "not of BERT": listing(found["leftovers"], 6) or "nothing",
    }
    for name, value in rows.items():
        table.add_row(name, escape(str(value)))
    return table


def _head(head: dict[str, Any] | None) -> dict[str, str]:
    """Returns the rows that tell what a fine-tuned model is for."""
    if head is None:
        return {}
    rows = {name: head[name] for name in ("task", "problem_type") if head[name]}
    return rows | ({"labels": listing(head["labels"], 20)} if head["labels"] else {})


def _pooling(found: dict[str, Any] | None) -> str:
    """Returns how vectors are made of texts, in one line."""
    if found is None:
        return "not said"
    scaled = ", scaled to length 1" if found["normalize"] else ""
    lines = [f"{found['mode']}{scaled}, at most {found['max_length']} tokens"]
    if found["unsupported"]:
        lines.append(f"not computed here: {', '.join(found['unsupported'])}")
    for name, prompt in found["prompts"].items():
        default = ", by default" if name == found["default_prompt"] else ""
        lines.append(f"prompt {name!r}{default}: {prompt!r}")
    return "; ".join(lines)
