"""Keras on JAX: two hosts, and eight devices that share the weights, train what one device does."""

import json
import os
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_bert_zh import layout_map
from tests.process import ROOT

pytestmark = pytest.mark.slow

EIGHT = "--xla_force_host_platform_device_count=8"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each way printed; of two hosts, both."""
    folder = tmp_path_factory.mktemp("hosts")
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{opened.getsockname()[1]}"
    started = {
        "one": start("one", folder),
        "first": start("hosts", folder, 0, address),
        "second": start("hosts", folder, 1, address),
        "layout": start("layout", folder, XLA_FLAGS=f"{os.environ['XLA_FLAGS']} {EIGHT}"),
    }
    results = {}
    for name, process in started.items():
        printed, errors = process.communicate(timeout=300)
        assert process.returncode == 0, f"{name}: {errors[-3000:]}"
        results[name] = json.loads(printed.splitlines()[-1])
    return results


def start(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.training.distributed", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            # Two programs at a time may wait for each other's hosts for ever.
            "JAX_CPU_ENABLE_ASYNC_DISPATCH": "false",
            **environment,
        },
    )


@pytest.mark.parametrize("way", ["first", "second", "layout"])
def test_losses_are_those_of_one_device(found, way):
    for kind, expected in found["one"]["losses"].items():
        assert len(set(expected)) == len(expected) == 4
        np.testing.assert_allclose(found[way]["losses"][kind], expected, rtol=1e-5, err_msg=kind)


def test_devices_have_a_share_of_the_weights_and_of_what_the_optimiser_keeps(found):
    assert found["layout"]["devices"] == 8
    of_four = ("classifier", "momentum", "outer", "query", "words")
    assert found["layout"]["split"] == dict.fromkeys(of_four, 0.25) | {"norm": 1.0}
    assert set(found["first"]["split"].values()) == {1.0}


def test_one_host_writes_the_state_and_all_read_it(found):
    whole = found["one"]["losses"]["TextClassifier"]
    for host in ("one", "first", "second"):
        resumed = found[host]["resumed"]
        assert resumed["step"] == 2
        np.testing.assert_allclose(resumed["losses"], whole[2:], rtol=1e-5)
        assert resumed["files"] == ["state", "state_of_0"]


def test_hosts_that_read_different_files_all_stop(found):
    assert found["one"]["resumed"]["errors"] == ["", "", ""]
    first, second = (found[host]["resumed"]["errors"] for host in ("first", "second"))
    for error in (first[0], second[0]):
        assert "have read different numbers of batches" in error
        assert "[1, 0]; 0 means that the file is missing" in error
    for error in (first[1], second[1]):
        assert "The hosts have read different files" in error
    assert "damaged" in second[2]
    assert "failed on host 1: see the error there." in first[2]


def test_a_mesh_without_the_axis():
    mesh = keras.distribution.DeviceMesh((1,), ["batch"], ["cpu:0"])
    with pytest.raises(ValueError, match=r'must have an axis "model", got \[\'batch\'\]'):
        layout_map(mesh)
