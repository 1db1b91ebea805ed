"""Reads a TF1 Hub module, the format in which BERT was first published on tfhub.dev."""

import pathlib
import types

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.checkpoints.readers import fine_tuned
from keras_bert_zh.checkpoints.readers.beside_bert import warn_of_head
from keras_bert_zh.checkpoints.readers.tensorflow_files import open_tensors
from keras_bert_zh.checkpoints.schemes import TF1
from keras_bert_zh.checkpoints.select import select
from keras_bert_zh.config import BertConfig
from keras_bert_zh.vocabulary import read_checkpoint_vocabulary

NAME = "TF1 Hub module"

# tensorflow_hub, too, tells this format from a TF2 SavedModel by the first of them.
FILES = ("tfhub_module.pb", "saved_model.pb", "variables/variables.index")


def missing_files(folder: pathlib.Path) -> list[str]:
    """Returns the names in `FILES` that are not in the folder."""
    return [name for name in FILES if not (folder / name).is_file()]


def is_tf1_hub(folder: pathlib.Path) -> bool:
    """Tells whether the folder contains the files of a TF1 Hub module."""
    return not missing_files(folder)


def read(folder: pathlib.Path) -> Checkpoint:
    """Reads the module in this folder, without running its graph.

    Raises:
        ValueError: if a file is damaged or the files do not match.
    """
    # It imports TensorFlow, which the package does without until a checkpoint is read.
    from keras_bert_zh.checkpoints.readers import tf1_graph

    graph = tf1_graph.read(folder / "saved_model.pb")
    prefix = folder / "variables" / "variables"
    tensors = open_tensors(prefix)
    theirs = names.translation(TF1.names, graph.hyperparameters["num_hidden_layers"])
    sizes = names.sizes({o: tensors[name].shape for o, name in theirs.items() if name in tensors})
    found = fine_tuned.find(tensors, TF1, sizes["hidden_size"])
    weights, leftovers = select(
        f"{prefix}.index does not contain the BERT encoder that the module's graph describes.",
        {name: tensor for name, tensor in tensors.items() if name not in found.unread},
        TF1,
        types.SimpleNamespace(**graph.hyperparameters, **sizes),
    )
    try:
        config = BertConfig(**graph.hyperparameters, **sizes)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
    if config.num_attention_heads * graph.head_size != config.hidden_size:
        raise ValueError(
            f"{folder}: the graph has {config.num_attention_heads} heads of size "
            f"{graph.head_size}, but hidden_size is {config.hidden_size}."
        )
    vocabulary = read_checkpoint_vocabulary(
        folder / "assets" / graph.vocabulary_file, config.vocab_size
    )
    leftovers += found.unread
    warn_of_head(prefix, found.unread)
    head = fine_tuned.original_head(prefix, {}, found)
    return Checkpoint(config, vocabulary, graph.lowercase, weights, NAME, leftovers, head=head)
