"""Warns about the parts of a model outside its BERT: they are neither read nor written."""

import pathlib
import re
import warnings
from collections.abc import Collection

from keras_bert_zh.messages import listing

# How the name of ERNIE's embeddings of tasks ends in Transformers.
TASK_TABLE = "embeddings.task_type_embeddings.weight"


def warn_of_head(
    path: pathlib.Path,
    tensors: Collection[str],
    model: object = None,
    labels: object = None,
) -> None:
    """Warns that the head of a fine-tuned model is not read.

    Args:
        path: the file that contains it, or the prefix of the files.
        tensors: the names of its tensors; if there are none, there is no warning.
        model: the class name of the whole model; ignored unless it is a str.
        labels: `id2label` of its configuration; ignored unless it is a dict.
    """
    if not tensors:
        return
    named = listing(sorted(tensors), 4)
    owner = f" of {model}" if isinstance(model, str) else ""
    named_labels = ""
    if isinstance(labels, dict) and labels:
        named_labels = f", and neither are its labels (id2label: {listing(labels.values(), 6)})"
    warnings.warn(
        f"{path}: the head{owner} is not read ({named}){named_labels}. Train a new "
        "head on the outputs of BertEncoder. save_checkpoint and convert write the model without "
        "its head.",
        stacklevel=2,
    )


def warn_of_tasks(config: pathlib.Path, tensors: Collection[str]) -> None:
    """Warns that ERNIE's task embeddings are not used, because the configuration omits them.

    Args:
        config: the path of the configuration.
        tensors: the names of the unused tensors; if there are no task embeddings among them, there
            is no warning.
    """
    tables = [name for name in tensors if name.endswith(TASK_TABLE)]
    if tables:
        warnings.warn(
            f"{config} does not set use_task_id for an ERNIE, so {tables[0]} is not used, as in "
            "Transformers. If the model was trained with it, set model_type to "
            '"ernie" and use_task_id to true there.',
            stacklevel=2,
        )


def warn_of_modules(folder: pathlib.Path) -> None:
    """Warns about files of Sentence Transformers that do not define the pooling."""
    names = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")
    found = [name for name in names if (folder / name).is_file()]
    found += [p.name for p in sorted(folder.iterdir()) if re.fullmatch(r"\d+_Pooling", p.name)]
    if not found:
        return
    warnings.warn(
        f"{folder} has files of Sentence Transformers, but no modules.json that defines the "
        f"pooling. The BERT is read, but these files are not: {', '.join(found)}. Pass pooling to "
        "SentenceEncoder. save_checkpoint and convert write the BERT without them.",
        stacklevel=2,
    )
