"""The report of `benchmarks.serving`."""

import argparse
import ast
import math
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.contest import cores, ratios, spread
from benchmarks.contestants.servers import MAX_LENGTH
from benchmarks.load import PATIENCE, Run, percentile
from benchmarks.peak import CLOSE, FEWEST, LIMIT
from benchmarks.report import circumstances, installed, table

_PACKAGES = (
    "tensorflow",
    "keras",
    "onnxruntime",
    "openvino",
    "torch",
    "transformers",
    "sentence-transformers",
    "fastapi",
    "uvicorn",
    "numpy",
)
# In the environment of infinity.
_INFINITY_PACKAGES = (
    "infinity-emb",
    "torch",
    "transformers",
    "sentence-transformers",
    "optimum",
    "onnxruntime",
    "fastapi",
    "uvicorn",
)
_MODELS = {
    "base": "BERT-base of random weights",
    "small": "the small checkpoint",
    "tiny": "a tiny encoder",
}


# Texts whose vectors are compared.
COMPARED = 5


class Found(NamedTuple):
    """What one server did in one round.

    Args:
        cosine: the least of its vectors to ours in float32.
        lone: seconds of requests, one at a time.
        in_process: seconds of the same texts without a server; empty if the engine is not ours.
        closed: runs of clients that wait for answers, by how many there are.
        runs: runs at rates, in the order of the search.
        peak: the one of these at the highest rate that it holds.
    """

    cosine: float
    lone: list[float]
    in_process: list[float]
    closed: dict[int, Run]
    runs: list[Run]
    peak: Run | None


Rounds = Mapping[str, Sequence[Found]]


def show(found: Rounds, options: argparse.Namespace, texts: Sequence[str]) -> str:
    """Returns the report as Markdown."""
    runs = [run for of in found.values() for one in of for run in (*one.closed.values(), *one.runs)]
    versions = circumstances(installed(_PACKAGES))
    if any(name.startswith("infinity") for name in found):
        versions += f" infinity's environment: {_infinity_versions(options)}."
    command = f"{options.model} --rounds {options.rounds} --seconds {options.seconds:g}"
    count = len(texts)
    client = max(run.cpu for run in runs)
    parts = [
        f"""\
`python -m benchmarks.serving --model {command}`: {_MODELS[options.model]}, the
mean over the tokens of a text, at most {MAX_LENGTH}. Each request has one of {count:,} reviews,
{_characters(texts)}. One server at a time on {cores()} core(s), beside
the client, which took at most {client:.0%} of one. Median (range) of the rounds.""",
        versions,
        f"""\
**The peak** is the highest rate of random (Poisson) arrivals at which no request fails and 99 of
100 take less than {LIMIT:g} s, found to a factor of {CLOSE} in runs of at least {FEWEST} requests;
a rate that fails is tried once more. Time counts from when a request was to be sent, and after
{PATIENCE:g} s it has failed. `alone` is the p50 of one request at a time, `over` that over the p50
of the same texts in the engine's own call in process, and `cosine` the least of {COMPARED}
vectors to ours in float32.""",
        _peaks(found),
        *_peak_ratios(found),
        "**Clients that each wait for an answer before they send again:**",
        _closed(found),
        "**Rates of the search**, whose requests do not wait:",
        _rates(found),
    ]
    return "\n\n".join(parts)


def show_endurance(
    name: str, peak: Run, run: Run, memory: Sequence[tuple[float, int]], minutes: float
) -> str:
    """Returns what came of many minutes below the peak.

    Args:
        name: of the server.
        peak: the run at its peak.
        run: the long one.
        memory: minutes and bytes.
        minutes: how long it was to be.
    """
    early = next((at for at in memory if at[0] >= 2), memory[-1])
    (first, before), (last, after) = early, memory[-1]
    return (
        f"{name}: {minutes:g} minutes at {run.rate:.1f} requests/s, of a peak of {peak.rate:.1f}: "
        f"{len(run.latencies):,} answers, {run.failed} failures{run.failures or ''}, "
        f"p50 {_ms(run.percentile(0.5))} ms, p99 {_ms(run.percentile(0.99))} ms. "
        f"Memory after {first:.1f} minutes {before / 2**20:,.0f} MiB, "
        f"after {last:.1f} minutes {after / 2**20:,.0f} MiB: {after / before - 1:+.1%}."
    )


_PEAK = ("peak, requests/s", "answers/s", "p50, ms", "p99, ms", "alone, ms", "over", "cosine")


def _peaks(found: Rounds) -> str:
    return table(["", *_PEAK], [[name, *_peak(of)] for name, of in found.items()])


def _peak(of: Sequence[Found]) -> list[str]:
    peaks = [one.peak for one in of if one.peak]
    over = [
        percentile(one.lone, 0.5) / percentile(one.in_process, 0.5) for one in of if one.in_process
    ]
    return [
        spread([_rate(one) for one in of]).show(".1f"),
        spread([run.throughput for run in peaks]).show(".1f") if peaks else "",
        _latencies(peaks, 0.5),
        _latencies(peaks, 0.99),
        spread([1000 * percentile(one.lone, 0.5) for one in of]).show(".1f"),
        spread(over).show(".2f") if over else "",
        f"{min(one.cosine for one in of):.4f}",
    ]


def _peak_ratios(found: Rounds) -> list[str]:
    ours = [name for name in found if name.startswith("ours")]
    rows = []
    for name in ours:
        for other in found:
            rates = [_rate(one) for one in found[other]]
            if other != name and all(rates):
                over = ratios([_rate(one) for one in found[name]], rates)
                rows.append([name, other, over.show(".2f")])
    title = "**Peaks over those of others**, each of one round:"
    return [title, table(["", "over", "ratio"], rows)] if rows else []


def _closed(found: Rounds) -> str:
    rows = []
    for name, of in found.items():
        for clients in of[0].closed:
            runs = [one.closed[clients] for one in of]
            rows.append([name, f"{clients}", *_figures(runs)])
    return table(["", "clients", *_FIGURES], rows)


def _rates(found: Rounds) -> str:
    rows = [
        [name, f"{rate:g}", *_figures(runs)]
        for name, of in found.items()
        for rate, runs in by_rate(run for one in of for run in one.runs).items()
    ]
    return table(["", "rate", *_FIGURES], rows)


def by_rate(runs: Iterable[Run]) -> dict[float, list[Run]]:
    """Returns runs by the rate that was to be reached, from the lowest to the highest."""
    found = defaultdict(list)
    for run in runs:
        found[round(run.rate, 1)].append(run)
    return dict(sorted(found.items()))


_FIGURES = ("answers/s", "p50, ms", "p99, ms", "failures")


def _figures(runs: Sequence[Run]) -> list[str]:
    return [
        spread([run.throughput for run in runs]).show(".1f"),
        _latencies(runs, 0.5),
        _latencies(runs, 0.99),
        f"{sum(run.failed for run in runs)}",
    ]


def _latencies(runs: Sequence[Run], share: float) -> str:
    return spread([1000 * run.percentile(share) for run in runs]).show(".0f") if runs else ""


def _rate(one: Found) -> float:
    return one.peak.rate if one.peak else 0.0


def _ms(seconds: float) -> str:
    return "inf" if seconds == math.inf else f"{1000 * seconds:.0f}"


def _characters(texts: Sequence[str]) -> str:
    lengths = [len(text) for text in texts]
    return f"{percentile(lengths, 0.5)} characters in the median, p99 {percentile(lengths, 0.99)}"


def _infinity_versions(options: argparse.Namespace) -> str:
    """Returns the versions of the packages in the environment of infinity."""
    code = "import importlib.metadata as m, sys; print([m.version(name) for name in sys.argv[1:]])"
    command = [options.infinity / "bin" / "python", "-c", code, *_INFINITY_PACKAGES]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    versions = zip(_INFINITY_PACKAGES, ast.literal_eval(said), strict=True)
    return ", ".join(f"{package} {version}" for package, version in versions)
