"""Runs Python code in a process of its own."""

import functools
import os
import pathlib
import subprocess
import sys
import tempfile

from tests.fork_server import ForkServer

ROOT = pathlib.Path(__file__).parents[1]
DATA = ROOT / "tests" / "fixtures"


def run_python(code: str, *arguments: object, **environment: str) -> str:
    """Returns what the code prints; fails with its traceback if it fails.

    TensorFlow was imported before, or Keras where another backend is asked for.
    """
    process = fork_python(code, *arguments, **environment)
    assert process.returncode == 0, f"status {process.returncode}: {process.stderr[-4000:]}"
    return process.stdout


def fork_python(
    code: str, *arguments: object, **environment: str
) -> subprocess.CompletedProcess[str]:
    """As `run_python`, whether the code fails or not."""
    server = _server(tuple(sorted(environment.items())))
    with tempfile.TemporaryDirectory() as folder:
        status = server.run(code, [*map(str, arguments)], _environment(environment), folder)
        printed, errors = (
            pathlib.Path(folder, name).read_text(errors="replace") for name in ("stdout", "stderr")
        )
    return subprocess.CompletedProcess(code, status, printed, errors)


@functools.cache
def _server(environment: tuple[tuple[str, str], ...]) -> ForkServer:
    module = "keras" if "KERAS_BACKEND" in dict(environment) else "tensorflow"
    return ForkServer(module, _environment(dict(environment)), ROOT)


def run_anew(code: str, *arguments: object, **environment: str) -> str:
    """As `run_python`, and nothing was imported before."""
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        cwd=ROOT,
        env=_environment(environment),
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout


def _environment(changes: dict[str, str]) -> dict[str, str]:
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **changes}
