"""`export SOURCE FOLDER`: writes a model for prediction alone."""

import argparse
import pathlib
from typing import Any

from keras_bert_zh.arguments import check_int, check_path_to_write
from keras_bert_zh.files.new_folder import check_place

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
        choices=("float16", "bfloat16", "int8"),
        help="what weights are stored or computed in (default: that of the model)",
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        help="a file of some hundred texts, one a line, for products in int8 by their ranges",
    )
    parser.add_argument(
        "--max-length", type=int, help="the most tokens of a text (default: that of the source)"
    )
    parser.add_argument(
        "--output",
        choices=_OUTPUTS,
        help="the output of a checkpoint without a head (default: both)",
    )
    parser.add_argument(
        "--huggingface-names",
        action="store_true",
        help="inputs of ONNX are input_ids, attention_mask, token_type_ids, int64",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace FOLDER if it holds an exported model"
    )


def run(arguments: argparse.Namespace) -> int:
    from keras_bert_zh.export.model import EXPORTED, export_model

    folder = check_path_to_write("folder", arguments.folder)
    check_place(folder, replaces=EXPORTED, overwrite=arguments.overwrite)
    calibration = None if arguments.calibration is None else _lines(arguments.calibration)
    if pathlib.Path(arguments.source).suffix == ".keras":
        model, preprocess = _saved(arguments), None
    else:
        model, preprocess = _of_checkpoint(arguments)
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
    for name in ("max_length", "output"):
        if getattr(arguments, name) is not None:
            raise ValueError(
                f"--{name.replace('_', '-')} is for checkpoints: a .keras file has a model that "
                "knows it."
            )
    import keras

    return keras.saving.load_model(arguments.source, compile=False)


def _of_checkpoint(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Returns the model of a checkpoint, by its head, and the preprocess of one without."""
    from keras_bert_zh.checkpoints import load_checkpoint
    from keras_bert_zh.encoder import BertEncoder
    from keras_bert_zh.heads.sentence_encoder import SentenceEncoder
    from keras_bert_zh.heads.span_reader import SpanReader
    from keras_bert_zh.heads.text_classifier import TextClassifier
    from keras_bert_zh.heads.token_tagger import TokenTagger
    from keras_bert_zh.preprocess import BertPreprocess

    length = arguments.max_length
    if length is not None:
        check_int("--max-length", length, 2)
    heads = {
        "sequence_classification": TextClassifier,
        "token_classification": TokenTagger,
        "question_answering": SpanReader,
    }
    checkpoint = load_checkpoint(arguments.source)
    head = None if checkpoint.head is None else heads[checkpoint.head.task]
    if head is None and checkpoint.pooling is not None and not checkpoint.pooling.unsupported:
        head = SentenceEncoder
    if head is not None:
        if arguments.output is not None:
            raise ValueError(
                f"--output is for checkpoints without a head; this one is a {head.__name__}."
            )
        return head(checkpoint, max_length=length), None
    positions = checkpoint.config.max_position_embeddings
    preprocess = BertPreprocess(checkpoint, max_length=length or min(128, positions))
    return BertEncoder(checkpoint, output_key=arguments.output), preprocess


def _lines(path: str) -> list[str]:
    text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    return [line for line in text.split("\n") if line.strip()]
