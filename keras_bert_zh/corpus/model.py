"""The model of a corpus, exported once into its folder, for resumed runs and for queries."""

import pathlib
import shutil
from collections.abc import Iterable
from typing import Any

from keras_bert_zh.corpus.options import Options
from keras_bert_zh.engines.load import FORMATS
from keras_bert_zh.export.description import is_exported
from keras_bert_zh.export.model import export_model
from keras_bert_zh.files.new_folder import new_folder
from keras_bert_zh.heads.sentence_encoder import SentenceEncoder

# OpenVINO computes in int8 by the ranges of so many texts.
CALIBRATED_ON = 300


def make_model(folder: pathlib.Path, options: Options, texts: Iterable[str]) -> None:
    """Writes the model of a corpus.

    Args:
        folder: where to.
        options: what the model is, and what is to run it.
        texts: those that int8 is calibrated on, if it is.

    Raises:
        ValueError, OSError, ImportError: as `SentenceEncoder` and `export_model` raise them; for
            options that an exported model has decided already.
    """
    decided: dict[str, Any] = {
        "pooling": options.pooling,
        "normalize": options.normalize,
        "prompt": options.prompt,
        "max_length": options.max_length,
    }
    source, dtype = options.checkpoint, options.dtype
    if is_exported(source):
        given = [name for name, value in (decided | {"dtype": dtype}).items() if value is not None]
        if given:
            raise ValueError(
                f"{source} is an exported model, and its {given[0]} was set at export: leave out "
                f"--{given[0].replace('_', '-')}."
            )
        with new_folder(folder) as new:
            shutil.copytree(source, new, dirs_exist_ok=True)
        return
    if source == "small" and options.pooling is None:
        decided["pooling"] = "pooled_output"  # For which it is trained.
    engine = options.engine or "tensorflow"
    by_ranges = (engine, dtype) == ("openvino", "int8")
    export_model(
        SentenceEncoder(source, **decided),
        folder,
        FORMATS[engine],
        dtype,
        calibration=[*texts] if by_ranges else None,
    )
