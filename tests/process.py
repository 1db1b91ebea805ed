"""Runs Python code in a process of its own."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]
DATA = ROOT / "tests" / "fixtures"


def run_python(code: str, *arguments: object, **environment: str) -> str:
    """Returns what the code prints; fails with its traceback if it fails."""
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout
