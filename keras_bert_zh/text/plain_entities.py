"""Converts a label for each word of one text to entities, without TensorFlow.

`entities` does the same for batches and uses the same tables.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_bert_zh.label_schemes import OUTSIDE, Label, parse


class LabelTable(NamedTuple):
    """The meaning of each of K labels for the entity of its word.

    Attributes:
        opens: `<bool>[K]`, whether an entity begins at the word, as with B- and S-.
        closes: `<bool>[K]`, whether the entity ends with the word, as with E- and S-.
        kinds: `<int32>[K]`, the index of its kind in `names`; -1 for a label outside entities.
        names: `<string>` array of the kinds.
    """

    opens: np.ndarray
    closes: np.ndarray
    kinds: np.ndarray
    names: np.ndarray


def label_table(names: Sequence[str]) -> LabelTable:
    """Reads the names of labels.

    Labels of BIO and BIOES are read as in `label_schemes`; other labels in the same list, such as
    `[PAD]`, mean no entity. In a list without BIO and BIOES, each name except O is a kind, and
    neighbouring words with the same label are one entity.

    Args:
        names: K str.
    """
    parsed = [parse(name) for name in names]
    # A lone M or S may be one of the names of another list, and so may E-MAIL.
    in_scheme = all(parsed) or any(
        label is not None and label.kind and label.prefix in "BIS" for label in parsed
    )
    if in_scheme:
        labels = [label or OUTSIDE for label in parsed]
    else:
        labels = [OUTSIDE if name == "O" else Label("I", name) for name in names]
    inside = [label for label in labels if label.prefix != "O"]
    kinds = [*dict.fromkeys(label.kind for label in inside)]
    return LabelTable(
        opens=np.array([label.prefix in "BS" for label in labels]),
        closes=np.array([label.prefix in "ES" for label in labels]),
        kinds=np.array([kinds.index(x.kind) if x in inside else -1 for x in labels], np.int32),
        names=np.array(kinds or [""], object),
    )


def words_of(follows: Sequence[bool], ends: Sequence[int]) -> tuple[list[int], list[int]]:
    """Finds the words to which the tokens of a text belong, as `first_pieces` does.

    Args:
        follows: whether each token is a later piece of a word, as returned by `later_pieces`.
        ends: where each token ends in the text.

    Returns:
        The index of the first token of each word, and the end of the word. The label of a word is
        the label of its first token.

    Example:

    >>> from keras_bert_zh.text.plain_entities import words_of
    >>> words_of([False, True, True, False], [1, 2, 5, 7])
    ([0, 3], [5, 7])
    """
    firsts = [place for place, later in enumerate(follows) if not later or place == 0]
    limits = [*firsts[1:], len(follows)] if firsts else []
    return firsts, [ends[limit - 1] for limit in limits]


def join_entities(
    labels: Sequence[int],
    probabilities: Sequence[float],
    starts: Sequence[int],
    ends: Sequence[int],
    *,
    table: LabelTable,
    text: str,
) -> list[dict[str, Any]]:
    """Joins the words of one text to entities, as `to_entities` does.

    Args:
        labels: the label of each word.
        probabilities: of these labels, float32.
        starts, ends: the offsets of each word in the text, in characters.
        table: the meanings of the labels.
        text: str.

    Returns:
        list of dict of `text`, `start`, `end`, `label` and `score`, the mean of the probabilities
        of its words, of float32.

    Example:

    >>> from keras_bert_zh.text.plain_entities import join_entities, label_table
    >>> table = label_table(["O", "B-LOC", "I-LOC"])
    >>> scores, starts, ends = [1.0, 0.5, 0.75], [0, 1, 2], [1, 2, 3]
    >>> join_entities([0, 1, 2], scores, starts, ends, table=table, text="在北京")
    [{'text': '北京', 'start': 1, 'end': 3, 'label': 'LOC', 'score': 0.625}]
    """
    entities: list[list[int]] = []
    before, closed = -1, False
    for word, label in enumerate(labels):
        kind = int(table.kinds[label])
        if kind >= 0:
            if table.opens[label] or closed or kind != before:
                entities.append([])
            entities[-1].append(word)
        before, closed = kind, bool(table.closes[label])
    found = []
    for words in entities:
        first, last = words[0], words[-1]
        # One after the other, as TensorFlow adds them; NumPy's mean adds them in another order.
        total = np.cumsum(probabilities[first : last + 1], dtype=np.float32)[-1]
        found.append(
            {
                "text": text[starts[first] : ends[last]],
                "start": int(starts[first]),
                "end": int(ends[last]),
                "label": str(table.names[table.kinds[labels[first]]]),
                "score": float(total / np.float32(len(words))),
            }
        )
    return found
