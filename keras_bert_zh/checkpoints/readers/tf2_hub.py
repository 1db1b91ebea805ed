"""Reads a TF2 Hub SavedModel, the format of TensorFlow Model Garden's BERT on tfhub.dev."""

import collections
import pathlib
import re
import types
from collections.abc import Iterable, Mapping
from typing import Any

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.readers.tensorflow_files import OBJECTS, open_tensors, read_flag
from keras_bert_zh.checkpoints.schemes import SPLIT_HEADS, TF2_HUB, TF2_HUB_OLDER, Scheme
from keras_bert_zh.checkpoints.select import select
from keras_bert_zh.checkpoints.tensors import Tensor
from keras_bert_zh.config import BertConfig
from keras_bert_zh.vocabulary import is_lowercase, read_checkpoint_vocabulary

NAME = "TF2 Hub SavedModel"

FILES = ("saved_model.pb", "variables/variables.index")


def missing_files(folder: pathlib.Path) -> list[str]:
    """Returns the names in `FILES` that are not in the folder."""
    return [name for name in FILES if not (folder / name).is_file()]


def is_tf2_hub(folder: pathlib.Path) -> bool:
    """Tells whether the folder contains a SavedModel that is not a TF1 Hub module."""
    return not missing_files(folder) and not (folder / "tfhub_module.pb").is_file()


def read(folder: pathlib.Path) -> Checkpoint:
    """Opens the SavedModel in this folder, without running its graphs.

    Versions 1 to 4 of `tensorflow/bert_zh_L-12_H-768_A-12` are supported; their variables have
    different names and shapes. They do not store `initializer_range`: it has BertConfig's default.
    If no token has a capital letter, a flag that says text is not lower-cased is ignored.

    Raises:
        ValueError: if a file is damaged, the files do not match, or they are not an encoder's.
    """
    # It imports TensorFlow, which the package does without until a checkpoint is read.
    from keras_bert_zh.checkpoints.readers import tf2_graph

    graph = tf2_graph.read(folder / "saved_model.pb")
    layers = graph.hyperparameters["num_hidden_layers"]
    prefix = folder / "variables" / "variables"
    tensors, lowercase = _by_full_name(prefix)
    scheme = _scheme_of(tensors)
    tensors, split = _with_joined_heads(tensors, scheme, layers)
    theirs = names.translation(scheme.names, layers, ("pooler", "masked_lm"))
    sizes = names.sizes({o: tensors[name].shape for o, name in theirs.items() if name in tensors})
    note = f" (attention's axes [{split[0]}, {split[1]}] are joined into one)" if split else ""
    weights, leftovers = select(
        f"{prefix}.index does not contain the BERT encoder that saved_model.pb describes{note}.",
        tensors,
        scheme,
        types.SimpleNamespace(**graph.hyperparameters, **sizes),
    )
    heads = split[0] if split else graph.num_attention_heads
    if heads is None:
        raise ValueError(
            f"{folder}: num_attention_heads can't be found; expected attention kernels with an "
            "axis for heads, or shapes in saved_model.pb that split kernels into heads."
        )
    try:
        config = BertConfig(num_attention_heads=heads, **graph.hyperparameters, **sizes)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
    vocabulary = None
    if graph.vocabulary_file is not None:
        vocabulary = read_checkpoint_vocabulary(
            folder / "assets" / graph.vocabulary_file, config.vocab_size
        )
    if lowercase is False and vocabulary and is_lowercase(vocabulary):
        # Exporters before 2.3 wrote False unless the vocabulary's path said "uncased".
        lowercase = None
    return Checkpoint(config, vocabulary, lowercase, weights, NAME, leftovers)


def _by_full_name(prefix: pathlib.Path) -> tuple[dict[str, Tensor], bool | None]:
    """Returns the tensors by the names of their variables, and do_lower_case."""
    from keras_bert_zh.checkpoints.readers import tf2_graph

    tensors = open_tensors(prefix)
    content = tensors[OBJECTS].read() if OBJECTS in tensors else None
    if not isinstance(content, bytes):
        raise ValueError(
            f"{prefix}.index has no {OBJECTS}, in which TensorFlow 2 stores the names of the "
            f"variables. The file has {len(tensors)} tensors."
        )
    objects = tf2_graph.read_objects(f"{prefix}.data-*: {OBJECTS}", content)
    absent = [name for key, name in objects.full_names.items() if key not in tensors]
    if absent:
        raise ValueError(
            f"{prefix}.index does not have variables that {OBJECTS} names: {', '.join(absent)}."
        )
    full_names = objects.full_names
    if objects.lowercase is not None:
        full_names = full_names | {objects.lowercase: "do_lower_case"}
    times = collections.Counter(full_names.values())
    by_name = {}
    for key, tensor in tensors.items():
        name = full_names.get(key)
        # Names of variables need not be unique; those of tensors are.
        by_name[name if name and times[name] == 1 else key] = _renamed(tensor, name or key)
    if objects.lowercase is None:
        return by_name, None
    return by_name, read_flag(prefix, "do_lower_case", tensors[objects.lowercase])


def _renamed(tensor: Tensor, name: str) -> Tensor:
    """Returns the tensor with a more helpful name in error messages than variables/N."""

    def read() -> Any:
        try:
            return tensor.read()
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    return tensor._replace(read=read)


def _scheme_of(tensors: Iterable[str]) -> Scheme:
    """Returns the names that this file uses, which may be old names."""
    found = {}
    for name in tensors:
        theirs = newer = re.sub(r"\blayer_\d+", "layer_{i}", name)
        for older, part in TF2_HUB_OLDER:
            newer = re.sub(older, part, newer)
        found[newer] = theirs
    return TF2_HUB._replace(
        names={ours: found.get(name, name) for ours, name in TF2_HUB.names.items()}
    )


def _with_joined_heads(
    tensors: Mapping[str, Tensor], scheme: Scheme, layers: int
) -> tuple[dict[str, Tensor], tuple[int, int] | None]:
    """Returns the tensors without axes for heads, and the most common heads and head size.

    Tensors with other sizes are left unchanged, so that they are reported.
    """
    axes = {
        scheme.names[ours].format(i=i): (axes.index("num_attention_heads"), len(axes))
        for ours, axes in SPLIT_HEADS.items()
        for i in range(layers)
    }
    split = {
        name: (axis, tensors[name].shape[axis : axis + 2])
        for name, (axis, rank) in axes.items()
        if name in tensors and len(tensors[name].shape) == rank
    }
    if not split:
        return dict(tensors), None
    votes = collections.Counter(sizes for _, sizes in split.values())
    ((heads, head_size), _), *_ = votes.most_common()
    joined = dict(tensors)
    for name, (axis, sizes) in split.items():
        if sizes == (heads, head_size):
            shape = tensors[name].shape
            shape = (*shape[:axis], heads * head_size, *shape[axis + 2 :])
            joined[name] = tensors[name].reshaped(shape)
    return joined, (heads, head_size)
