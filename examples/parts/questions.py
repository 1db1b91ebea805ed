"""Questions about texts: files in the form of SQuAD, and headlines of news with a blank.

CMRC 2018 and DRCD come in the form of SQuAD: {"data": [{"paragraphs": [{"context": ..., "qas":
[{"id": ..., "question": ..., "answers": [{"text": ..., "answer_start": ...}]}]}]}]}. In SQuAD 2,
questions may have no answer.

The questions at hand are headlines of news in which a number, a title, a quotation or a word in
Latin letters is replaced by [MASK]. It is to be found in the article, which holds it. Headlines
were written by journalists, not taken from the text. The parts are those of the articles.
"""

import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from parts.news import Articles

import keras
import numpy as np

from keras_bert_zh import BertPreprocess, span_labels
from keras_bert_zh.files.utf8 import read_utf8

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


def read_squad(file: pathlib.Path) -> Questions:
    """Reads a file in the form of SQuAD. Answers may be missing.

    Raises:
        ValueError: if it is not UTF-8, no JSON, or something is missing in it; says where.
        OSError: if it can't be read.
    """
    try:
        found = json.loads(read_utf8(file))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}, line {error.lineno}: it is no JSON: {error.msg}.") from error
    rows = []
    for context, at, asked in _asked(file, found):
        question = _get(file, at, asked, "question", str)
        given = _get(file, at, asked, "answers", list) if "answers" in asked else []
        places = []
        for number, answer in enumerate(given):
            where = f"{at}.answers[{number}]"
            text = _get(file, where, answer, "text", str).strip()
            if text:
                start = _get(file, where, answer, "answer_start", int)
                places.append((text, _nearest(context, text, start)))
        answers = tuple(dict.fromkeys(text for text, _ in places))
        rows.append((question, context, answers, places[0][1] if places else -1))
    if not rows:
        raise ValueError(f"{file}: there is no question in it.")
    return Questions.of(rows)


def _asked(file: pathlib.Path, found: Any) -> Iterator[tuple[str, str, Any]]:
    """Yields the text of each question, the place of the question in the file, and itself."""
    for i, article in enumerate(_get(file, "", found, "data", list)):
        paragraphs = _get(file, f"data[{i}]", article, "paragraphs", list)
        for j, paragraph in enumerate(paragraphs):
            place = f"data[{i}].paragraphs[{j}]"
            context = _get(file, place, paragraph, "context", str)
            for k, asked in enumerate(_get(file, place, paragraph, "qas", list)):
                yield context, f"{place}.qas[{k}]", asked


def _get(file: pathlib.Path, at: str, held: Any, key: str, kind: type) -> Any:
    value = held.get(key) if isinstance(held, dict) else None
    if not isinstance(value, kind):
        kinds = {str: "a string", list: "a list", int: "a number"}
        raise ValueError(
            f'{file}: {at or "the file"} must have "{key}", {kinds[kind]}, as files of SQuAD have.'
        )
    return value


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


def _nearest(text: str, answer: str, start: int) -> int:
    """Returns where the answer begins that is nearest to a place; -1 if it is not in the text."""
    found = [match.start() for match in re.finditer(re.escape(answer), text)]
    return min(found, key=lambda place: abs(place - start), default=-1)
