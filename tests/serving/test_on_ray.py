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


@pytest.mark.slow
def test_one_replica_may_be_killed(exported):
    command = ("-m", "keras_bert_zh", "serve", exported("predict"), "--ray", "--replicas", "2")
    with running(*command, "--port", free_port()) as (process, address, _):
        first = replicas_of(process)
        assert len(first) == 2
        answers, stop = [], threading.Event()

        def client():
            with httpx.Client(timeout=30) as session:
                while not stop.is_set():
                    tries = []
                    for _ in range(10):
                        try:
                            found = session.post(f"{address}/predict", json={"inputs": "今天"})
                            tries.append(found.status_code)
                        except httpx.TransportError as error:
                            tries.append(type(error).__name__)
                        if tries[-1] == 200:
                            break
                        time.sleep(0.5)
                    answers.append(tries)

        with ThreadPoolExecutor(8) as pool:
            clients = [pool.submit(client) for _ in range(8)]
            time.sleep(1.5)
            before = len(answers)
            os.kill(min(first), signal.SIGKILL)
            deadline = time.monotonic() + 40
            while time.monotonic() < deadline:
                alive = replicas_of(process)
                if len(alive) == 2 and min(first) not in alive:
                    break
                time.sleep(0.5)
            after = len(answers)
            time.sleep(1.5)
            stop.set()
            for each in clients:
                each.result()
        assert before > 20
        assert after > before
        assert all(tries[-1] == 200 for tries in answers)
        refused = [tries for tries in answers if len(tries) > 1]
        assert all(isinstance(x, int) and x >= 500 for tries in refused for x in tries[:-1])
        assert len(replicas_of(process) - first) == 1
        assert len(answers) > after
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_how_many_replicas():
    assert parse_replicas("3") == Replicas(3, 3)
    assert parse_replicas("1:8") == Replicas(1, 8)
    for text in ("0", "2:1", "a", "1:", "-1", "1:2:3"):
        with pytest.raises(ValueError, match="--replicas must be a number such as 2"):
            parse_replicas(text)
