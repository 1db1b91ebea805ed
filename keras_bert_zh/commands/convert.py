"""`convert SOURCE FOLDER`: writes a checkpoint in another format."""

import argparse
import dataclasses

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from keras_bert_zh.arguments import check_path_to_write
from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.checkpoints.writers import FORMATS
from keras_bert_zh.checkpoints.writers.checkpoint_folder import CHECKPOINT
from keras_bert_zh.files.new_folder import check_place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="a path or a URL, as for load_checkpoint")
    parser.add_argument("folder", metavar="FOLDER", help="the folder to write")
    parser.add_argument("--format", choices=FORMATS, required=True, help="the format to write")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace FOLDER if it holds a checkpoint"
    )


def run(arguments: argparse.Namespace) -> int:
    folder = check_path_to_write("folder", arguments.folder)
    check_place(folder, replaces=CHECKPOINT, overwrite=arguments.overwrite)
    checkpoint = load_checkpoint(arguments.source)
    from keras_bert_zh.export.checkpoint import save_checkpoint

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        # Not visible before there is something to show: what is refused draws no bar.
        task = progress.add_task("tensors written", total=len(checkpoint.weights), visible=False)
        watched = checkpoint.weights.watched(
            lambda name: progress.update(task, advance=1, visible=True)
        )
        folder = save_checkpoint(
            dataclasses.replace(checkpoint, weights=watched),
            arguments.folder,
            arguments.format,
            overwrite=arguments.overwrite,
        )
    print(f"Wrote {folder} ({checkpoint.format} -> {arguments.format}).")
    return 0
