"""Warns of what a model has beside its BERT: it is not read, and so not written either."""

import pathlib
import re
import warnings
from collections.abc import Collection
from typing import Any

from keras_bert_zh.checkpoints.readers.json_files import read_json
from keras_bert_zh.messages import listing

# How the name of ERNIE's embeddings of tasks ends in Transformers.
TASKS = "embeddings.task_type_embeddings.weight"

# What run_classifier.py and run_squad.py call their heads.
_TF1_HEAD = re.compile(r"(cls/squad/)?output_(weights|bias)")


def warn_of_head(
    path: pathlib.Path,
    tensors: Collection[str],
    model: object = None,
    labels: object = None,
) -> None:
    """Warns of a head that the model was fine-tuned with.

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
    tables = [name for name in tensors if name.endswith(TASKS)]
    if tables:
        warnings.warn(
            f"{config} does not say use_task_id of an ERNIE, so that {tables[0]} is not used, here "
            "as in Transformers. If the model was trained with it, set model_type to "
            '"ernie" and use_task_id to true.',
            stacklevel=2,
        )


def warn_of_tf1_head(prefix: pathlib.Path, tensors: Collection[str]) -> None:
    """Does the same for a checkpoint that google-research/bert fine-tuned."""
    warn_of_head(prefix, [name for name in tensors if _TF1_HEAD.fullmatch(name)])


def warn_of_modules(folder: pathlib.Path) -> None:
    """Warns of what Sentence Transformers does with the hidden states, if it made the folder.

    Reference:
        `modules.json`, `sentence_bert_config.json` and `1_Pooling/config.json`, as
        sentence-transformers writes them: version 2, and version 6.
    """
    names = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")
    found = [name for name in names if (folder / name).is_file()]
    parts = [path for path in sorted(folder.iterdir()) if re.fullmatch(r"\d+_\w+", path.name)]
    if not found and not any(part.name.endswith("_Pooling") for part in parts):
        return
    found += [part.name + _mode(part / "config.json") for part in parts]
    warnings.warn(
        f"{folder} is a model of Sentence Transformers. Its BERT is read, the rest is not: "
        f"{', '.join(found)}, max_seq_length{_length(folder)}. pooled_output of BertEncoder is "
        "not the vector that the makers mean: take sequence_output and pool it as they do. "
        "BertPreprocess cuts texts at its own max_length: pass theirs. save_checkpoint and convert "
        "write the BERT without all this.",
        stacklevel=2,
    )


def _mode(path: pathlib.Path) -> str:
    """Returns how a module pools, in brackets, where it says so."""
    fields = _fields(path)
    older = re.compile("pooling_mode_(.+?)(?:_tokens?)?")
    matches = [older.fullmatch(name) for name, value in fields.items() if value is True]
    modes = [match[1] for match in matches if match]
    newer = fields.get("pooling_mode")
    modes += [newer] if isinstance(newer, str) else []
    return f" ({', '.join(modes)})" if modes else ""


def _length(folder: pathlib.Path) -> str:
    """Returns the longest text, in brackets, where it is said; newer files leave it to another."""
    length = _fields(folder / "sentence_bert_config.json").get("max_seq_length")
    if length is None:
        length = _fields(folder / "tokenizer_config.json").get("model_max_length")
    # Transformers writes 10 to the 30 for none.
    return f" ({length})" if isinstance(length, int) and length < 1_000_000 else ""


def _fields(path: pathlib.Path) -> dict[str, Any]:
    """Returns what a file says; nothing where it is no JSON object, since it is not used."""
    try:
        return read_json(path)
    except ValueError:
        return {}
