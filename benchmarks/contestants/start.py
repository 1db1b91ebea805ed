"""The processes of the encoders that are compared, and the files that these read."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from benchmarks.contest import Contestant, cores
from benchmarks.contestants.table import Kind
from benchmarks.workloads import REVIEW_LENGTH, SIZES, Arrays

INSTALL = "make bench-peers, and use the Python of .venv-peers"


class Files(NamedTuple):
    """What the contestants read.

    Args:
        place: the folder.
        sizes: the fields of the `BertConfig`.
        reviews: the inputs that real reviews make.
    """

    place: pathlib.Path
    sizes: dict[str, Any]
    reviews: Arrays


def environment() -> dict[str, str]:
    """Returns the variables of contestants' processes: all cores, no network, no chatter."""
    return {
        "CUDA_VISIBLE_DEVICES": "-1",
        "HF_HUB_OFFLINE": "1",
        "KERAS_BACKEND": "tensorflow",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "OMP_NUM_THREADS": str(cores()),
        "PYTHONWARNINGS": "ignore",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": str(cores()),
        "TQDM_DISABLE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
    }


def check_installed(needs: Mapping[str, str]) -> None:
    """Exits with the line that installs what is missing of these packages, by their modules."""
    missing = [package for module, package in needs.items() if not find_spec(module)]
    if missing:
        raise SystemExit(f"{', '.join(sorted(set(missing)))} missing: {INSTALL}")


def needs_of(kinds: Iterable[Kind]) -> dict[str, str]:
    needs = {"snownlp": "snownlp", "sklearn": "scikit-learn"}
    for kind in kinds:
        needs |= kind.needs
    return needs


@contextlib.contextmanager
def written_files(kinds: Iterable[Kind], size: str) -> Iterator[Files]:
    """Writes what these contestants read to a temporary folder."""
    with tempfile.TemporaryDirectory() as place:
        writer = start("benchmarks.contestants.weights:Writer", place, SIZES[size])
        reviews = writer.call("review_inputs", REVIEW_LENGTH).value
        sizes = writer.call("sizes").value
        writer.close()
        for make in dict.fromkeys(make for kind in kinds for make in kind.writers):
            start(make, place, TF_USE_LEGACY_KERAS="1").close()
        yield Files(pathlib.Path(place), sizes, reviews)


@contextlib.contextmanager
def started(kinds: Mapping[str, Kind], files: Files) -> Iterator[dict[str, Contestant]]:
    """Starts contestants, all at once in memory, and ends them."""
    contestants = {}
    try:
        for name, kind in kinds.items():
            contestants[name] = start(kind.make, str(files.place), *kind.arguments)
        yield contestants
    finally:
        for contestant in contestants.values():
            contestant.close()


def start(make: str, *arguments: Any, **variables: str) -> Contestant:
    """Starts a contestant on all cores."""
    variables = environment() | variables
    return Contestant(make, *arguments, environment=variables, all_cores=True)
