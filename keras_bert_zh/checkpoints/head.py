"""The head that a model was fine-tuned with: its task, and what its outputs mean."""

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
    """What the head of a fine-tuned model is for; its weights are in `Checkpoint.weights`.

    Args:
        task: `"sequence_classification"`, `"token_classification"` or `"question_answering"`.
        labels: tuple of K str, the names of the outputs; `None` in question answering, whose two
            outputs are the first and the last token of an answer. Where a file has no names they
            are `LABEL_0`, `LABEL_1` and so on, as in Transformers.
        problem_type: `"single_label_classification"`, `"multi_label_classification"`,
            `"regression"`, or `None` if the files do not say.
        dropout: float in [0, 1), the dropout before the head in training; `None` for
            `hidden_dropout_prob` of the configuration.

    Raises:
        ValueError: if one of them is something else.

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
                "A head of question_answering has no labels, and one of another task needs them; "
                f"got task={self.task!r} and labels={self.labels!r}."
            )
        if self.problem_type is not None:
            check_choice("problem_type", self.problem_type, PROBLEM_TYPES)
        if self.dropout is not None:
            object.__setattr__(self, "dropout", check_rate("dropout", self.dropout))

    @property
    def part(self) -> str:
        """The one of `names.PARTS` that its weights belong to."""
        return TASKS[self.task]

    @property
    def outputs(self) -> int:
        """How many outputs it has, K."""
        return 2 if self.labels is None else len(self.labels)

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by name, as JSON holds them."""
        return dataclasses.asdict(self) | {"labels": self.labels and list(self.labels)}


def check_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Returns the names of a head's outputs as a tuple.

    Raises:
        ValueError: if they are no sequence of at least one str, or one is there twice.
    """
    fits = isinstance(labels, Iterable) and not isinstance(labels, (str, bytes, Mapping, Set))
    found = tuple(labels) if fits else ()
    if not found or not all(isinstance(label, str) for label in found):
        raise ValueError(f"labels must be a sequence of at least one str, got {labels!r}.")
    twice = [label for label, count in collections.Counter(found).items() if count > 1]
    if twice:
        raise ValueError(f"Each label must be there once; {twice[0]!r} is there more often.")
    return tuple(map(str, found))


def default_labels(count: int) -> tuple[str, ...]:
    """Returns the labels that outputs have where nobody named them: those of Transformers."""
    return tuple(f"LABEL_{index}" for index in range(count))
