"""Warns of what a model has beside its BERT: it is not read, and so not written either."""

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
    """Warns of a head of a fine-tuned model that is not read.

    Args:
        path: the file, or the prefix of the files, that it is in.
        tensors: the names of its tensors; if there are none, nothing is said.
        model: what the makers call the whole model, if that is a str.
        labels: `id2label` of its configuration, if that is a dict.
    """
    if not tensors:
        return
    named = listing(sorted(tensors), 4)
    owner = f" of {model}" if isinstance(model, str) else ""
    named_labels = ""
    if isinstance(labels, dict) and labels:
        named_labels = f", nor what its outputs mean (id2label: {listing(labels.values(), 6)})"
    warnings.warn(
        f"{path}: the head{owner} is not read ({named}){named_labels}. BertEncoder gives "
        "the outputs that it took, for a new head to be trained on. save_checkpoint and convert "
        "write the model without it.",
        stacklevel=2,
    )


def warn_of_tasks(config: pathlib.Path, tensors: Collection[str]) -> None:
    """Warns of ERNIE's embeddings of tasks, where the configuration leaves them out.

    Args:
        config: the path of the configuration.
        tensors: the names of the tensors that are not used; if they are not among them, nothing is
            said.
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
    """Warns of files of Sentence Transformers that do not say how hidden states are pooled."""
    names = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")
    found = [name for name in names if (folder / name).is_file()]
    found += [p.name for p in sorted(folder.iterdir()) if re.fullmatch(r"\d+_Pooling", p.name)]
    if not found:
        return
    warnings.warn(
        f"{folder} has files of Sentence Transformers, but no modules.json that says how hidden "
        f"states are pooled. Its BERT is read, the rest is not: {', '.join(found)}. "
        "SentenceEncoder has to be told how to pool. save_checkpoint and convert write the BERT "
        "alone.",
        stacklevel=2,
    )
