"""Files of questions about texts: JSON in the form of SQuAD, or in that of CMRC 2018.

SQuAD has {"data": [{"paragraphs": [{"context": "...", "qas": [{"question": "...", "answers":
[{"text": "...", "answer_start": 0}]}]}]}]}, and DRCD and a version of CMRC 2018 are the same. With
Hugging Face, answers are {"text": ["..."], "answer_start": [0]}. Questions may have none, as those
of SQuAD 2.

CMRC 2018 has [{"context_text": "...", "qas": [{"query_text": "...", "answers": ["..."]}]}]. An
answer is where the text has it first.
"""

import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from parts.questions import Questions

from keras_bert_zh.files.utf8 import read_utf8


class Form(NamedTuple):
    """What a form calls things."""

    name: str
    context: str
    question: str

    def get(self, at: str, held: Any, key: str, kind: type) -> Any:
        """Returns what is held by that key at a place in the file.

        Raises:
            ValueError: if it is missing, or of another kind; says where, and what is expected.
        """
        value = held.get(key) if isinstance(held, dict) else None
        if not isinstance(value, kind):
            kinds = {str: "a string", list: "a list", int: "a number"}
            what = f'"{key}", {kinds[kind]}, as files of {self.name} have'
            raise ValueError(f"{at or 'the file'} must have {what}.")
        return value


SQUAD = Form("SQuAD", "context", "question")
CMRC = Form("CMRC 2018", "context_text", "query_text")


def read_questions(file: pathlib.Path) -> Questions:
    """Reads a file in one of both forms. Answers may be missing.

    Raises:
        ValueError: if it is not UTF-8, no JSON, or something is missing in it; says where.
        OSError: if it can't be read.
    """
    try:
        found = json.loads(read_utf8(file))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}, line {error.lineno}: it is no JSON: {error.msg}.") from error
    try:
        rows = list(_rows(CMRC if isinstance(found, list) else SQUAD, found))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    if not rows:
        raise ValueError(f"{file}: there is no question in it.")
    return Questions.of(rows)


def _rows(form: Form, found: Any) -> Iterator[tuple[str, str, tuple[str, ...], int]]:
    """Yields what a row of `Questions` has."""
    for place, paragraph in _paragraphs(form, found):
        context = form.get(place, paragraph, form.context, str)
        for number, asked in enumerate(form.get(place, paragraph, "qas", list)):
            at = f"{place}.qas[{number}]"
            question = form.get(at, asked, form.question, str)
            answers = [(text, start) for text, start in _answers(form, at, asked) if text]
            start = _nearest(context, *answers[0]) if answers else -1
            yield question, context, tuple(dict.fromkeys(text for text, _ in answers)), start


def _paragraphs(form: Form, found: Any) -> Iterator[tuple[str, Any]]:
    """Yields each text with its questions, and its place in the file."""
    if form is CMRC:
        yield from ((f"[{number}]", paragraph) for number, paragraph in enumerate(found))
        return
    for i, article in enumerate(form.get("", found, "data", list)):
        for j, paragraph in enumerate(form.get(f"data[{i}]", article, "paragraphs", list)):
            yield f"data[{i}].paragraphs[{j}]", paragraph


def _answers(form: Form, at: str, asked: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Yields the right answers to a question, and where they begin in the text."""
    if isinstance(asked.get("answers"), dict):
        asked = asked | {"answers": _one_by_one(form, f"{at}.answers", asked["answers"])}
    given = form.get(at, asked, "answers", list) if "answers" in asked else []
    for number, answer in enumerate(given):
        where = f"{at}.answers[{number}]"
        if form is not CMRC:
            text = form.get(where, answer, "text", str).strip()
            yield text, form.get(where, answer, "answer_start", int) if text else 0
        elif isinstance(answer, str):
            yield answer.strip(), 0
        else:
            raise ValueError(f"{where} must be a string, as files of {form.name} have.")


def _one_by_one(form: Form, at: str, answers: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns answers of Hugging Face as SQuAD has them."""
    texts, starts = (form.get(at, answers, key, list) for key in ("text", "answer_start"))
    if len(texts) != len(starts):
        raise ValueError(f'{at} must have as many in "answer_start" as in "text".')
    pairs = zip(texts, starts, strict=True)
    return [{"text": text, "answer_start": start} for text, start in pairs]


def _nearest(text: str, answer: str, start: int) -> int:
    """Returns where the answer begins that is nearest to a place; -1 if it is not in the text."""
    found = [match.start() for match in re.finditer(re.escape(answer), text)]
    return min(found, key=lambda place: abs(place - start), default=-1)
