"""A server in a separate process, from start to end, and its memory."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator

from benchmarks.contestants.servers import Kind
from benchmarks.contestants.start import environment

ROOT = pathlib.Path(__file__).parents[1]
# Seconds that a server may take until it is ready, and to end.
_START, _END = 300, 10
# What says nothing of what it does to its makers, and keeps its files in the given place.
_PRIVATE = {"DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
_PLACES = ("INFINITY_HOME", "HF_HUB_CACHE", "KERAS_BERT_ZH_CACHE")


class Server:
    """A process that answers at `port`; those that it starts belong to its session."""

    def __init__(self, process: subprocess.Popen, port: int):
        self.port = port
        self._process = process

    def rss(self) -> int:
        """Returns the bytes in memory of the process and all that it has started; Linux only."""
        return sum(_resident(process) for process in _session(self._process.pid))


@contextlib.contextmanager
def serving(kind: Kind, place: pathlib.Path, infinity: pathlib.Path) -> Iterator[Server]:
    """Starts a server, waits until it is ready, and ends it.

    Raises:
        SystemExit: if it ends before it is ready, with what it said.
    """
    port = _free_port()
    folder = place / kind.folder
    values = {"python": sys.executable, "root": ROOT, "port": port, "model": folder}
    command = [part.format(infinity=infinity, **values) for part in kind.command]
    variables = {**os.environ, **environment(), **_PRIVATE, **dict.fromkeys(_PLACES, str(place))}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=said, stderr=said, start_new_session=True
        )
        try:
            if not _wait(process, f"http://127.0.0.1:{port}{kind.ready}"):
                said.seek(0)
                text = said.read().decode(errors="replace")[-2000:]
                raise SystemExit(f"{' '.join(command)} was not ready: {text}")
            yield Server(process, port)
        finally:
            _end(process)


def _wait(process: subprocess.Popen, url: str) -> bool:
    end = time.monotonic() + _START
    while process.poll() is None and time.monotonic() < end:
        # It does not listen yet, or says that it is not ready.
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return True
        time.sleep(0.2)
    return False


def _end(process: subprocess.Popen) -> None:
    """Ends the process and whatever of its session outlives it."""
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _session(leader: int) -> Iterator[pathlib.Path]:
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It has ended meanwhile.
            # After the name, which may hold anything: state, parent, group, session.
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                yield process


def _resident(process: pathlib.Path) -> int:
    with contextlib.suppress(OSError):
        pages = int((process / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0
