"""Detects the format of the checkpoint at a path; the name of the path does not matter."""

import functools
import pathlib
import re
from collections.abc import Callable

from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.readers import (
    hub_module,
    huggingface,
    keras_hub,
    original,
    tf1_hub,
    tf2_hub,
)
from keras_bert_zh.checkpoints.readers.weight_files import kind_in
from keras_bert_zh.checkpoints.sources import nearby
from keras_bert_zh.checkpoints.weight_kinds import KINDS, SAFETENSORS, safest
from keras_bert_zh.messages import listing

READABLE = f"""Supported formats:
- {tf1_hub.NAME}: a folder with {", ".join(tf1_hub.FILES)} and assets/;
- {tf2_hub.NAME}: a folder with {", ".join(tf2_hub.FILES)} and assets/;
- {hub_module.NAME}: a folder with {", ".join(hub_module.FILES)};
- {original.NAME}: a folder with bert_model.ckpt.index, bert_model.ckpt.data-*, \
{original.CONFIG} and vocab.txt, or the prefix FOLDER/bert_model.ckpt;
- {huggingface.NAME}: a folder with {huggingface.CONFIG}, vocab.txt and one of \
{", ".join(kind.file for kind in KINDS)}, or shards and their index;
- {keras_hub.NAME}: a folder with {keras_hub.CONFIG}, {keras_hub.WEIGHTS}, {keras_hub.TOKENIZER} \
and {keras_hub.VOCABULARY}."""

_SHARDS_OF_KERAS_HUB = (
    "The shards of a Keras Hub preset are not supported. Load it with keras_hub and call "
    f"save_to_preset(folder, max_shard_size=None), which writes {keras_hub.WEIGHTS}."
)

_HDF5 = b"\x89HDF\r\n\x1a\n"
_SAVE = "Then save_checkpoint(encoder, folder) writes its BertEncoder as a checkpoint"


def read(path: pathlib.Path) -> Checkpoint:
    """Reads the checkpoint in this folder or, for google-research/bert, with this prefix.

    Raises:
        OSError: if there is nothing at the path.
        ValueError: if the folder does not contain exactly one checkpoint in a supported format, or
            if its files are damaged.
    """
    if not path.exists():
        if path.with_name(f"{path.name}.index").is_file():
            return original.read(path)
        raise FileNotFoundError(f"{path} does not exist. {nearby.advice(path)}")
    if not path.is_dir():
        raise NotADirectoryError(f"{path} {_file(path)}")
    found = formats_in(path)
    if not found:
        raise ValueError(f"{path} does not contain a checkpoint: {_contents(path)}.{_advice(path)}")
    if len(found) > 1:
        raise ValueError(
            f"{path} contains more than one checkpoint: {' and '.join(found)}. Move all but one to "
            "other folders, or pass the prefix of a google-research/bert checkpoint, such as "
            "FOLDER/bert_model.ckpt."
        )
    (reader,) = found.values()
    return reader()


def formats_in(folder: pathlib.Path) -> dict[str, Callable[[], Checkpoint]]:
    """Returns the readers of the formats that are in the folder, by the names of the formats."""
    found: dict[str, Callable[[], Checkpoint]] = {}
    if tf1_hub.is_tf1_hub(folder):
        found[tf1_hub.NAME] = lambda: tf1_hub.read(folder)
    elif hub_module.is_hub_module(folder):
        found[hub_module.NAME] = lambda: hub_module.read(folder)
    elif tf2_hub.is_tf2_hub(folder):
        found[tf2_hub.NAME] = lambda: tf2_hub.read(folder)
    kind = kind_in(folder)
    prefixes = original.prefixes(folder)
    # A folder may contain a TensorFlow checkpoint and files converted from it: the original is
    # read. A model.safetensors next to it is an error, since both are equally safe.
    if kind == SAFETENSORS or (kind and not found and not prefixes):
        found[huggingface.NAME] = lambda: huggingface.read(folder)
    if keras_hub.is_keras_hub(folder):
        found[keras_hub.NAME] = lambda: keras_hub.read(folder)
    for prefix in prefixes:
        found[f"{original.NAME} {prefix.name}"] = functools.partial(original.read, prefix)
    return found


def _file(path: pathlib.Path) -> str:
    """Returns what a file is, and what to do about it."""
    if path.name in (keras_hub.WEIGHTS, keras_hub.TASK_WEIGHTS) and formats_in(path.parent):
        return f"is one file of a {keras_hub.NAME}. Did you mean {path.parent}?"
    said = None if safest([path.name]) else _of_keras(path)
    return said or f"is a file, not the folder of a checkpoint.{_owner(path)}"


def _of_keras(path: pathlib.Path) -> str | None:
    """Returns what the message says about a file that Keras wrote."""
    if not path.is_file():
        return None
    if path.suffix == ".keras":
        return (
            "is a saved Keras model, not a checkpoint. Open it with "
            f"keras.saving.load_model after `import keras_bert_zh`. {_SAVE}."
        )
    with path.open("rb") as file:
        if file.read(len(_HDF5)) == _HDF5:
            return (
                "is an HDF5 file, such as the weights that Keras saves, not a checkpoint. Build "
                f"the model again and call its load_weights. {_SAVE}."
            )
    return None


def _owner(path: pathlib.Path) -> str:
    """Returns the path to use instead of a file that is part of a checkpoint."""
    prefix = re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", path.name)
    if path.with_name(f"{prefix}.index").is_file():
        return f" Did you mean the prefix {path.with_name(prefix)}?"
    return f" Did you mean {path.parent}?" if formats_in(path.parent) else f"\n{READABLE}"


def contents(folder: pathlib.Path) -> str:
    """Returns the names of the first files and folders in the folder."""
    return listing(sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir()), 8)


def _contents(folder: pathlib.Path) -> str:
    entries = contents(folder)
    held = f"it contains {entries}" if entries else "it is empty"
    format_ = tf1_hub if (folder / tf1_hub.FILES[0]).is_file() else tf2_hub
    missing = format_.missing_files(folder)
    return held if len(missing) == len(format_.FILES) else f"{held}, but no {', '.join(missing)}"


def _advice(folder: pathlib.Path) -> str:
    if (folder / "export.json").is_file():
        return " It is a folder that export_model wrote: run it with ExportedModel."
    if (folder / "model.weights.json").is_file():
        return f" {_SHARDS_OF_KERAS_HUB}"
    # The folder variables/ is part of a SavedModel, and looks like a checkpoint.
    folders = [entry for entry in sorted(folder.iterdir()) if entry.is_dir()]
    inner = [entry for entry in folders if entry.name != "variables" and formats_in(entry)]
    if inner:
        return f" Did you mean {inner[0]}?"
    for entry in sorted(folder.iterdir()):
        if entry.suffix in (".keras", ".h5") and (kind := _of_keras(entry)):
            return f" {entry.name} {kind}"
    return f"\n{READABLE}"
