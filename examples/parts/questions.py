"""Questions about texts: headlines of news with a blank, and what a reader learns from.

The questions at hand are headlines in which a number, a title, a quotation or a word in Latin
letters is replaced by [MASK]. It is to be found in the article, which holds it. Headlines were
written by journalists, not taken from the text. The parts are those of the articles.
"""

import re
from typing import NamedTuple

from parts.news import Articles

import keras
import numpy as np

from keras_bert_zh import BertPreprocess, span_labels

BLANK = "[MASK]"
_AT_ONCE = 32  # Questions whose windows are made at once.
_UNITS = (
    "美元|人民币|平方米|平米|公里|公斤|小时|分钟|"
    "[元人名岁年月日天秒米吨家个次场件辆架套倍分号届级点位户只条度克斤]"
)
_TITLE, _QUOTATION = "(?<=《)[^《》]{2,20}(?=》)", "(?<=“)[^“”]{2,15}(?=”)"
_LATIN, _NUMBER = (
    "[A-Za-z][A-Za-z0-9&+.-]*[A-Za-z0-9]",
    rf"\d[\d.,:]*(?:[%％]|[万亿千百]*(?:{_UNITS})?)",
)
NAMED = re.compile("|".join((_TITLE, _QUOTATION, _LATIN, _NUMBER)))


class Questions(NamedTuple):
    """Questions, row by row."""

    questions: list[str]
    texts: list[str]
    answers: list[tuple[str, ...]]  # all that are right; none where there is no answer
    starts: list[int]  # where the first one begins in the text, -1 where it is not there

    def rows(self, chosen: list[int]) -> "Questions":
        return Questions(*([column[row] for row in chosen] for column in self))

    @classmethod
    def of(cls, rows: list[tuple]) -> "Questions":
        return cls(*map(list, zip(*rows, strict=True))) if rows else cls([], [], [], [])


def headlines(articles: Articles, characters: int) -> Questions:
    """Returns a question for each blank that a headline can have.

    Args:
        articles: articles.
        characters: how much of each is read.
    """
    rows = []
    for title, content in zip(articles.titles, articles.contents, strict=True):
        text = content.replace("\\n", "\n")[:characters]  # They are two characters in the files.
        named = {match.group(): match.start() for match in reversed([*NAMED.finditer(text)])}
        for match in NAMED.finditer(title):
            answer = match.group()
            if len(answer) > 1 and answer in named and title.count(answer) == 1:
                question = title[: match.start()] + BLANK + title[match.end() :]
                rows.append((question, text, (answer,), named[answer]))
    return Questions.of(rows)


def windows(
    data: Questions, preprocess: BertPreprocess, stride: int | None, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns what a reader learns from: windows with the answer, and one without per question.

    That one is drawn among those in which the answer is not written at all.

    Args:
        data: questions whose answers are in their texts, or that have none.
        preprocess: that of the reader.
        stride: tokens from one window of a text to the next; `None` for half a window.
        seed: of the random numbers.

    Returns:
        The inputs of the reader, and its labels.
    """
    random = np.random.default_rng(seed)
    kept = []
    for begin in range(0, len(data.texts), _AT_ONCE):
        part = data.rows(range(begin, min(begin + _AT_ONCE, len(data.texts))))
        answers = [answers[0] if answers else "" for answers in part.answers]
        starts = np.maximum(part.starts, 0)
        found = span_labels(preprocess, part.questions, part.texts, answers, starts, stride=stride)
        inputs, labels = ({key: value.numpy() for key, value in held.items()} for held in found)
        chosen = labels["start_logits"] > 0
        for row, (text, answer) in enumerate(zip(part.texts, answers, strict=True)):
            others = [
                window
                for window in np.flatnonzero((inputs["text_ids"] == row) & ~chosen)
                if not answer or answer not in _passage(inputs, window, text)
            ]
            if others:
                chosen[random.choice(others)] = True
        kept.append(
            [
                {key: inputs[key][chosen] for key in ("input_ids", "input_mask", "segment_ids")},
                {key: value[chosen] for key, value in labels.items()},
            ]
        )
    return tuple(keras.tree.map_structure(lambda *parts: np.concatenate(parts), *kept))


def _passage(inputs: dict[str, np.ndarray], window: int, text: str) -> str:
    """Returns what a window holds of a text."""
    inside = inputs["segment_ids"][window] > 0
    starts, ends = inputs["starts"][window][inside], inputs["ends"][window][inside]
    return text[starts[0] : ends.max()] if inside.any() else ""
