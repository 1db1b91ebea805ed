"""Files of questions about texts: JSON as that of SQuAD, of CMRC 2018, or of Hugging Face.

SQuAD has {"data": [{"paragraphs": [{"context": "...", "qas": [{"question": "...", "answers":
[{"text": "...", "answer_start": 0}]}]}]}]}, and DRCD and a version of CMRC 2018 are the same.

CMRC 2018 has [{"context_text": "...", "qas": [{"query_text": "...", "answers": ["..."]}]}]. An
answer is where the text has it first.

Hugging Face has rows, {"context": "...", "question": "...", "answers": {"text": ["..."],
"answer_start": [0]}}: one a line, as its `to_json` writes them, or [...], or {"data": [...]}.

Questions may have no answers, as those of SQuAD 2.
"""

import json
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from parts.questions import Questions

from keras_bert_zh.files.utf8 import read_utf8

Row = tuple[str, str, tuple[str, ...], int]  # What a row of `Questions` has.


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
            kinds = {str: "a string", list: "a list", int: "a number", dict: "an object"}
            what = f'"{key}", {kinds[kind]}, as files of {self.name} have'
            raise ValueError(f"{at or 'the file'} must have {what}.")
        return value


SQUAD = Form("SQuAD", "context", "question")
CMRC = Form("CMRC 2018", "context_text", "query_text")
ROWS = Form("Hugging Face", "context", "question")


def read_questions(file: pathlib.Path) -> Questions:
    """Reads a file in one of the three forms. Answers may be missing.

    Raises:
        ValueError: if it is not UTF-8, not JSON, or something is missing in it; says where.
        OSError: if it can't be read.
    """
    content = read_utf8(file)
    try:
        rows = list(_rows(content))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}, line {error.lineno}: it is not JSON: {error.msg}.") from error
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    if not rows:
        raise ValueError(f"{file}: there is no question in it.")
    return Questions.of(rows)


def _rows(content: str) -> Iterator[Row]:
    try:
        found = json.loads(content)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":  # After a line that is JSON there are more.
            raise
        yield from _of_rows(_lines(content))
        return
    if _is_row(found):
        yield from _of_rows([("line 1", found)])
        return
    name, form = ("", CMRC) if isinstance(found, list) else ("data", SQUAD)
    given = found if form is CMRC else form.get("", found, name, list)
    places = [(f"{name}[{number}]", held) for number, held in enumerate(given)]
    if given and _is_row(given[0]):
        yield from _of_rows(places)
    elif form is CMRC:
        yield from _of_paragraphs(form, places)
    else:
        for at, article in places:
            held = enumerate(form.get(at, article, "paragraphs", list))
            paragraphs = ((f"{at}.paragraphs[{number}]", paragraph) for number, paragraph in held)
            yield from _of_paragraphs(form, paragraphs)


def _is_row(found: Any) -> bool:
    return isinstance(found, dict) and not found.keys().isdisjoint(ROWS[1:]) and "qas" not in found


def _lines(content: str) -> Iterator[tuple[str, Any]]:
    """Yields what each line is, and its place."""
    begin = 0
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise json.JSONDecodeError(error.msg, content, begin + error.pos) from error
        begin += len(line) + 1


def _of_rows(rows: Iterable[tuple[str, Any]]) -> Iterator[Row]:
    """Yields the questions of rows, each with its place in the file."""
    for at, row in rows:
        question = ROWS.get(at, row, ROWS.question, str)
        context = ROWS.get(at, row, ROWS.context, str)
        given = ROWS.get(at, row, "answers", dict) if "answers" in row else {}
        texts, starts = (
            ROWS.get(f"{at}.answers", given, key, list) if given else []
            for key in ("text", "answer_start")
        )
        if len(texts) != len(starts):
            raise ValueError(f'{at}.answers must have as many in "answer_start" as in "text".')
        pairs = zip(texts, starts, strict=True)
        answers = [{"text": text, "answer_start": start} for text, start in pairs]
        yield _row(ROWS, at, {"answers": answers}, question, context)


def _of_paragraphs(form: Form, paragraphs: Iterable[tuple[str, Any]]) -> Iterator[Row]:
    """Yields the questions of texts, each with its place in the file."""
    for place, paragraph in paragraphs:
        context = form.get(place, paragraph, form.context, str)
        for number, asked in enumerate(form.get(place, paragraph, "qas", list)):
            at = f"{place}.qas[{number}]"
            yield _row(form, at, asked, form.get(at, asked, form.question, str), context)


def _row(form: Form, at: str, asked: dict[str, Any], question: str, context: str) -> Row:
    answers = [(text, start) for text, start in _answers(form, at, asked) if text]
    start = _nearest(context, *answers[0]) if answers else -1
    return question, context, tuple(dict.fromkeys(text for text, _ in answers)), start


def _answers(form: Form, at: str, asked: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Yields the right answers to a question, and where they begin in the text."""
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


def _nearest(text: str, answer: str, start: int) -> int:
    """Returns where the answer begins that is nearest to a place; -1 if it is not in the text."""
    found = [match.start() for match in re.finditer(re.escape(answer), text)]
    return min(found, key=lambda place: abs(place - start), default=-1)
