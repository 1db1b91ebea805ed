"""Finds the head of a fine-tuned model in the files, and its labels."""

import pathlib
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from keras_bert_zh.checkpoints.head import TASKS, Head, default_labels
from keras_bert_zh.checkpoints.schemes import HUGGINGFACE_CLASSES, Scheme
from keras_bert_zh.checkpoints.tensors import Tensor


class FoundHead(NamedTuple):
    """The heads among the tensors of a file.

    Attributes:
        part: the part in `names.PARTS` that is read, or `None`. It may include a CRF.
        outputs: int, the number of outputs, K.
        own: tuple of str, the names of its tensors in the file.
        unread: tuple of str, the names of the tensors of heads that are not read.
    """

    part: str | None
    outputs: int
    own: tuple[str, ...]
    unread: tuple[str, ...]

    @property
    def task(self) -> str | None:
        """The task that its tensors belong to; `None` if several tasks are possible."""
        tasks = [task for task, part in TASKS.items() if part == self.part]
        if len(self.own) > 2:  # With a CRF, which is for tokens.
            return "token_classification"
        return tasks[0] if len(tasks) == 1 else None

    def left_out(self) -> "FoundHead":
        """Returns the same, with the head's tensors in `unread`."""
        return FoundHead(None, 0, (), (*self.own, *self.unread))


def find(
    tensors: Mapping[str, Tensor],
    scheme: Scheme,
    hidden_size: int,
    beside: Collection[str] = (),
    fields: Mapping[str, Any] | None = None,
) -> FoundHead:
    """Finds a head that is one dense layer on an output of the encoder, and the only head.

    Args:
        tensors: all tensors of the file.
        scheme: the names in the file.
        hidden_size: int, D.
        beside: names of tensors that are neither BERT's nor its pretraining heads'.
        fields: the content of the `config.json`, if there is one.
    """
    of_choices = any(name.endswith("ForMultipleChoice") for name in classes(fields or {}))
    theirs = {
        part: tuple(scheme.names[f"{part}.{kind}"] for kind in ("kernel", "bias"))
        for part in dict.fromkeys(TASKS.values())
    }
    crf = tuple(name for ours, name in scheme.names.items() if ours.startswith("crf."))
    kinds = (*(name for kinds in theirs.values() for name in kinds), *crf)
    there = tuple(name for name in kinds if name in tensors)
    for part, dense in theirs.items():
        own = (*dense, *crf) if _is_crf(tensors, crf, dense) and part == "classifier" else dense
        if {*there, *beside} == set(own) and not of_choices:
            kernel, bias = (tensors[name].shape for name in dense)
            kernel = kernel if scheme.is_transposed(f"{part}.kernel") else kernel[::-1]
            # It is wider where it takes several outputs of the encoder.
            if kernel[1:] == (hidden_size,) and len(bias) == 1:
                return FoundHead(part, kernel[0], own, ())
    return FoundHead(None, 0, (), there)


def huggingface_head(
    path: pathlib.Path, fields: Mapping[str, Any], found: FoundHead, *, pooler: bool
) -> tuple[Head | None, FoundHead]:
    """Returns what a `config.json` of Transformers says about the head that was found.

    `architectures` tells whether a classifier labels texts or tokens. If it does not name a class
    of Transformers, a classifier labels texts if there is a pooler, which only these use.

    Args:
        path: the file.
        fields: its content.
        found: what `find` returned.
        pooler: bool, whether the files have a pooler.

    Returns:
        The head, or `None` if there is no head or, with a warning, if it can't be read; and the
        result of `find`, in which the tensors of a head that can't be read are in `unread`.

    Reference:
        `PretrainedConfig` and `BertForSequenceClassification` in Hugging Face Transformers.
    """
    if found.part is None:
        return None, found
    if found.task == "question_answering":
        return Head(found.task), found
    try:
        guessed = "sequence_classification" if pooler else "token_classification"
        told = (task for task in _told(fields) if TASKS[task] == found.part)
        head = Head(
            found.task or next(told, guessed),
            _labels(fields, found.outputs),
            fields.get("problem_type"),
            fields.get("classifier_dropout"),
        )
    except ValueError as error:
        warnings.warn(f"{path}: {error} The head is therefore not read.", stacklevel=3)
        return None, found.left_out()
    return head, found


def original_head(path: pathlib.Path, fields: Mapping[str, Any], found: FoundHead) -> Head | None:
    """Returns the head of a checkpoint of google-research/bert, if one was found.

    google-research/bert does not save the labels. This package adds them to `bert_config.json`.

    Raises:
        ValueError: if `head` in that file is not valid.
    """
    if found.part is None:
        return None
    said = fields.get("head")
    try:
        if said is not None:
            return Head(**said)
        if found.task == "question_answering":
            return Head(found.task)
        task = found.task or "sequence_classification"
        return Head(task, default_labels(found.outputs))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: head is not in the form that this package writes: {error}"
        ) from error


def _is_crf(tensors: Mapping[str, Tensor], crf: Sequence[str], dense: Sequence[str]) -> bool:
    """Tells whether there are CRF weights, with one label for each output of the head.

    Args:
        tensors: all tensors of the file.
        crf: the names of the weights for the start, for the end and between labels.
        dense: the names of the kernel and the bias of the head.
    """
    if not {*crf, *dense} <= set(tensors):
        return False
    labels = tensors[dense[1]].shape
    return [tensors[name].shape for name in crf] == [labels, labels, labels * 2]


def classes(fields: Mapping[str, Any]) -> list[str]:
    """Returns the names of Transformers' classes in a `config.json`."""
    found = fields.get("architectures")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _told(fields: Mapping[str, Any]) -> list[str]:
    """Returns the tasks of the classes in `architectures`."""
    ends = HUGGINGFACE_CLASSES.items()
    return [task for name in classes(fields) for task, end in ends if name.endswith(end)]


def _labels(fields: Mapping[str, Any], outputs: int) -> tuple[str, ...]:
    """Returns the label of each output, in order."""
    given = fields.get("id2label")
    if given is None:
        return default_labels(outputs)
    numbers = {str(index): index for index in range(outputs)}
    if not isinstance(given, dict) or {str(key) for key in given} != set(numbers):
        raise ValueError(
            f"id2label must name each output of the head, 0 to {outputs - 1}, got {given!r}."
        )
    return tuple(str(label) for _, label in sorted((numbers[str(k)], v) for k, v in given.items()))
