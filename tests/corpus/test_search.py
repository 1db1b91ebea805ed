"""Search in what was embedded, with and without Ray, from the command line."""

import itertools
import json
import os
import pathlib
import shutil
import signal

import numpy as np
import pyarrow.parquet as pq
import pytest

from keras_bert_zh.corpus import run as module
from keras_bert_zh.corpus.embedder import batches_by_tokens
from keras_bert_zh.corpus.plan import read_plan
from keras_bert_zh.corpus.search import search
from tests.corpus.conftest import TEXTS
from tests.pages import python_blocks


@pytest.fixture
def corpus(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("\n".join(TEXTS * 3), encoding="utf-8")
    return file


@pytest.mark.parametrize("most", [1, 7, 30, 10_000])
def test_batches_by_tokens(most):
    lengths = np.random.default_rng(0).integers(2, 20, 200)
    batches = list(batches_by_tokens(lengths, most))
    assert sorted(np.concatenate(batches)) == list(range(200))
    assert (np.diff(lengths[np.concatenate(batches)]) >= 0).all()
    assert all(len(batch) == 1 or lengths[batch].sum() <= most for batch in batches)
    assert all(16 * (len(batch) - 1) < max(most, 1) for batch in batches)
    for one, following in itertools.pairwise(batches):
        assert lengths[one].sum() + lengths[following[0]] > most or 16 * len(one) >= most
    assert list(batches_by_tokens(np.array([], int), most)) == []


def test_from_the_command_line(run, corpus, exported, model, tmp_path):
    folder = tmp_path / "vectors"
    arguments = ("embed", corpus, "--output", folder, "--checkpoint", exported)
    status, output, _ = run(*arguments, "--keep", "text", "--chunk-rows", 4, "--half")
    assert status == 0
    assert output.startswith(f"Wrote {folder}: 18 vectors, 0 rejected rows.\nIn this run: ")
    query = "房间很干净"
    status, output, _ = run("search", folder, query, "--top", 4, "--json")
    assert status == 0
    vectors = model.predict(TEXTS * 3, verbose=0)
    wanted = model.predict([query], verbose=0)[0]
    cosines = vectors @ wanted / np.linalg.norm(vectors, axis=1) / np.linalg.norm(wanted)
    best = np.argsort(-cosines.round(4), kind="stable")[:4]
    found = [json.loads(line) for line in output.splitlines()]
    assert [row["row"] for row in found] == best.tolist()
    assert [row["text"] for row in found] == [(TEXTS * 3)[place] for place in best]
    np.testing.assert_allclose([row["score"] for row in found], cosines[best], atol=2e-3)
    _, output, _ = run("search", folder, query, "--top", 1)
    assert output == f"{found[0]['score']:.4f}  a.txt:{found[0]['row']}  {found[0]['text']}\n"
    assert len(search(folder, read_plan(folder), wanted, 100)) == 18
    shutil.copy(folder / "00000-000000.parquet", folder / "of_others.parquet")
    (folder / "00000-000001.parquet").unlink()
    (folder / "rejects.jsonl").unlink()
    status, output, errors = run("search", folder, query, "--top", 100)
    assert (status, output.count("\n")) == (0, 14)
    assert errors == f"The run in {folder} is not finished: only a part is searched.\n"
    status, _, errors = run(*arguments)
    assert status == 2
    assert "contains the vectors of another run" in errors


def test_the_index_of_the_page(run, corpus, exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("embed", corpus, "--output", "vectors", "--checkpoint", exported)[0] == 0
    (block,) = python_blocks("docs/corpus.md")
    found: dict = {}
    exec(block, found)
    scores, places = found["index"].search(found["vectors"][2:3], 3)
    assert sorted(places[0]) == [2, 8, 14]  # The same text three times.
    np.testing.assert_allclose(scores, 1, atol=1e-6)


def test_errors_of_the_command_line(run, corpus, exported, tmp_path):
    folder = tmp_path / "vectors"
    arguments = ("--output", folder, "--checkpoint", exported)
    for more, message in {
        ("--chunk-rows", "0"): "--chunk-rows must be an int of at least 1",
        ("--keep", "row"): "leave out source, row, vector",
        ("--pooling", "cls"): "leave out --pooling",
        ("--engine", "openvino"): "engine must be 'tensorflow'",
        ("--column", "title"): "has only the column 'text'",
    }.items():
        status, _, errors = run("embed", corpus, *arguments, *more)
        assert (status, errors.count("\n")) == (2, 1), errors
        assert message in errors
    status, _, errors = run("search", tmp_path, "好")
    assert status == 2
    assert "which the command embed writes" in errors
    corpus.write_bytes(b"")
    (tmp_path / "cut.jsonl.xz").write_bytes(b"\xfd7zXZ\x00")
    status, output, _ = run("embed", corpus, tmp_path / "cut.jsonl.xz", *arguments)
    assert status == 3
    assert "cut.jsonl.xz is incomplete or damaged: the rows that can't be read have" in output


def test_what_makes_no_vectors(run, corpus, tiny_module, tmp_path):
    status, _, errors = run(
        "embed", corpus, "--output", tmp_path / "new", "--checkpoint", tiny_module
    )
    assert status == 2
    assert "does not say how to turn a text into a vector" in errors
    assert not (tmp_path / "new" / "_plan.json").exists()


def processes(name):
    """Returns the numbers of the processes whose command begins like this."""
    commands = pathlib.Path("/proc").glob("[0-9]*/cmdline")
    return [int(file.parent.name) for file in commands if read(file).startswith(name.encode())]


def read(file):
    try:
        return file.read_bytes()
    except OSError:  # It has ended meanwhile.
        return b""


@pytest.mark.slow
def test_ray_writes_the_same_files(run, corpus, exported, tmp_path, monkeypatch):
    """Also where a worker dies."""
    arguments = ("--checkpoint", exported, "--chunk-rows", 2)
    assert run("embed", corpus, "--output", tmp_path / "one", *arguments)[0] == 0
    write, killed = module.write_chunk, []

    def write_chunk(*chunk, keep):
        write(*chunk, keep=keep)
        if not killed:
            killed.extend(processes("ray::_Worker"))
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(module, "write_chunk", write_chunk)
    status, *_ = run("embed", corpus, "--output", tmp_path / "two", *arguments, "--workers", 2)
    assert status == 0
    assert killed
    names = sorted(file.name for file in (tmp_path / "one").glob("*.parquet"))
    assert len(names) == 9
    for name in names:
        one, two = (pq.read_table(tmp_path / folder / name) for folder in ("one", "two"))
        assert one.drop("vector").equals(two.drop("vector"))
        # Engines add up in another order on another number of threads.
        vectors = [np.array(table["vector"].to_pylist()) for table in (one, two)]
        np.testing.assert_allclose(*vectors, atol=1e-6)
    shutil.rmtree(tmp_path / "two")


def test_ray_is_an_extra(run, corpus, exported, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    status, _, errors = run(
        "embed", corpus, "--output", tmp_path / "new", "--checkpoint", exported, "--workers", 2
    )
    assert status == 2
    assert "pip install 'keras-bert-zh[ray]'" in errors
