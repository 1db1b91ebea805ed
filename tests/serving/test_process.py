"""A server in a process of its own: how it starts, refuses and ends."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import openai
import psutil
import pytest

from keras_bert_zh import quiet
from tests.process import ROOT

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def running(*command, **environment):
    """Yields the process of a server, its address and a function of what it wrote as errors."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        )

        def written():
            errors.seek(0)
            return errors.read()

        try:
            first = process.stdout.readline()
            address = re.search(r"http://[^\s,]+", first)
            assert address, first + written()
            yield process, address[0], written
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
            process.wait()
            process.stdout.close()


def served(folder, *options):
    return running("-m", "keras_bert_zh", "serve", folder, "--port", 0, *options)


def slow(folder, seconds):
    return running("-m", "tests.serving.slow_server", folder, seconds, 0, **{quiet.SERVES: "1"})


def test_clients(exported, keras_models, tmp_path):
    model, _ = keras_models["embeddings"]
    (tmp_path / "keys").write_text("# of the search\nsecret\n")
    folder = exported("embeddings")
    with served(folder, "--name", "bge", "--api-key-file", tmp_path / "keys", "--access-log") as (
        process,
        address,
        errors,
    ):
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="secret", max_retries=0)
        texts = ["今天天气很好", "房间"]
        expected = model.predict(texts, verbose=0)
        for encoding in ({}, {"encoding_format": "float"}):  # By default it asks for base64.
            found = client.embeddings.create(input=texts, model="bge", **encoding)
            np.testing.assert_allclose([x.embedding for x in found.data], expected, atol=1e-5)
        assert [x.id for x in client.models.list()] == ["bge"]
        with pytest.raises(openai.UnprocessableEntityError) as caught:
            client.embeddings.create(input=[], model="bge")
        assert (caught.value.param, caught.value.type) == ("input", "invalid_request_error")
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(input="今天", model="gpt")
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=f"{address}/v1", api_key="guess").models.list()
        command = ["curl", "-s", f"{address}/v1/embeddings", "-H", "Authorization: Bearer secret"]
        command += ["-H", "Content-Type: application/json", "-d", '{"input": "今天"}']
        if shutil.which("curl"):
            printed = subprocess.run(command, capture_output=True, check=True).stdout
            assert json.loads(printed)["usage"]["total_tokens"] == 4
        process.send_signal(signal.SIGTERM)
        lines = [json.loads(line) for line in process.stdout.read().splitlines()]
        assert {line["status"] for line in lines} == {200, 401, 404, 422}
        assert errors() == ""


def waiting_for(count, address, client):
    """Waits until so many texts wait for the engine."""
    for _ in range(200):
        if f'queue_texts{{task="predict"}} {count}.0' in client.get(f"{address}/metrics").text:
            return
        time.sleep(0.02)
    raise AssertionError(client.get(f"{address}/metrics").text)


def test_sigterm_answers_what_was_taken(exported):
    with (
        slow(exported("predict"), 3.0) as (process, address, _),
        httpx.Client(timeout=30) as client,
        ThreadPoolExecutor(3) as pool,
    ):
        ask = (client.post, f"{address}/predict")
        taken = [pool.submit(*ask, json={"inputs": "今天"})]
        assert process.stdout.readline().startswith("computes")
        taken += [pool.submit(*ask, json={"inputs": "今天"}) for _ in range(2)]
        waiting_for(2, address, client)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{address}/ready")  # Nobody listens any more.
        assert [x.result().status_code for x in taken] == [200] * 3
        assert process.wait(20) in (0, -signal.SIGTERM)


def test_a_client_that_goes_away_is_not_computed(exported):
    with (
        slow(exported("predict"), 2.0) as (process, address, _),
        httpx.Client(timeout=30) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        url = f"{address}/predict"
        first = pool.submit(client.post, url, json={"inputs": "今天"})
        assert process.stdout.readline() == "computes 1\n"
        with pytest.raises(httpx.ReadTimeout):
            client.post(url, json={"inputs": ["房间"] * 4}, timeout=0.3)
        assert first.result().status_code == 200
        assert client.post(url, json={"inputs": ["房间"] * 2}).status_code == 200
        assert process.stdout.readline() == "computes 2\n"
        metrics = client.get(f"{address}/metrics").text
        assert 'keras_bert_zh_requests_total{path="/predict",status="499"} 1.0' in metrics


def test_a_full_queue_says_when_to_come_again(exported):
    with (
        slow(exported("predict"), 3.0) as (process, address, _),
        httpx.Client(timeout=30) as client,
        ThreadPoolExecutor(5) as pool,
    ):
        ask = (client.post, f"{address}/predict")
        body = {"inputs": ["房间"] * 10}  # Counts as 16 tokens, and 64 may wait.
        computed = pool.submit(*ask, json=body)
        assert process.stdout.readline() == "computes 10\n"
        queued = [pool.submit(*ask, json=body) for _ in range(4)]
        waiting_for(40, address, client)
        refused = client.post(f"{address}/predict", json=body)
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json()["error"]["code"] == "overloaded"
        assert [x.result().status_code for x in (computed, *queued)] == [200] * 5


def test_a_dead_thread_ends_the_process(exported):
    with slow(exported("predict"), 0.5) as (process, address, errors):
        assert httpx.post(f"{address}/predict", json={"inputs": "好" * 5}).status_code == 500
        assert process.wait(20) == 1
        assert "RuntimeError: The computing thread ended: SystemExit" in errors()


@pytest.mark.parametrize("port", [70_000, "taken"])
def test_a_port_that_is_no_good(port, exported, run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] if port == "taken" else port
        status, output, errors = run("serve", exported("predict"), "--port", port)
    assert (status, output) == (2, "")
    assert errors.startswith("keras-bert-zh: error: The server can't listen on 127.0.0.1, port")
    assert errors.count("\n") == 1


def test_slow_and_broken_clients_do_no_harm(exported):
    with slow(exported("predict"), 0.0) as (process, address, written):
        host, port = address.removeprefix("http://").split(":")
        for sent in (
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n",
            b"\x16\x03\x01 this is TLS\r\n\r\n",
            b"",
        ):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(sent)
        threads = [
            threading.Thread(
                target=httpx.post, args=(f"{address}/predict",), kwargs={"content": b"{"}
            )
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        assert httpx.post(f"{address}/predict", json={"inputs": "今天"}).status_code == 200
        for thread in threads:
            thread.join()
        assert process.poll() is None
        assert "Traceback" not in written()
