"""Exports a model for prediction only, to a folder that an engine runs."""

import dataclasses
import os
import pathlib
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from keras_bert_zh.arguments import check_choice, check_flag, check_path_to_write
from keras_bert_zh.checkpoints.readers.formats import contents
from keras_bert_zh.checkpoints.readers.json_files import read_json
from keras_bert_zh.checkpoints.writers.huggingface import write_configs
from keras_bert_zh.checkpoints.writers.model_card import CARD
from keras_bert_zh.export.calibration import calibration_batches
from keras_bert_zh.export.checkpoint import checkpoint_of, with_vocabulary
from keras_bert_zh.export.description import (
    CRF_SCORES,
    DESCRIPTION,
    Description,
    arguments_of,
)
from keras_bert_zh.export.exported_card import exported_card, is_ours
from keras_bert_zh.export.formats import LITERT, Format, Written
from keras_bert_zh.export.of_ids import OfIds
from keras_bert_zh.export.of_tensors import OfTensors, source_of
from keras_bert_zh.export.onnx.names import GRAPH, WEIGHTS
from keras_bert_zh.export.recast import all_in, recast
from keras_bert_zh.extras import imported
from keras_bert_zh.files.new_folder import check_place, new_folder
from keras_bert_zh.files.replaceable import SAVED_MODEL_FILES, Replaceable, unknown_files
from keras_bert_zh.heads.on_encoder import OnEncoder
from keras_bert_zh.heads.own_preprocess import own_preprocess
from keras_bert_zh.heads.sentence_encoder import SentenceEncoder
from keras_bert_zh.heads.token_tagger import TokenTagger
from keras_bert_zh.layers import kernels
from keras_bert_zh.preprocess import BertPreprocess
from keras_bert_zh.version import __version__

_USE = "This export"


def _write_savedmodel(
    source: OfIds | OfTensors, folder: pathlib.Path, dtype: str | None
) -> Written:
    from keras_bert_zh.export.savedmodel import write  # It imports TensorFlow.

    return write(source, folder, dtype)


def _write_onnx(source: OfIds, folder: pathlib.Path, dtype: str | None, **options: Any) -> Written:
    extras = dict.fromkeys(("onnx_ir", "onnxscript", "tf2onnx"), "onnx")
    if dtype == "int8":
        extras |= {"nncf": "nncf"} if "calibration" in options else {"onnxruntime": "onnx"}
    for module, extra in extras.items():
        imported(module, extra, _USE)
    from keras_bert_zh.export.onnx.write import write

    return write(source, folder, dtype, **options)


def _write_litert(source: OfIds, folder: pathlib.Path, dtype: str | None) -> Written:
    if dtype == "int8":
        imported("ai_edge_quantizer", "litert", _USE)
    from keras_bert_zh.export.litert import write  # It imports TensorFlow.

    return write(source, folder, dtype)


FORMATS = {
    "onnx": Format(
        _write_onnx,
        {"": (GRAPH, WEIGHTS)},
        ("float32", "float16", "bfloat16", "int8"),
        computes="float32",
        options=("calibration", "huggingface_names"),
    ),
    "savedmodel": Format(
        _write_savedmodel, SAVED_MODEL_FILES, ("float32", "bfloat16", "float16"), of_texts=True
    ),
    "litert": Format(_write_litert, {"": (LITERT,)}, ("float32", "float16", "int8"), "float32"),
}

# What is written beside the files of each format.
_BESIDE = (DESCRIPTION, CARD, CRF_SCORES, "config.json", "vocab.txt", "tokenizer_config.json")


def export_model(
    model: Any,
    folder: str | os.PathLike,
    format: str = "onnx",
    dtype: str | None = None,
    *,
    calibration: Any = None,
    huggingface_names: bool = False,
    preprocess: BertPreprocess | None = None,
    overwrite: bool = False,
) -> pathlib.Path:
    """Writes a model for prediction only, with everything that is needed to run it.

    The folder contains the model's file, `export.json`, with which `ExportedModel` runs it, and
    files for other programs: the vocabulary, `config.json` and `tokenizer_config.json` as in
    Transformers, and a model card. The weights of `model` do not change. The folder is written
    completely or not at all. TensorFlow backend only.

    Args:
        model: BertEncoder, MaskedLM, a model of texts such as TextClassifier, a functional
            `keras.Model`, or a `keras.Sequential` that begins with one of these or with
            BertPreprocess; Sequentials may be nested. The exported model takes pairs if a
            Sequential that begins with BertPreprocess was last called on pairs of texts, or if
            a model of texts has `takes_pairs` set, like SpanReader. Otherwise it takes single
            texts.
        folder: the path to write to.
        format: `"onnx"`, for ONNX Runtime, OpenVINO and others, without padding, which needs the
            extra `onnx`; `"savedmodel"`, for TensorFlow and TensorFlow Serving; or `"litert"`, for
            LiteRT on phones and other devices.
        dtype: `None`: `"float32"`, or the model's own dtype for a SavedModel. `"float16"` and
            `"bfloat16"`: a SavedModel computes in this dtype; the other formats store their
            weights in it, and the engine chooses the dtype that it computes in. `"int8"`, for
            ONNX and LiteRT: matrix products with weights use int8, with a quarter of the size.
        calibration: a few hundred texts like the model's future inputs, or the dict of their ids,
            for ONNX in int8: the value ranges of all products are measured on these texts, which
            is fastest in OpenVINO. It needs the extra `nncf`. Without it, ranges are measured in
            each batch, which is fastest in ONNX Runtime.
        huggingface_names: bool, whether the inputs of ONNX are `input_ids`, `attention_mask` and
            `token_type_ids`, int64, as other servers expect them.
        preprocess: BertPreprocess, for a model of ids, which then takes texts too.
        overwrite: bool, whether to replace a folder that contains an exported model and nothing
            else.

    Returns:
        The folder.

    Raises:
        TypeError: if `model` or `preprocess` has another type.
        ValueError: if `format` is not known or has no such `dtype`, the folder contains anything
            but an exported model, or the format can't compute from ids what the model computes
            from texts.
        FileExistsError: if the folder is not empty and `overwrite` is not set.
        OSError: if it can't be written.

    Example:

    >>> import tempfile
    >>> from keras_bert_zh import BertConfig, BertEncoder, export_model
    >>> config = BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=4)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     folder = export_model(BertEncoder(None, config=config), f"{place}/bert", "litert")
    ...     sorted(file.name for file in folder.iterdir())
    ['README.md', 'config.json', 'export.json', 'model.tflite']
    """
    kernels.require_tensorflow("export_model")
    found = FORMATS[check_choice("format", format, tuple(FORMATS))]
    if dtype is not None:
        check_choice("dtype", dtype, found.dtypes)
    options: dict[str, Any] = {} if calibration is None else {"calibration": calibration}
    if check_flag("huggingface_names", huggingface_names):
        options["huggingface_names"] = True
    _check_options(found, options, dtype)
    overwrite = check_flag("overwrite", overwrite)
    folder = check_path_to_write("folder", folder)
    source = source_of(model)
    computes = found.computes or dtype
    if computes is not None and not all_in(source.layers, computes):
        source = source_of(recast(model, computes))
    if dtype == found.computes:
        dtype = None
    source = _with_preprocess(source, preprocess)
    _check_length(source)
    if source.beyond_ids is not None and not found.of_texts:
        raise ValueError(source.beyond_ids)
    if calibration is not None:
        options["calibration"] = calibration_batches(source, calibration)
    check_place(folder, replaces=EXPORTED, overwrite=overwrite)
    with new_folder(folder, replaces=EXPORTED, overwrite=overwrite) as new:
        written = found.write(source, new, dtype, **options)
        described = describe(source, format, written)
        described.write(new)
        _write_beside(source, described, new)
    return folder


def _check_options(found: Format, options: dict[str, Any], dtype: str | None) -> None:
    """Raises ValueError if the format has no such options."""
    strange = sorted(options.keys() - set(found.options))
    if strange:
        takers = [name for name, each in FORMATS.items() if strange[0] in each.options]
        raise ValueError(f"{strange[0]} works only with format={' or '.join(map(repr, takers))}.")
    if "calibration" in options and dtype != "int8":
        raise ValueError(f'calibration works only with dtype="int8", got dtype={dtype!r}.')


def describe(source: OfIds | OfTensors, format: str, written: Written) -> Description:
    """Returns the description of a model that was written."""
    if isinstance(source, OfTensors):
        return Description(
            format, written.dtype, __version__, "tensors", written.inputs, source.outputs
        )
    head, preprocess, config = source.head, source.preprocess, source.encoder.config
    prompt, lower_first = "", False
    if isinstance(head, SentenceEncoder) and preprocess is not None:
        prompt, lower_first = head.prompt, head.pooling.lowercase and not preprocess.lowercase
    takes = "ids" if preprocess is None else "pairs" if source.takes_pairs else "texts"
    return Description(
        format=format,
        dtype=written.dtype,
        version=__version__,
        takes=takes,
        inputs=written.inputs,
        outputs=source.outputs,
        sizes=config.input_sizes,
        positions=config.max_position_embeddings,
        length=source.length,
        preprocess=preprocess and arguments_of(preprocess),
        stride=head and head.stride,
        scaled_after=source.scaled_after,
        prompt=prompt,
        lower_first=lower_first,
        text_names=source.text_names,
        labels=None if source.labels is None else list(source.labels),
        problem_type=getattr(head, "problem_type", None) if source.labels else None,
        task=source.task,
        of_texts_alone=source.beyond_ids is not None and source.preprocess is not None,
    )


def _with_preprocess(
    source: OfIds | OfTensors, preprocess: BertPreprocess | None
) -> OfIds | OfTensors:
    if preprocess is None:
        return source
    if isinstance(source, OfTensors) or source.preprocess is not None:
        raise ValueError(
            "The model takes texts or other tensors already, not ids: leave out preprocess."
        )
    if source.head is not None:
        raise ValueError(
            f"Pass preprocess= to {type(source.head).__name__}, not to export_model: it is then "
            "exported with the model."
        )
    found = own_preprocess(source.encoder, preprocess, None)
    return dataclasses.replace(source, preprocess=found)


def _check_length(source: OfIds | OfTensors) -> None:
    """Raises ValueError if the preprocess returns rows of another length than the model takes."""
    if isinstance(source, OfTensors) or source.preprocess is None:
        return
    if source.length not in (None, source.preprocess.max_length):
        raise ValueError(
            f"The preprocess returns rows of {source.preprocess.max_length} tokens, but the model "
            f"only takes rows of {source.length}: create a BertPreprocess with "
            f"max_length={source.length}."
        )


def _write_beside(source: OfIds | OfTensors, described: Description, folder: pathlib.Path) -> None:
    """Writes the vocabulary, a CRF's scores, the configurations for others, and the card."""
    (folder / CARD).write_text(exported_card(described), encoding="utf-8")
    if isinstance(source, OfTensors):
        return
    first, *others = source.layers
    is_whole = isinstance(first, OnEncoder) and not others
    if is_whole and isinstance(first, TokenTagger) and first.crf is not None:
        scores = {name: np.asarray(value) for name, value in first.crf.scores().items()}
        save_file(scores, folder / CRF_SCORES)
    checkpoint = checkpoint_of(first if is_whole else source.encoder)
    if source.preprocess is not None:
        checkpoint = with_vocabulary(checkpoint, source.preprocess)
    write_configs(checkpoint, folder)


def _check_exported(folder: pathlib.Path) -> None:
    """Raises ValueError unless the folder contains an exported model and nothing else."""
    if not (folder / DESCRIPTION).is_file():
        raise ValueError(f"It contains {contents(folder)}, but no {DESCRIPTION}.")
    # Another version may have written it, with other fields.
    format = read_json(folder / DESCRIPTION).get("format")
    if format not in FORMATS:
        raise ValueError(f"Its {DESCRIPTION} has the unknown format {format!r}.")
    files = FORMATS[format].files
    strange = next(unknown_files(folder, {**files, "": (*files.get("", ()), *_BESIDE)}), None)
    if strange:
        raise ValueError(f"It contains {strange}, which is not part of an exported model.")
    card = folder / CARD
    if card.is_file() and not is_ours(card):
        raise ValueError(f"Its {CARD} was not written by keras_bert_zh. Move that file elsewhere.")


EXPORTED = Replaceable("exported model", _check_exported)
