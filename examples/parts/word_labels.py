"""From texts with entities to words with labels, which is what a tagger learns from."""

import re
from collections.abc import Iterator, Sequence

from parts.tagged import Tagged

from keras_bert_zh import BertPreprocess, TokenTagger, align_labels
from keras_bert_zh.label_schemes import Span, to_labels

# What BERT takes for a word: characters on their own, but for Latin letters and digits in a row.
WORD = re.compile(r"[A-Za-z0-9]+|\S")
# Where texts are torn, the best places first.
ENDS = ("。！？!?…", "；;", "，、,：")


def to_tokens(texts: Sequence[Tagged], model: TokenTagger) -> tuple:
    """Returns the inputs, labels and weights that the model learns from.

    Args:
        texts: the texts, which are torn where they have more words than the model takes.
        model: the tagger.
    """
    pieces = [
        piece
        for tagged in texts
        for piece in torn(*words_of(tagged), model.preprocess.max_length - 2)
    ]
    words, labels = zip(*pieces, strict=True)
    config = {**model.preprocess.get_config(), "word_ids": True, "warn_of_cuts": False}
    preprocess = BertPreprocess.from_config(config)
    inputs = preprocess(list(words))
    word_ids = inputs.pop("word_ids")
    return inputs, *align_labels(labels, word_ids, model.labels)


def words_of(tagged: Tagged) -> tuple[list[str], list[str]]:
    """Returns the words of a text, and their labels in BIO.

    An entity that begins or ends within a word has all of it; of two in one word, the first.
    """
    words = list(WORD.finditer(tagged.text))
    numbers = [-1] * len(tagged.text)  # Which word each character is in.
    for number, word in enumerate(words):
        numbers[word.start() : word.end()] = [number] * len(word[0])
    spans, end = [], 0
    for span in tagged.spans:
        inside = [number for number in numbers[span.start : span.end] if number >= 0]
        if inside and inside[0] >= end:
            end = inside[-1] + 1
            spans.append(Span(span.kind, inside[0], end))
    return [word[0] for word in words], to_labels(spans, len(words))


def torn(
    words: list[str], labels: list[str], longest: int
) -> Iterator[tuple[list[str], list[str]]]:
    """Yields pieces of a text of so many words at most, torn at the ends of sentences if it can."""
    while len(words) > longest:
        place = _place(words, labels, longest)
        yield words[:place], labels[:place]
        words, labels = words[place:], labels[place:]
    if words:
        yield words, labels


def _place(words: Sequence[str], labels: Sequence[str], longest: int) -> int:
    for ends in ENDS:
        for place in range(longest, longest // 2, -1):
            if words[place - 1] in ends and not labels[place].startswith("I"):
                return place
    return next((p for p in range(longest, 0, -1) if not labels[p].startswith("I")), longest)
