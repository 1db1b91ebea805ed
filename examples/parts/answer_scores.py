"""How right answers are, as CMRC 2018 measures it, and what a model has to beat.

Reference: `cmrc2018_evaluate.py` in https://github.com/ymcui/cmrc2018 and Cui et al., A
Span-Extraction Dataset for Chinese Machine Reading Comprehension, 2019. It splits what is no
Chinese by NLTK; here words end at blanks and at punctuation.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from parts.questions import NAMED, Questions

PUNCTUATION = set("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
CLAUSE = re.compile(r"[^，。：？！；、“”《》\s]{2,40}")
NEAR = 8  # Characters on each side of an answer that are compared with its question.


def scores(found: Sequence[str], answers: Sequence[tuple[str, ...]]) -> dict[str, float]:
    """Returns the mean of both scores, each that of the right answer that is nearest."""
    rows = [(text, right or ("",)) for text, right in zip(found, answers, strict=True)]
    return {
        "exact_match": mean([max(exact_match(text, one) for one in right) for text, right in rows]),
        "f1": mean([max(f1(text, one) for one in right) for text, right in rows]),
    }


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def exact_match(found: str, answer: str) -> float:
    return float(_plain(found) == _plain(answer))


def f1(found: str, answer: str) -> float:
    """Returns F1 of the longest run of characters and words that both have in common."""
    one, other = _pieces(found), _pieces(answer)
    if not one or not other:
        return float(one == other)
    match = SequenceMatcher(None, one, other, autojunk=False).find_longest_match()
    return 2 * match.size / (len(one) + len(other))


def _plain(text: str) -> str:
    return "".join(char for char in text.lower().strip() if char not in PUNCTUATION)


def _pieces(text: str) -> list[str]:
    return re.findall(r"[\u4e00-\u9fa5]|[^\W\u4e00-\u9fa5]+|[^\w\s]", _plain(text))


def baseline(data: Questions) -> list[str]:
    """Returns what stands among the words of each question, without learning anything.

    Of the numbers, titles, quotations and words in Latin letters of a text, it takes the one whose
    neighbourhood shares most pairs of characters with the question, rare ones counting more; what
    the question has itself is left out. Where there are none, it takes a clause.
    """
    texts = set(data.texts)
    held = Counter(pair for text in texts for pair in _pairs(text))
    weights = {pair: math.log((1 + len(texts)) / count) for pair, count in held.items()}
    return [
        _by_overlap(question, text, weights)
        for question, text in zip(data.questions, data.texts, strict=True)
    ]


def _by_overlap(question: str, text: str, weights: dict[str, float]) -> str:
    asked, best, answer = _pairs(question), -1.0, ""
    candidates = [m for m in NAMED.finditer(text) if m.group() not in question and len(m[0]) > 1]
    near = NEAR if candidates else 0
    for match in candidates or CLAUSE.finditer(text):
        around = text[max(match.start() - near, 0) : match.end() + near]
        score = sum(weights[pair] for pair in _pairs(around) & asked)
        if score > best:
            best, answer = score, match.group()
    return answer


def _pairs(text: str) -> set[str]:
    return {text[place : place + 2] for place in range(len(text) - 1)}
