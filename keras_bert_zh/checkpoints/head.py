"""The head of a fine-tuned model: its task, and the meaning of its outputs."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Set
from typing import Any

from keras_bert_zh.arguments import check_choice, check_rate

# Which of `names.PARTS` holds the weights of each task.
TASKS = {
    "sequence_classification": "classifier",
    "token_classification": "classifier",
    "question_answering": "span",
}
PROBLEM_TYPES = ("single_label_classification", "multi_label_classification", "regression")


@dataclasses.dataclass(frozen=True)
class Head:
    """The task and the labels of a fine-tuned model; its weights are in `Checkpoint.weights`.

    Args:
        task: `"sequence_classification"`, `"token_classification"` or `"question_answering"`.
        labels: tuple of K str, the names of the outputs; `None` for question answering, whose two
            outputs are the first and the last token of an answer. If a file has no names, they are
            `LABEL_0`, `LABEL_1` and so on, as in Transformers.
        problem_type: `"single_label_classification"`, `"multi_label_classification"`,
            `"regression"`, or `None` if the files do not say.
        dropout: float in [0, 1), the dropout before the head during training; `None` to use
            `hidden_dropout_prob` of the configuration.

    Raises:
        ValueError: if an argument has another value.

    Example:

    >>> from keras_bert_zh.checkpoints.head import Head
    >>> Head("sequence_classification", ("差评", "好评")).part
    'classifier'

    Reference:
        `num_labels`, `id2label`, `problem_type` and `classifier_dropout` in Transformers'
        `config.json`.
    """

    task: str
    labels: tuple[str, ...] | None = None
    problem_type: str | None = None
    dropout: float | None = None

    def __post_init__(self) -> None:
        check_choice("task", self.task, tuple(TASKS))
        if self.labels is not None:
            object.__setattr__(self, "labels", check_labels(self.labels))
        if (self.labels is None) != (self.part == "span"):
            raise ValueError(
                "labels must be None for question_answering and a list of str for the other tasks; "
                f"got task={self.task!r} and labels={self.labels!r}."
            )
        if self.problem_type is not None:
            check_choice("problem_type", self.problem_type, PROBLEM_TYPES)
        if self.dropout is not None:
            object.__setattr__(self, "dropout", check_rate("dropout", self.dropout))

    @property
    def part(self) -> str:
        """The part in `names.PARTS` that its weights belong to."""
        return TASKS[self.task]

    @property
    def outputs(self) -> int:
        """The number of outputs, K."""
        return 2 if self.labels is None else len(self.labels)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name, ready for JSON."""
        return dataclasses.asdict(self) | {"labels": self.labels and list(self.labels)}


def check_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Returns the names of a head's outputs as a tuple.

    Raises:
        ValueError: if they are not a sequence of at least one str, or a label is repeated.
    """
    fits = isinstance(labels, Iterable) and not isinstance(labels, (str, bytes, Mapping, Set))
    found = tuple(labels) if fits else ()
    if not found or not all(isinstance(label, str) for label in found):
        raise ValueError(f"labels must be a sequence of at least one str, got {labels!r}.")
    twice = [label for label, count in collections.Counter(found).items() if count > 1]
    if twice:
        raise ValueError(f"Labels must be unique, but {twice[0]!r} is repeated.")
    return tuple(map(str, found))


def default_labels(count: int) -> tuple[str, ...]:
    """Returns the default labels of Transformers, for outputs without names."""
    return tuple(f"LABEL_{index}" for index in range(count))
