"""Requests per second that servers answer in time, for real reviews at random times.

    python -m benchmarks.serving [--write] [--rounds N] [--servers NAME ...] [--model base|small]
    python -m benchmarks.serving --endurance MINUTES [--servers NAME]

`make bench-peers bench-infinity` installs the peers. One server at a time runs on all cores,
together with the process that sends the requests. In every round, each server is measured with
single requests, with clients that wait for answers, and with increasing rates, until more than one
request in a hundred takes a second or one fails. `--write` saves the report in
`benchmarks/RESULTS.md` and the picture in `docs/images/`. `--endurance` sends one server 80% of the
rate that it answers in time, and prints its memory over time.
"""

import argparse
import functools
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from benchmarks.contest import PAUSE, Contestant
from benchmarks.contestants.servers import MODEL, MODEL_WITH_ONNX, MODELS, PATH, SERVERS
from benchmarks.contestants.start import check_installed, environment, start
from benchmarks.load import Run
from benchmarks.peak import FEWEST, find_peak
from benchmarks.report import write_section
from benchmarks.server_process import Server, serving
from benchmarks.serving_report import COMPARED, Found, show, show_endurance
from benchmarks.workloads import SIZES, draw_reviews

PICTURE = pathlib.Path(__file__).parents[1] / "docs" / "images" / "serving.png"
INFINITY = pathlib.Path(__file__).parents[1] / ".venv-infinity"
TEXTS = 2000
CLIENTS = (1, 4, 16, 64)
_WARM_UP = 16
_WRITER = "benchmarks.contestants.servers:Writer"
_IN_PROCESS = "benchmarks.contestants.servers:InProcess"
_REFERENCE = ("onnxruntime", "float32")
# Texts that are sent one at a time.
_LONE = 30
_FIRST_RATE = 8.0
_ENDURED = 0.8
_MEMORY_EVERY = 5.0
_NEEDS = {"snownlp": "snownlp", "sklearn": "scikit-learn", "onnxruntime": "onnxruntime"}
_PEERS = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "sentence_transformers": "sentence-transformers",
}
# Of vectors to those of ONNX Runtime in float32.
_LEAST_COSINE = 0.98


class Bench(NamedTuple):
    """What all rounds share.

    Args:
        place: the folder of the models.
        client: sends the requests.
        engines: ours in process, by engine and dtype.
        texts: of the requests.
        options: the command line.
    """

    place: pathlib.Path
    client: Contestant
    engines: Mapping[tuple[str, str], Contestant]
    texts: list[str]
    options: argparse.Namespace


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    check_installed(_NEEDS | _PEERS)
    # Servers are not to outlive this: what ends it must leave their contexts.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with _prepared(options) as bench:
        if options.endurance:
            print(endure(bench))
            return
        found: dict[str, list[Found]] = {name: [] for name in options.servers}
        for number in range(options.rounds):
            for name in options.servers:
                found[name].append(measure(bench, name, number))
    report = show(found, options, bench.texts)
    print(report)
    picture = options.picture or (PICTURE if options.write else None)
    if picture:
        from benchmarks.serving_picture import draw

        picture.parent.mkdir(parents=True, exist_ok=True)
        draw(picture, {name: [run for one in of for run in one.runs] for name, of in found.items()})
    if options.write:
        title = "Serving" if options.model == "base" else f"Serving, {options.model}"
        write_section(title, report)


@contextmanager
def _prepared(options: argparse.Namespace) -> Iterator[Bench]:
    """Writes the models, and starts what sends and what computes in process."""
    kinds = [SERVERS[name] for name in options.servers]
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        _write_model(place, options)
        # The first one is what all vectors are compared with.
        engines = dict.fromkeys([_REFERENCE, *(kind.engine for kind in kinds if kind.engine)])
        started = {name: start(_IN_PROCESS, folder, *name) for name in engines}
        texts = draw_reviews(TEXTS)
        client = start("benchmarks.load:Client", texts)
        try:
            yield Bench(place, client, started, texts, options)
        finally:
            for contestant in (client, *started.values()):
                contestant.close()


def _write_model(place: pathlib.Path, options: argparse.Namespace) -> None:
    folder = str(place)
    if options.model != "small":
        sizes = SIZES["base" if options.model == "base" else "small"]
        # As Chinese models have it, and PyTorch computes in one step.
        sizes = sizes | {"hidden_act": "gelu_erf"}
        start("benchmarks.contestants.weights:Writer", folder, sizes).close()
    start(_WRITER, folder, "small" if options.model == "small" else None).close()
    if any(SERVERS[name].folder == MODEL_WITH_ONNX for name in options.servers):
        # Of what fuses operators and computes the same, the most.
        command = [options.infinity / "bin" / "optimum-cli", "export", "onnx", "--model"]
        command += [place / MODEL, "--task", "feature-extraction", "--library", "transformers"]
        command += ["--optimize", "O2", place / MODEL_WITH_ONNX]
        done = subprocess.run(
            command, env=os.environ | environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"optimum-cli ended with {done.returncode}: {done.stderr[-2000:]}")


def measure(bench: Bench, name: str, number: int) -> Found:
    """Starts a server, lets it take its turn in a round, and ends it."""
    client, seconds = bench.client, bench.options.seconds
    with serving(SERVERS[name], bench.place, bench.options.infinity) as server:
        cosine = _aim(bench, name, server)
        # Does not count: libraries compile for shapes of batches that they have not seen.
        client.call("from_clients", _WARM_UP, seconds, number)
        lone, in_process = _one_at_a_time(bench, SERVERS[name].engine)
        closed = {}
        for clients in CLIENTS:
            client.call("settle")
            closed[clients] = client.take_turn("from_clients", clients, seconds, number)
            _tell(name, f"{clients} clients", closed[clients])
        runs: list[Run] = []
        peak = find_peak(functools.partial(_at_rate, bench, name, number, runs), _FIRST_RATE)
    return Found(cosine, lone, in_process, closed, runs, peak)


def endure(bench: Bench) -> str:
    """Sends 80% of its peak to the first server, and returns what came of it."""
    options, (name, *_) = bench.options, bench.options.servers
    with serving(SERVERS[name], bench.place, options.infinity) as server:
        _aim(bench, name, server)
        bench.client.call("from_clients", _WARM_UP, options.seconds, 0)
        peak = find_peak(functools.partial(_at_rate, bench, name, 0, []), _FIRST_RATE)
        if peak is None:
            raise SystemExit(f"{name} answers at no rate in time.")
        bench.client.call("settle")
        rate = _ENDURED * peak.rate
        over, memory = threading.Event(), []
        recorder = threading.Thread(target=_record, args=(server, options.memory, over, memory))
        recorder.start()
        try:
            run = bench.client.call("at_rate", rate, 60 * options.endurance, 1).value
        finally:
            over.set()
            recorder.join()
    return show_endurance(name, peak, run, memory, options.endurance)


def _record(
    server: Server, file: pathlib.Path, over: threading.Event, memory: list[tuple[float, int]]
) -> None:
    """Writes minutes and bytes in memory, line by line, until it is over."""
    start_ = time.monotonic()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", buffering=1) as lines:
        while not over.wait(_MEMORY_EVERY):
            memory.append(((time.monotonic() - start_) / 60, server.rss()))
            lines.write("{:.2f}\t{}\n".format(*memory[-1]))


def _aim(bench: Bench, name: str, server: Server) -> float:
    """Lets the client send to this server, and returns the least cosine of its vectors."""
    bench.client.call("aim", server.port, PATH, MODEL)
    cosines = []
    for number in range(COMPARED):
        theirs = np.array(bench.client.call("vector", number).value)
        ours = np.array(bench.engines[_REFERENCE].call("embed", bench.texts[number]).value)
        cosines.append(theirs @ ours / np.linalg.norm(theirs) / np.linalg.norm(ours))
    if not min(cosines) > _LEAST_COSINE:
        raise SystemExit(f"{name} gives other vectors: their least cosine is {min(cosines):.4f}.")
    return float(min(cosines))


def _one_at_a_time(bench: Bench, engine: tuple[str, str] | None) -> tuple[list[float], list[float]]:
    """Returns the seconds of requests, and of the same texts in process if the engine is ours."""
    lone, in_process = [], []
    for number in range(_LONE):
        lone.append(bench.client.take_turn("once", number))
        if engine:
            time.sleep(PAUSE)
            in_process.append(bench.engines[engine].call("embed", bench.texts[number]).wall)
    return lone, in_process


def _at_rate(bench: Bench, name: str, number: int, runs: list[Run], rate: float) -> Run:
    bench.client.call("settle")
    seconds = max(bench.options.seconds, FEWEST / rate)
    # More requests would only leave the server more to do before the next run.
    run = bench.client.take_turn("at_rate", rate, seconds, number, False)
    runs.append(run)
    _tell(name, f"{rate:.1f}/s", run)
    return run


def _tell(name: str, what: str, run: Run) -> None:
    p50, p99 = (run.percentile(share) for share in (0.5, 0.99))
    figures = f"{run.throughput:.1f}/s, p50 {1000 * p50:.0f} ms, p99 {1000 * p99:.0f} ms"
    print(f"{name}, {what}: {figures}, failed {run.failures or 0}", file=sys.stderr)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=12, help="seconds per run; more at low rates"
    )
    parser.add_argument(
        "--servers",
        nargs="+",
        choices=SERVERS,
        default=[*SERVERS],
        metavar="NAME",
        help="the servers: " + "; ".join(SERVERS),
    )
    parser.add_argument("--model", choices=MODELS, default="base", help="tiny is only for a check")
    parser.add_argument(
        "--infinity", type=pathlib.Path, default=INFINITY, help="the environment of infinity"
    )
    parser.add_argument("--endurance", type=float, default=0, metavar="MINUTES")
    parser.add_argument(
        "--memory",
        type=pathlib.Path,
        default=pathlib.Path("out", "serving_memory.tsv"),
        help="where --endurance writes minutes and bytes",
    )
    parser.add_argument("--picture", type=pathlib.Path, help="where to write the picture")
    parser.add_argument("--write", action="store_true", help="save the results in RESULTS.md")
    options = parser.parse_args(arguments)
    if options.write and (options.model == "tiny" or options.endurance):
        parser.error("--write keeps no results of --model tiny or --endurance")
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    options.infinity = options.infinity.absolute()  # Servers are started in other folders.
    if (
        any(name.startswith("infinity") for name in options.servers)
        and not (options.infinity / "bin" / "infinity_emb").exists()
    ):
        parser.error(f"{options.infinity} has no infinity: make bench-infinity, or --servers")
    return options


if __name__ == "__main__":
    main()
