"""Offsets of tokens in their texts: differences from the original's rules, and speed.

    python -m benchmarks.offsets [--texts 100000] [--sentences 40000] [--write]

Prints how many offsets in random strings and in sentences of reviews differ from a copy of
google-research/bert's tokeniser that keeps the place of each character, and how fast texts are
tokenised with and without offsets; the goal is half the speed. `--write` saves the result in
`benchmarks/RESULTS.md`. Takes about five minutes.
"""

import argparse
import re
from collections.abc import Callable, Iterator, Sequence

from benchmarks.contest import Contestant, Reply, core, interleave, spread
from benchmarks.preprocess import reviews
from benchmarks.report import circumstances, table, write_section
from benchmarks.tokenizers_in_turn import BATCH, ENVIRONMENT, MAX_LENGTH, on_one_thread

VERSIONS = ("tensorflow", "tensorflow-text", "bert-tensorflow", "snownlp")
# What to map over batches of texts, by name, and what its speed is compared with.
WAYS = {
    "`tokenize(texts)`": None,
    "`tokenize(texts, offsets=True)`": "`tokenize(texts)`",
    '`tokenize(texts, offsets="bytes")`': "`tokenize(texts)`",
    "`BertPreprocess()`": None,
    "`BertPreprocess(offsets=True)`": "`BertPreprocess()`",
}
_AT_ONCE = 5_000


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=int, default=100_000, help="random strings")
    parser.add_argument("--sentences", type=int, default=40_000, help="sentences of reviews")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="save the results in RESULTS.md")
    options = parser.parse_args(arguments)
    report = f"{exactness(options.texts, options.sentences)}\n\n{speed(options.rounds)}"
    print(report)
    if options.write:
        write_section("Offsets", f"`python -m benchmarks.offsets`\n\n{report}")


def exactness(texts: int, sentences: int) -> str:
    """Compares each token's id, start and end, and returns a table of mismatches."""
    from keras_bert_zh.vocabulary import chinese_vocabulary
    from tests.text.random_text import random_texts

    rows = []
    for lowercase in (True, False):
        sources = {
            "random strings": list(random_texts(texts, chinese_vocabulary(), seed=5 + lowercase)),
            "sentences of reviews": [line.encode() for line in _sentences(sentences)],
        }
        for name, source in sources.items():
            tokens, differ = _compare(source, lowercase)
            case = "lower case" if lowercase else "cased"
            counts = (len(source), tokens, *differ)
            rows.append((f"{name}, {case}", *(f"{count:,}" for count in counts)))
    header = ("", "texts", "tokens", "texts that differ in characters", "in bytes")
    return table(header, rows)


def _sentences(most: int) -> list[str]:
    whole = reviews()
    found = (part for text in whole for part in re.split(r"(?<=[。！？!?；;…\n])", text))
    # There are not quite 40,000: whole reviews follow.
    return list(dict.fromkeys(part for part in (*found, *whole) if part.strip()))[:most]


def _compare(texts: list[bytes], lowercase: bool) -> tuple[int, list[int]]:
    """Returns how many tokens there are, and texts that differ, in characters and in bytes."""
    import tensorflow as tf

    from keras_bert_zh import BertPreprocess
    from keras_bert_zh.vocabulary import chinese_vocabulary
    from tests.text.located_reference import byte_places, located_reference

    expected = located_reference(chinese_vocabulary(), lowercase)
    preprocess = BertPreprocess(None, lowercase=lowercase)
    count, differ = 0, [0, 0]
    for start in range(0, len(texts), _AT_ONCE):
        batch = texts[start : start + _AT_ONCE]
        columns = [
            list(_rows(preprocess.tokenize(tf.constant(batch), offsets=unit)))
            for unit in ("characters", "bytes")
        ]
        for text, characters, of_bytes in zip(batch, *columns, strict=True):
            right = expected.tokens(text)
            starts, ends = byte_places(text)
            count += len(right)
            differ[0] += characters != right
            differ[1] += of_bytes != [(i, starts[a], ends[b - 1]) for i, a, b in right]
    return count, differ


def _rows(located) -> Iterator[list[tuple[int, int, int]]]:
    for row in zip(*(column.to_list() for column in located), strict=True):
        yield list(zip(*row, strict=True))


class Ways:
    """Each way to tokenise, mapped over batches of the reviews, on one thread."""

    def __init__(self, texts: list[str]):

        from keras_bert_zh import BertPreprocess

        batches = on_one_thread(texts)
        plain = BertPreprocess(None, max_length=MAX_LENGTH)
        ways: tuple[Callable, ...] = (
            plain.tokenize,
            lambda texts: plain.tokenize(texts, offsets=True),
            lambda texts: plain.tokenize(texts, offsets="bytes"),
            plain,
            BertPreprocess(None, max_length=MAX_LENGTH, offsets=True),
        )
        self._datasets = {name: batches.map(way) for name, way in zip(WAYS, ways, strict=True)}
        self._count = len(texts)

    def run(self, name: str) -> int:
        for _ in self._datasets[name]:
            pass
        return self._count


def speed(rounds: int) -> str:
    """Lets all ways take turns, and returns a table of their speeds."""
    texts = reviews()
    ours = Contestant(Ways, texts, environment=ENVIRONMENT)
    turns = {name: lambda _, name=name: ours.call("run", name) for name in WAYS}
    replies = interleave(turns, rounds, 1)
    rows = []
    for name, base in WAYS.items():
        rates = spread([reply.value / reply.wall for reply in replies[name]]).show(",.0f")
        ratio = "" if base is None else _ratio(replies[name], replies[base])
        rows.append((name, rates, ratio))
    place = "tied to no core" if core() is None else "tied to one core"
    return f"""\
{len(texts):,} reviews in batches of {BATCH} in `tf.data`, one process, one thread, {place};
{rounds} interleaved rounds; median (range).

{circumstances(VERSIONS)}

{table(("", "texts/s", "of the speed without offsets, by CPU time"), rows)}"""


def _ratio(replies: list[Reply], bases: list[Reply]) -> str:
    return spread([b.cpu / reply.cpu for reply, b in zip(replies, bases, strict=True)]).show(".2f")


if __name__ == "__main__":
    main()
