"""benchmarks.serving: what sends, what searches, what reports. No time is asserted."""

import argparse
import http.server
import itertools
import json
import math
import socket
import sys
import threading

import pytest
from matplotlib import image

from benchmarks import load, serving_picture, serving_report
from benchmarks.contestants.servers import SERVERS, Kind
from benchmarks.load import Client, Run, arrivals, percentile
from benchmarks.peak import CLOSE, find_peak, holds
from benchmarks.server_process import serving
from benchmarks.serving_report import Found, by_rate, show, show_endurance
from tests.process import ROOT

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def a_run(rate, p99=0.1, failures=None, count=100):
    return Run(rate, 2.0, [0.05] * (count - 2) + [p99] * 2, failures or {}, 0.1)


class TestArrivals:
    def test_they_come_at_the_rate_and_are_those_of_the_seed(self):
        times = arrivals(100, 100, seed=3)
        assert len(times) == pytest.approx(10_000, abs=400)
        assert times == sorted(times)
        assert times[0] == 0
        assert times[-1] < 100
        assert times == arrivals(100, 100, seed=3) != arrivals(100, 100, seed=4)

    def test_gaps_are_exponential(self):
        times = arrivals(1, 10_000, seed=0)
        gaps = [after - before for before, after in itertools.pairwise(times)]
        longer = sum(gap > 1 for gap in gaps) / len(gaps)
        assert longer == pytest.approx(math.exp(-1), abs=0.02)


class TestPercentiles:
    def test_so_many_reach_it(self):
        values = [float(value) for value in range(100, 0, -1)]
        assert [percentile(values, share) for share in (0.5, 0.99, 1)] == [50, 99, 100]
        assert percentile([3.0], 0.01) == 3

    def test_a_failure_takes_forever(self):
        run = a_run(8, p99=0.2, failures={"TimeoutError": 100})
        assert run.percentile(0.5) == 0.2
        assert run.percentile(0.51) == math.inf
        assert (run.throughput, run.failed) == (50, 100)


class TestPeak:
    @pytest.mark.parametrize("capacity", [1.3, 8.0, 40.0, 700.0])
    def test_what_holds_is_close_to_what_does_not(self, capacity):
        rates = []

        def measure(rate):
            rates.append(rate)
            return a_run(rate, p99=0.9 if rate <= capacity else 1.1)

        best = find_peak(measure, 8.0)
        assert best.rate <= capacity < best.rate * CLOSE
        assert len(set(rates)) < 15
        assert all(rates.count(rate) == (1 if rate <= capacity else 2) for rate in rates)

    def test_one_failure_is_too_many(self):
        assert holds(a_run(8))
        assert not holds(a_run(8, failures={"TimeoutError": 1}))

    def test_one_that_fails_once_is_tried_again(self):
        tried = []

        def measure(rate):
            tried.append(rate)
            unlucky = tried == [8.0]
            return a_run(rate, p99=0.9 if rate <= 40 and not unlucky else 1.1)

        assert find_peak(measure, 8.0).rate > 40 / CLOSE

    def test_none_holds(self):
        assert find_peak(lambda rate: a_run(rate, p99=2.0), 8.0) is None


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the length of the text; refuses, breaks off or says nothing of use if asked."""

    protocol_version = "HTTP/1.1"
    refused = 0
    connections: set = set()  # noqa: RUF012, emptied by each test

    def do_POST(self):
        self.connections.add(self.client_address)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        (text,) = body["input"]
        if text == "break off":
            self.close_connection = True
            return
        answer = {"data": [{"embedding": [len(text)]}], "model": body["model"]}
        status, reply = 200, json.dumps({} if text == "nothing" else answer).encode()
        if text == "refuse" or Answers.refused:
            status, Answers.refused = 503, max(0, Answers.refused - 1)
        self.send_response(status)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def port():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def client_of(port, *texts):
    Answers.connections.clear()
    client = Client(texts)
    client.aim(port, "/v1/embeddings", "model")
    return client


class TestClient:
    def test_one_request(self, port):
        client = client_of(port, "很好", "房间很大")
        assert [client.vector(number) for number in range(2)] == [[2], [4]]
        assert client.once(0) > 0

    def test_at_a_rate_each_arrival_is_a_request(self, port):
        run = client_of(port, "很好").at_rate(200, 0.3, seed=0)
        assert len(run.latencies) == len(arrivals(200, 0.3, seed=0))
        assert run.rate == 200
        assert not run.failures
        assert min(run.latencies) > 0
        assert run.seconds > 0

    def test_clients_keep_their_connections(self, port):
        run = client_of(port, "很好").from_clients(2, 0.2, seed=0)
        assert len(run.latencies) >= len(Answers.connections) == 2
        assert run.rate is None

    @pytest.mark.parametrize(
        ("text", "failure"),
        [
            ("refuse", "HTTP/1.1 503 Service Unavailable"),
            ("break off", "IncompleteReadError"),
            ("nothing", "an answer without an embedding"),
        ],
    )
    def test_failures_are_counted_by_what_happened(self, port, text, failure):
        run = client_of(port, text).at_rate(50, 0.1, seed=0)
        assert run.failures == {failure: len(arrivals(50, 0.1, seed=0))}
        assert not run.latencies

    def test_nothing_more_is_sent_after_a_failure_if_so_asked(self, port):
        run = client_of(port, "refuse").at_rate(50, 5.0, 0, False)
        assert 1 <= run.failed < len(arrivals(50, 5.0, seed=0)) / 2

    def test_one_without_answer_has_failed_after_a_while(self, monkeypatch):
        monkeypatch.setattr(load, "PATIENCE", 0.1)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            run = client_of(silent.getsockname()[1], "很好").at_rate(50, 0.1, seed=0)
        assert run.failures == {"TimeoutError": len(arrivals(50, 0.1, seed=0))}

    def test_it_settles_when_nothing_is_refused_any_more(self, port, monkeypatch):
        monkeypatch.setattr(load, "_AT_ONCE", 0.1)
        Answers.refused = 2
        client_of(port, "很好").settle()
        assert Answers.refused == 0


class TestServers:
    def test_all_commands_can_be_filled_in(self):
        names = ("python", "infinity", "root", "model", "port")
        for kind in SERVERS.values():
            command = [part.format(**dict.fromkeys(names, "value")) for part in kind.command]
            assert "value" in command

    @LINUX
    def test_a_server_runs_until_it_is_left(self, tmp_path):
        (tmp_path / "model").mkdir()
        kind = Kind(("{python}", "-m", "http.server", "{port}", "--bind", "127.0.0.1"), "/")
        with serving(kind, tmp_path, ROOT) as server:
            assert server.rss() > 2**20
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))

    def test_one_that_does_not_start_says_why(self, tmp_path):
        (tmp_path / "model").mkdir()
        kind = Kind(("{python}", "-c", "raise SystemExit('no such engine')"), "/")
        with (
            pytest.raises(SystemExit, match="was not ready: no such engine"),
            serving(kind, tmp_path, ROOT),
        ):
            pass


def found_of(peak):
    closed = {clients: a_run(None) for clients in (1, 4)}
    runs = [a_run(8.0), a_run(peak, p99=0.9), a_run(1.1 * peak, p99=2.0, failures={"x": 3})]
    return Found(0.9993, [0.02] * 3, [0.01] * 3, closed, runs, runs[1])


FOUND = {
    "ours, ONNX Runtime": [found_of(40.0), found_of(44.0)],
    "sentence-transformers, FastAPI": [found_of(20.0)._replace(in_process=[])] * 2,
}


def test_the_report_has_peaks_ratios_and_all_runs():
    options = argparse.Namespace(model="base", rounds=2, seconds=2)
    report = show(FOUND, options, ["很好"] * 10)
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in report.splitlines()]
    rows = [cells for cells in lines if cells]
    widths = [len(cells) for cells in rows]
    for line, cells in enumerate(rows):
        if cells[0] == "---":  # Beside its header and its first row.
            assert widths[line - 1] == widths[line] == widths[line + 1]
    peaks = next(cells for cells in rows if cells[0] == "ours, ONNX Runtime")
    assert peaks[1:3] == ["42.0 (40.0-44.0)", "50.0 (50.0-50.0)"]
    assert peaks[3:] == [
        "50 (50-50)",
        "900 (900-900)",
        "20.0 (20.0-20.0)",
        "2.00 (2.00-2.00)",
        "0.9993",
    ]
    assert [*FOUND, "2.10 (2.00-2.20)"] in rows
    assert [
        "ours, ONNX Runtime",
        "4",
        *["50.0 (50.0-50.0)", "50 (50-50)", "100 (100-100)"],
        "0",
    ] in rows
    assert ["sentence-transformers, FastAPI", "22", *["50.0 (50.0-50.0)", "50 (50-50)"]] in [
        cells[:4] for cells in rows
    ]
    assert "infinity" not in report


def test_a_server_that_holds_no_rate_has_no_peak():
    never = found_of(40.0)._replace(peak=None)
    options = argparse.Namespace(model="tiny", rounds=1, seconds=2)
    report = show({"ours, ONNX Runtime": [never]}, options, ["很好"])
    assert "| ours, ONNX Runtime | 0.0 (0.0-0.0) |  |  |  | 20.0" in report
    assert "Peaks over those of others" not in report


def test_endurance_compares_memory_after_two_minutes_with_the_end():
    memory = [(minute / 4, 2**30 + 2**20 * minute) for minute in range(1, 41)]
    said = show_endurance("ours", a_run(40.0), a_run(32.0, failures={"x": 1}), memory, 10)
    assert "10 minutes at 32.0 requests/s, of a peak of 40.0: 100 answers, 1 failures" in said
    assert "after 2.0 minutes 1,032 MiB, after 10.0 minutes 1,064 MiB: +3.1%" in said


def test_the_picture_has_a_line_a_server_and_none_for_what_failed(tmp_path):
    runs = {name: [run for one in of for run in one.runs] for name, of in FOUND.items()}
    figure = serving_picture.draw(tmp_path / "serving.png", runs)
    assert image.imread(tmp_path / "serving.png").shape == (600, 1440, 4)
    left, right = figure.axes
    assert [line.get_label() for line in left.lines[:2]] == list(FOUND)
    rates = list(by_rate(runs["ours, ONNX Runtime"]))
    assert rates == [8.0, 40.0, 44.0, 48.4]
    assert list(left.lines[0].get_xdata()) == rates
    assert list(right.lines[0].get_xdata()) == [8.0, 40.0]


def test_the_report_and_the_table_name_the_same_models():
    from benchmarks.contestants.servers import MODELS

    assert serving_report._MODELS.keys() == set(MODELS)
