"""Reads a TF1 Hub module, the format in which BERT was first published on tfhub.dev."""

import pathlib
import types
from collections.abc import Mapping

import numpy as np

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.checkpoint import Checkpoint
from keras_bert_zh.config import BertConfig

# tensorflow_hub, too, tells this format from a TF2 SavedModel by the first of them.
FILES = ("tfhub_module.pb", "saved_model.pb", "variables/variables.index")


def missing_files(folder: pathlib.Path) -> list[str]:
    """Returns those of `FILES` that the folder lacks."""
    return [name for name in FILES if not (folder / name).is_file()]


def is_tf1_hub(folder: pathlib.Path) -> bool:
    """Tells whether the folder holds the files of a TF1 Hub module."""
    return not missing_files(folder)


def read(folder: pathlib.Path) -> Checkpoint:
    """Reads the module in this folder; its graph is not run.

    Raises:
        ValueError: if a file is damaged or the files do not fit together.
    """
    # It imports TensorFlow, which the package does without until a checkpoint is read.
    from keras_bert_zh.checkpoints import tf1_graph

    graph = tf1_graph.read(folder / "saved_model.pb")
    weights = _weights(folder / "variables" / "variables", graph.hyperparameters)
    try:
        config = BertConfig(
            **graph.hyperparameters, **names.sizes({k: v.shape for k, v in weights.items()})
        )
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
    if config.num_attention_heads * graph.head_size != config.hidden_size:
        raise ValueError(
            f"{folder}: the graph has {config.num_attention_heads} heads of size "
            f"{graph.head_size}, but hidden_size is {config.hidden_size}."
        )
    vocabulary = _vocabulary(folder / "assets" / graph.vocabulary_file)
    if len(vocabulary) != config.vocab_size:
        raise ValueError(
            f"{folder / 'assets' / graph.vocabulary_file} has {len(vocabulary)} lines, expected "
            f"one for each of the {config.vocab_size} rows of the word embeddings."
        )
    return Checkpoint(config, vocabulary, graph.lowercase, weights)


def _weights(prefix: pathlib.Path, hyperparameters: Mapping) -> dict[str, np.ndarray]:
    """Reads the tensors of a TensorFlow checkpoint, under our names."""
    import tensorflow as tf

    if set("*?[") & set(str(prefix)):
        raise ValueError(
            f"{prefix}: TensorFlow takes *, ? and [ in this path for a pattern. Rename the folder."
        )
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        found = {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
        dtypes = reader.get_variable_to_dtype_map()
    except Exception as error:  # The reader raises anything from OpError to IndexError.
        raise ValueError(f"{prefix}.index can't be read: {error}") from error
    theirs = names.translation(names.TF1, hyperparameters["num_hidden_layers"])
    _check(prefix, hyperparameters, theirs, found, dtypes)
    weights = {}
    for ours, name in theirs.items():
        try:
            weights[ours] = reader.get_tensor(name)
        except Exception as error:
            raise ValueError(f"{prefix}.data-*: {name} can't be read: {error}") from error
    return weights


def _check(prefix, hyperparameters, theirs, found, dtypes) -> None:
    sizes = names.sizes({ours: found[name] for ours, name in theirs.items() if name in found})
    expected = names.shapes(types.SimpleNamespace(**hyperparameters, **sizes))
    problems = names.differences(
        {theirs[ours]: shape for ours, shape in expected.items()}, found, names.TF1_LEFTOVERS
    )
    problems += [
        f"not float32: {name} is {dtypes[name].name}"
        for name in theirs.values()
        if name in found and dtypes[name].name != "float32"
    ]
    if problems:
        raise ValueError(
            f"{prefix}.index does not hold the BERT encoder that the module's graph describes. "
            f"{len(problems)} found:\n  " + "\n  ".join(problems)
        )


def _vocabulary(path: pathlib.Path) -> tuple[str, ...]:
    """Reads tokens as google-research/bert's `load_vocab` does: split on line feeds, stripped."""
    try:
        text = path.read_bytes().decode("utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ValueError(
            f"{path} is no file, but the module's graph names it as the vocabulary."
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text, one token a line: {error}.") from error
    # Not splitlines: two tokens of the Chinese vocabulary hold U+2028, a line separator.
    return tuple(line.strip() for line in text.removesuffix("\n").split("\n")) if text else ()
