"""Two replicas on a local Ray, one of which is killed under load."""

import contextlib
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from keras_bert_zh.serving.on_ray import Replicas, parse_replicas
from tests.serving.test_process import running


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def replicas_of(process):
    found = set()
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.name().startswith("ray::ServeReplica"):
                found.add(child.pid)
    return found


def client(url, stop, answers):
    """Asks until it is told to stop, each time until there is an answer or ten tries were made."""
    with httpx.Client(timeout=30) as session:
        while not stop.is_set():
            tries = []
            while len(tries) < 10 and 200 not in tries:
                try:
                    tries.append(session.post(url, json={"inputs": "今天"}).status_code)
                except httpx.TransportError as error:
                    tries.append(type(error).__name__)
                if tries[-1] != 200:
                    time.sleep(0.5)
            answers.append(tries)


def until(replicas, wanted):
    deadline = time.monotonic() + 90
    while not wanted(found := replicas()):
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    return found


@pytest.mark.slow
def test_replicas_are_added_and_may_be_killed(exported):
    command = ("-m", "keras_bert_zh", "serve", exported("predict"), "--ray", "--replicas", "1:2")
    with running(*command, "--port", free_port()) as (process, address, _):
        first = replicas_of(process)
        assert len(first) == 1
        answers, stop, ask = [], threading.Event(), f"{address}/predict"
        with ThreadPoolExecutor(96) as pool:
            clients = [pool.submit(client, ask, stop, answers) for _ in range(96)]
            both = until(lambda: replicas_of(process), lambda found: len(found) == 2)
            assert first < both
            before = len(answers)
            os.kill(*first, signal.SIGKILL)
            until(lambda: replicas_of(process), lambda found: len(found - first) == 2)
            after = len(answers)
            time.sleep(1)
            stop.set()
            for each in clients:
                each.result()
        assert before < after < len(answers)
        # No request was lost: where there was no answer there was an error, and then one.
        assert all(tries[-1] == 200 for tries in answers)
        failed = [x for tries in answers for x in tries[:-1]]
        assert all(isinstance(x, int) and x >= 500 for x in failed), failed
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_how_many_replicas():
    assert parse_replicas("3") == Replicas(3, 3)
    assert parse_replicas("1:8") == Replicas(1, 8)
    for text in ("0", "2:1", "a", "1:", "-1", "1:2:3"):
        with pytest.raises(ValueError, match="--replicas must be a number such as 2"):
            parse_replicas(text)
