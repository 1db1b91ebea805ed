"""Texts with entities: what they are, and how files of them are read.

Files are read in two forms. Lines of a token and a label, as those of CoNLL, MSRA, Weibo and Resume
have them: a tab or a space between, further columns left alone, an empty line after each sentence,
and labels of BIO, BIOES or BMES. Or JSON Lines as those of CLUENER, whose name ends in .json or
.jsonl: {"text": "...", "label": {"company": {"浙商银行": [[0, 3]]}}}.
"""

import json
import pathlib
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from keras_bert_zh.files.utf8 import read_utf8
from keras_bert_zh.label_schemes import Span, find_fault, parse, to_spans

# Weibo's files have a digit behind each character, its place in a word: 北0, 京1. A few characters
# are several of Unicode's, such as ❤️, and a few lines may lack the digit.
NUMBER = re.compile(r"(?<=.)[0-9]\Z")
MOST_LINES = 0.9


class Tagged(NamedTuple):
    """A text, and the entities in it: their kinds, and where they begin and end in characters."""

    text: str
    spans: tuple[Span, ...]


def read_tagged(file: pathlib.Path) -> list[Tagged]:
    """Returns the texts of a file.

    Raises:
        OSError: if there is no such file.
        ValueError: if it is not UTF-8, or not of one of the two forms; says where and what to do.
    """
    content = read_utf8(file)
    is_json = file.suffix.lower() in (".json", ".jsonl")
    found = list((_json_lines if is_json else _sentences)(file, content))
    if not found:
        raise ValueError(f"{file}: expected texts with entities, but there are none.")
    return found


def kinds_of(file: object, texts: Iterable[Tagged]) -> list[str]:
    """Returns the kinds of entities, in order.

    Raises:
        ValueError: if there are none.
    """
    kinds = sorted({span.kind for tagged in texts for span in tagged.spans})
    if not kinds:
        raise ValueError(f"{file}: expected entities, and every label is O. Check the last column.")
    return kinds


def check_kinds(file: object, texts: Iterable[Tagged], kinds: Sequence[str]) -> None:
    """Raises ValueError if there are other kinds of entities than those."""
    for tagged in texts:
        for span in tagged.spans:
            if span.kind not in kinds:
                raise ValueError(
                    f"{file}: {tagged.text[span.start : span.end]!r} is {span.kind}, and the data "
                    f"to learn from has {', '.join(kinds)}. Correct the file, or add such rows."
                )


def _sentences(file: pathlib.Path, content: str) -> Iterator[Tagged]:
    """Yields the sentences of a file of tokens and labels."""
    tokens, labels, without_begin = [], [], []
    lines = content.replace("\r\n", "\n").split("\n")
    is_numbered = _is_numbered(lines)
    for number, line in enumerate([*(line.rstrip(" \t") for line in lines), ""], 1):
        if line and not line.startswith("-DOCSTART-"):
            cells = _cells(line)
            if len(cells) < 2 or parse(cells[-1]) is None:
                raise ValueError(
                    f"{file}, line {number}: expected a token, a tab or a space, and a label such "
                    f"as O or B-LOC, got {line[:40]!r}. Correct the line; an empty one ends a "
                    "sentence."
                )
            token = NUMBER.sub("", cells[0]) if is_numbered else cells[0]
            tokens.append(token or " ")
            labels.append(cells[-1])
            if find_fault(labels[-2:], "BIO") == len(labels[-2:]) - 1:
                without_begin.append(number)
        elif tokens:
            yield _joined(tokens, labels)
            tokens, labels = [], []
    if without_begin:
        warnings.warn(
            f"{file}, line {without_begin[0]}: the label goes on with an entity that has no "
            f"beginning. It is read as one, and so are {len(without_begin) - 1} more.",
            stacklevel=2,
        )


def _cells(line: str) -> list[str]:
    return line.split("\t" if "\t" in line else " ")


def _is_numbered(lines: Iterable[str]) -> bool:
    """Tells whether tokens have digits behind them, as those of Weibo."""
    found = [bool(NUMBER.search(_cells(line)[0])) for line in lines if line.strip(" \t")]
    return sum(found) > MOST_LINES * len(found)


def _joined(tokens: Sequence[str], labels: Sequence[str]) -> Tagged:
    """Joins tokens to a text; with spaces between words in Latin letters."""
    text, places = "", []
    for token in tokens:
        touch = (text[-1:] + token[:1]).isascii() and (text[-1:] + token[:1]).isalnum()
        if text and touch and (len(token) > 1 or len(places[-1]) > 1):
            text += " "
        places.append(range(len(text), len(text) + len(token)))
        text += token
    spans = (
        Span(span.kind, places[span.start].start, places[span.end - 1].stop)
        for span in to_spans(labels)
    )
    return Tagged(text, tuple(spans))


def _json_lines(file: pathlib.Path, content: str) -> Iterator[Tagged]:
    """Yields the texts of a file in the form of CLUENER's."""
    inner = 0
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, spans = row["text"], []
            for kind, names in row["label"].items():
                for name, places in names.items():
                    for start, last in places:
                        if text[start : last + 1] != name:
                            raise ValueError(f"{name!r} is not at {start} to {last}")
                        spans.append(Span(kind, start, last + 1))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f'{file}, line {number}: expected {{"text": "...", "label": {{KIND: {{ENTITY: '
                f"[[FIRST, LAST]]}}}}}}, got {line[:40]} ({error}). Correct the line."
            ) from error
        outer = _apart(spans)
        inner += len(spans) - len(outer)
        yield Tagged(text, outer)
    if inner:
        warnings.warn(
            f"{file}: entities that share characters with longer ones are left out: {inner}.",
            stacklevel=2,
        )


def _apart(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Returns the entities in order; of those that share characters, the longest."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return tuple(sorted(kept, key=lambda span: span.start))
