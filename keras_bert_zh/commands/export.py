"""`export SOURCE FOLDER`: writes a model for inference."""

import argparse
from typing import Any

from keras_bert_zh.arguments import check_path_to_write
from keras_bert_zh.commands.options import DTYPES
from keras_bert_zh.export.sources import is_saved_model, model_of, read_saved_model
from keras_bert_zh.files.new_folder import check_place
from keras_bert_zh.files.utf8 import read_utf8

_OUTPUTS = ("pooled_output", "sequence_output")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a .keras file of a model, or a path or a URL, as for load_checkpoint",
    )
    parser.add_argument("folder", metavar="FOLDER", help="the folder to write")
    parser.add_argument(
        "--format",
        choices=("onnx", "savedmodel", "litert"),
        default="onnx",
        help="the format to write (default: %(default)s)",
    )
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        help="the dtype that weights are stored in, or products computed in (default: float32; "
        "for a SavedModel, the dtype of the model)",
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        help="a file of a few hundred texts, one per line, or pairs with a tab between them, to "
        "calibrate int8 products",
    )
    parser.add_argument(
        "--max-length", type=int, help="the most tokens of a text (default: as SOURCE says)"
    )
    parser.add_argument(
        "--output",
        choices=_OUTPUTS,
        help="the output of a checkpoint without a head (default: both)",
    )
    parser.add_argument(
        "--pairs", action="store_true", help="make a checkpoint a model of pairs of texts"
    )
    parser.add_argument(
        "--huggingface-names",
        action="store_true",
        help="name the ONNX inputs input_ids, attention_mask, token_type_ids, of dtype int64",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace FOLDER if it holds an exported model"
    )


def run(arguments: argparse.Namespace) -> int:
    from keras_bert_zh.export.model import EXPORTED, export_model
    from keras_bert_zh.export.of_ids import takes_pairs

    folder = check_path_to_write("folder", arguments.folder)
    check_place(folder, replaces=EXPORTED, overwrite=arguments.overwrite)
    if is_saved_model(arguments.source):
        model, preprocess = _saved(arguments), None
    else:
        model, preprocess = model_of(
            arguments.source,
            max_length=arguments.max_length,
            output=arguments.output,
            pairs=arguments.pairs,
        )
    calibration = None
    if arguments.calibration is not None:
        calibration = _texts(arguments.calibration, pairs=takes_pairs(model))
    folder = export_model(
        model,
        folder,
        arguments.format,
        arguments.dtype,
        calibration=calibration,
        huggingface_names=arguments.huggingface_names,
        preprocess=preprocess,
        overwrite=arguments.overwrite,
    )
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"Wrote {folder} ({arguments.format}, {size / 1e6:,.1f} MB).")
    return 0


def _saved(arguments: argparse.Namespace) -> Any:
    for name in ("max_length", "output", "pairs"):
        if getattr(arguments, name):
            option = f"--{name.replace('_', '-')}"
            raise ValueError(
                f"{option} applies to checkpoints only: a .keras file already holds this setting. "
                "Leave it out."
            )
    return read_saved_model(arguments.source)


def _texts(path: str, *, pairs: bool) -> Any:
    """Returns the texts of a file; of pairs, the two columns of its lines."""
    lines = [line for line in read_utf8(path).splitlines() if line.strip()]
    if not pairs:
        return lines
    columns = [line.split("\t") for line in lines]
    wrong = next((number for number, line in enumerate(columns, 1) if len(line) != 2), None)
    if wrong is not None:
        raise ValueError(f"{path}, text {wrong}: expected two texts with a tab between them.")
    return tuple(zip(*columns, strict=True))
