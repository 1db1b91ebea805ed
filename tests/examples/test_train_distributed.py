"""examples/train_distributed.py: every way has the losses of one device."""

import os
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests.process import run_python

pytestmark = pytest.mark.slow

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
EIGHT = "--xla_force_host_platform_device_count=8"


@pytest.fixture(scope="module")
def run(one_block, tmp_path_factory):
    """A function that runs one way; returns the losses and the output folder."""

    def run(way):
        folder = tmp_path_factory.mktemp(way)
        sizes = ["--steps", "3", "--batch-size", "8", "--learning-rate", "0.01"]
        sizes += ["--max-length", "32"]
        places = ["--checkpoint", str(one_block), "--output", str(folder)]
        arguments = ["--way", way, *sizes, *places]
        if way == "hosts":
            printed = as_users_do(arguments)
        else:
            environment = {} if way in ("one", "mirrored") else {"KERAS_BACKEND": "jax"}
            if way == "layout":
                environment["XLA_FLAGS"] = f"{os.environ['XLA_FLAGS']} {EIGHT}"
            code = "import sys; sys.path.insert(0, sys.argv[1]); import train_distributed\n"
            code += "train_distributed.main([*sys.argv[2:], '--process', '0'])"
            printed = run_python(code, EXAMPLES, *arguments, **environment)
        # What connects the hosts writes lines of its own.
        (losses,) = re.findall(rf"^{way}: (.*)$", printed, re.MULTILINE)
        return list(map(float, losses.split())), folder

    return run


def as_users_do(arguments):
    result = subprocess.run(
        [sys.executable, EXAMPLES / "train_distributed.py", *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


@pytest.fixture(scope="module")
def expected(run):
    losses, _ = run("one")
    assert len(set(losses)) == 3
    return losses


@pytest.mark.parametrize("way", ["mirrored", "hosts", "layout"])
def test_losses_are_those_of_one_device(run, expected, way):
    losses, folder = run(way)
    np.testing.assert_allclose(losses, expected, atol=2e-5)
    model = keras.saving.load_model(folder / "model.keras")
    assert model(["房间很干净"]).shape == (1, 2)


def test_several_texts_in_a_row(run):
    losses, _ = run("packed")
    assert len(set(losses)) == 3


def test_a_process_that_fails_ends_the_run(one_block):
    command = [sys.executable, EXAMPLES / "train_distributed.py", "--checkpoint", "/no/such/folder"]
    result = subprocess.run(command, capture_output=True, check=False, text=True, timeout=300)
    assert result.returncode == 1
    assert "1 of 1 processes failed; see above." in result.stderr
