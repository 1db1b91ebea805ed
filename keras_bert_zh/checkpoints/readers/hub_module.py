"""Reads the SavedModel that `export/hub_module.py` writes, without running its graphs."""

import pathlib

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.readers.json_files import read_config
from keras_bert_zh.checkpoints.readers.tensorflow_files import OBJECTS, open_tensors, read_flag
from keras_bert_zh.checkpoints.schemes import Scheme
from keras_bert_zh.checkpoints.select import select
from keras_bert_zh.checkpoints.tensors import Tensor
from keras_bert_zh.vocabulary import read_checkpoint_vocabulary

NAME = "SavedModel of keras_bert_zh"
CONFIG = "assets/bert_config.json"
FILES = ("saved_model.pb", CONFIG, "variables/variables.index")

# The weights have our own names there. Heads of fine-tuned models are not among them.
_OWN = {name: name for name in names.SHAPES if names.part_of(name) in (None, *names.PRETRAINED)}
_SCHEME = Scheme(_OWN, transposed=(), leftovers=())


def is_hub_module(folder: pathlib.Path) -> bool:
    """Tells whether the folder contains a SavedModel that this package wrote."""
    ours = all((folder / name).is_file() for name in ("saved_model.pb", CONFIG))
    return ours and not (folder / "tfhub_module.pb").is_file()


def read(folder: pathlib.Path) -> Checkpoint:
    """Opens the SavedModel in this folder, as this package wrote it or TensorFlow saved it again.

    Raises:
        ValueError: if a file is damaged or missing, or the files do not match.
    """
    config = read_config(folder / CONFIG, gelu=None)
    prefix = folder / "variables" / "variables"
    attributes, variables, found = _objects(prefix)
    weights, leftovers = select(
        f"{prefix}.index does not contain the BERT that {CONFIG} describes.",
        found,
        _SCHEME,
        config,
        optional=names.PARTS,
    )
    vocabulary = None
    if "vocab_file" in attributes:
        vocabulary = read_checkpoint_vocabulary(
            folder / "assets" / "vocab.txt", config.vocab_size, padded=True
        )
    flag = variables.get("do_lower_case")
    lowercase = None if flag is None else read_flag(prefix, "do_lower_case", flag)
    return Checkpoint(config, vocabulary, lowercase, weights, NAME, leftovers)


def _objects(prefix: pathlib.Path) -> tuple[set[str], dict[str, Tensor], dict[str, Tensor]]:
    """Returns the names of the module's attributes, its variables and its weights by name."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    tensors = open_tensors(prefix)

    def children(node: int) -> dict[str, int]:
        return {child.local_name: child.node_id for child in nodes[node].children}

    def variables(node: int) -> dict[str, Tensor]:
        return {
            name: tensors[value.checkpoint_key]
            for name, child in children(node).items()
            for value in nodes[child].attributes
            if value.checkpoint_key in tensors
        }

    try:
        nodes = TrackableObjectGraph.FromString(tensors[OBJECTS].read()).nodes
        attributes = children(0)
        return set(attributes), variables(0), variables(attributes["weights"])
    except (DecodeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"{prefix}.index: {OBJECTS} does not list the weights of a module. If the module is "
            "part of another model in this file, save the module alone: with save_checkpoint, or "
            "with tf.saved_model.save(module, folder)."
        ) from error
