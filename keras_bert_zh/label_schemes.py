"""Labels of entities: what "B-LOC" means, which label may follow which, and the spans they mark.

A name is a prefix, "-" or "_", and the kind of an entity, such as "B-LOC"; or only the prefix. In
BIO, B begins a span and I continues it. BIOES also has E for the end of a span and S for a span of
one token. M is read as I, L as E and U as S, so BMES and BILOU are read as BIOES.
"""

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

_PATTERN = re.compile(r"([BIESMLU])(?:[-_](.+))?")
_OTHER_LETTERS = {"M": "I", "L": "E", "U": "S"}


class Label(NamedTuple):
    """The meaning of a label: `prefix` is "O", "B", "I", "E" or "S"; O has no `kind`."""

    prefix: str
    kind: str


class Span(NamedTuple):
    """An entity: its kind, where it begins and where it ends, after its last token."""

    kind: str
    start: int
    end: int


OUTSIDE = Label("O", "")


def parse(name: str) -> Label | None:
    """Returns the meaning of a label; `None` if it is not a label of BIO or BIOES."""
    if name == "O":
        return OUTSIDE
    match = _PATTERN.fullmatch(name)
    if match is None:
        return None
    prefix, kind = match.groups(default="")
    return Label(_OTHER_LETTERS.get(prefix, prefix), kind)


def parsed(name: str) -> Label:
    """Returns the meaning of a label.

    Raises:
        ValueError: if it is not a label of BIO or BIOES.
    """
    label = parse(name)
    if label is None:
        raise ValueError(
            f"{name!r} is not a label of entities: expected 'O', or B, I, E or S with the type of "
            "an entity, as in 'B-LOC'."
        )
    return label


def find_scheme(names: Sequence[str]) -> str | None:
    """Returns the scheme of a list of labels, `"BIO"` or `"BIOES"`.

    `None` if a name belongs to neither scheme, or if `missing_labels` returns any.
    """
    labels = [parse(name) for name in names]
    prefixes = {label.prefix for label in labels if label is not None} - {"O"}
    if not prefixes or None in labels or missing_labels(names):
        return None
    return "BIOES" if prefixes & {"E", "S"} else "BIO"


def missing_labels(names: Sequence[str]) -> list[str]:
    """Returns the labels that are needed to mark whole spans and are missing.

    Each kind with B, I or E needs B. It also needs E if any label has the prefix E or S.
    """
    labels = [label for label in map(parse, names) if label not in (None, OUTSIDE)]
    needed = "BE" if any(label.prefix in "ES" for label in labels) else "B"
    kinds = {label.kind: None for label in labels if label.prefix in "BIE"}  # In their order.
    return [
        f"{prefix}-{kind}" if kind else prefix
        for kind in kinds
        for prefix in needed
        if Label(prefix, kind) not in labels
    ]


def may_follow(scheme: str, before: Label | None, after: Label | None) -> bool:
    """Tells whether a label may follow another in a valid sequence.

    Args:
        scheme: `"BIO"` or `"BIOES"`.
        before: `None` is the start of the sequence.
        after: `None` is its end.
    """
    if continues(before, after):
        return True
    if after is not None and after.prefix in "IE":
        return False
    return scheme == "BIO" or before is None or before.prefix not in "BI"


def continues(before: Label | None, after: Label | None) -> bool:
    """Tells whether the label belongs to the same span as the one before it."""
    if before is None or after is None:
        return False
    return before.prefix in "BI" and after.prefix in "IE" and before.kind == after.kind


def find_fault(names: Sequence[str], scheme: str) -> int | None:
    """Returns the index of the first label that breaks the scheme; `None` if none does.

    If the last span has no end, it is the length of the sequence.
    """
    labels = [None, *map(parsed, names), None]
    for index, (before, after) in enumerate(itertools.pairwise(labels)):
        if not may_follow(scheme, before, after):
            return index
    return None


def to_spans(names: Sequence[str], scheme: str | None = None) -> list[Span]:
    """Returns the spans that a sequence of labels marks, in their order.

    Args:
        names: the labels of a text.
        scheme: with `None`, a label that does not continue a span begins a new one, whatever its
            prefix, as in conlleval and by default in seqeval. With `"BIO"` or `"BIOES"`, spans
            that are not complete in that scheme are left out, as in the strict mode of seqeval.

    Raises:
        ValueError: if a label belongs to neither scheme.
    """
    labels = [*map(parsed, names), OUTSIDE]
    spans, start = [], None
    for index, label in enumerate(labels):
        before = labels[index - 1] if index else None
        if continues(before, label):
            continue
        if start is not None and before is not None and _is_whole(scheme, labels[start], before):
            spans.append(Span(before.kind, start, index))
        start = None if label == OUTSIDE else index
    return spans


def to_labels(spans: Sequence[Span], length: int, scheme: str = "BIO") -> list[str]:
    """Returns the labels that mark the spans in a text of `length` tokens.

    Raises:
        ValueError: if a span is empty or not within the text, or two of them overlap.
    """
    labels = ["O"] * length
    last = Span("", 0, 0)
    for span in sorted((Span(*span) for span in spans), key=lambda span: span.start):
        if not 0 <= span.start < span.end <= length:
            raise ValueError(f"{span} is empty, or not within a text of {length} tokens.")
        if span.start < last.end:
            raise ValueError(f"{last} and {span} overlap, but a token can have only one label.")
        size = span.end - span.start
        for index, prefix in enumerate(prefixes_of_pieces("S" if scheme == "BIOES" else "B", size)):
            labels[span.start + index] = f"{prefix}-{span.kind}" if span.kind else prefix
        last = span
    return labels


def prefixes_of_pieces(prefix: str, pieces: int) -> str:
    """Returns the prefix of each piece of a word that has one label.

    Its span begins with the first piece and ends with the last one: "S" in three pieces is "BIE".
    """
    if pieces == 1:
        return prefix
    inside = "O" if prefix == "O" else "I"
    first = "B" if prefix in "BS" else inside
    last = "E" if prefix in "ES" else inside
    return first + inside * (pieces - 2) + last


def joined_prefix(first: str, last: str) -> str:
    """Returns the prefix of a word, given the prefixes of its first and last piece."""
    ends = last in "ES"
    if first in "BS":
        return "S" if ends else "B"
    return "E" if first in "IE" and ends else first


def _is_whole(scheme: str | None, first: Label, last: Label) -> bool:
    if scheme is None:
        return True
    return first.prefix in "BS" and (scheme == "BIO" or last.prefix in "ES")
