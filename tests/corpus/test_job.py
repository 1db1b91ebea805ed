"""Whole corpora: every row once, whatever happens."""

import dataclasses
import errno
import itertools
import json
import lzma
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from keras_bert_zh.corpus import chunk_files, job
from keras_bert_zh.corpus.job import embed_corpus
from keras_bert_zh.corpus.options import Options
from keras_bert_zh.corpus.run import Done
from tests.corpus.conftest import TEXTS
from tests.process import fork_python
from tests.sentence_transformers import TEXTS as GOLDEN
from tests.sentence_transformers import TRUE, copy_of


@pytest.fixture
def corpus(tmp_path):
    """A folder of two files, one of them with bad rows."""
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    bad = [{"text": TEXTS[0], "id": 1}, {"text": None}, {"text": TEXTS[3], "id": "x"}]
    (folder / "b.jsonl").write_text("\n".join(map(json.dumps, bad)), encoding="utf-8")
    return folder


@pytest.fixture
def output(tmp_path):
    return tmp_path / "vectors"


@pytest.fixture
def options(exported):
    return Options(str(exported), chunk_rows=2, batch_tokens=20)


def rows_in(folder):
    """Returns the columns of all files, in the order of their names."""
    tables = [pq.read_table(file) for file in sorted(folder.glob("*.parquet"))]
    columns = [table.to_pydict() for table in tables]
    return {
        name: list(itertools.chain.from_iterable(column[name] for column in columns))
        for name in columns[0]
    }


def rejects_in(folder):
    return [json.loads(line) for line in (folder / "rejects.jsonl").open(encoding="utf-8")]


def test_every_row_has_its_vector(corpus, output, options, model):
    assert embed_corpus([corpus], output, options) == Done(8, 1, [])
    found = rows_in(output)
    assert found["source"] == ["a.txt"] * 6 + ["b.jsonl"] * 2
    assert found["row"] == [0, 1, 2, 3, 4, 5, 0, 2]
    expected = model.predict([*TEXTS, TEXTS[0], TEXTS[3]], verbose=0)
    np.testing.assert_allclose(np.array(found["vector"]), expected, atol=1e-5)
    assert rejects_in(output) == [{"source": "b.jsonl", "row": 1, "reason": "no text: null"}]
    names = sorted(file.name for file in output.iterdir())
    chunks = ["00000-000000", "00000-000001", "00000-000002", "00001-000000", "00001-000001"]
    assert names == [
        *(f"{chunk}.parquet" for chunk in chunks),
        "_lock",
        "_model",
        "_plan.json",
        "rejects.jsonl",
    ]


def test_half_precision_and_columns(corpus, output, exported):
    options = Options(str(exported), keep=("id",), half=True)
    embed_corpus([corpus / "b.jsonl"], output, options)
    table = pq.read_table(output / "00000-000000.parquet")
    assert str(table.schema.field("vector").type) == "fixed_size_list<element: halffloat>[32]"
    assert table.column("id").to_pylist() == ["1", "x"]


def test_it_goes_on(corpus, output, options, monkeypatch):
    """After a full disk; what is there is not computed again."""
    write, full = chunk_files.parquet().write_table, iter([False, False, True])

    def write_table(table, file, **more):
        write(table, file, **more)
        if next(full, False):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(chunk_files.parquet(), "write_table", write_table)
    with pytest.raises(OSError, match="No space left"):
        embed_corpus([corpus], output, options)
    assert len(list(output.glob("*.parquet"))) == 2
    assert not list(output.glob(".*"))
    calls = []
    embed_corpus([corpus], output, options, progress=lambda *counts: calls.append(counts))
    assert calls == [(9, 4, 0, 0), (9, 2, 18, 0), (9, 2, 8, 1), (9, 1, 4, 0)]
    assert rows_in(output)["row"] == [0, 1, 2, 3, 4, 5, 0, 2]
    calls.clear()
    embed_corpus([corpus], output, options, progress=lambda *counts: calls.append(counts))
    assert calls == [(9, 9, 0, 1)]


def test_a_killed_run_goes_on(corpus, output, options):
    killed = fork_python(
        """
import os, sys
from keras_bert_zh.corpus import run
from keras_bert_zh.corpus.job import embed_corpus
from keras_bert_zh.corpus.options import Options
write = run.write_chunk
def write_chunk(folder, chunk, *more, keep):
    if chunk.first == 2:
        os.replace = lambda *paths: os.kill(os.getpid(), 9)
    write(folder, chunk, *more, keep=keep)
run.write_chunk = write_chunk
embed_corpus([sys.argv[1]], __import__("pathlib").Path(sys.argv[2]),
             Options(sys.argv[3], chunk_rows=2, batch_tokens=20))
""",
        corpus,
        output,
        options.checkpoint,
    )
    assert killed.returncode != 0
    assert [file.name for file in output.glob("*.parquet")] == ["00000-000000.parquet"]
    embed_corpus([corpus], output, options)
    assert rows_in(output)["row"] == [0, 1, 2, 3, 4, 5, 0, 2]
    assert not [*output.glob(".*")]


def test_texts_that_are_too_long(corpus, output, exported):
    options = Options(str(exported), truncate=False)
    assert embed_corpus([corpus / "a.txt"], output, options) == Done(4, 2, [])
    assert rejects_in(output) == [
        {"source": "a.txt", "row": 2, "reason": "13 tokens, but at most 12 are read"},
        {"source": "a.txt", "row": 4, "reason": "42 tokens, but at most 12 are read"},
    ]
    assert rows_in(output)["row"] == [0, 1, 3, 5]


def test_a_file_that_breaks_off(corpus, output, options):
    lines = "\n".join(str(number) for number in range(100_000)).encode()
    (corpus / "c.txt.xz").write_bytes(lzma.compress(lines)[:200])
    (corpus / "d.parquet").write_bytes(b"PAR1 and no more")
    done = embed_corpus([corpus], output, Options(options.checkpoint))
    assert done.damaged == ["c.txt.xz", "d.parquet"]
    *_, third, fourth = rejects_in(output)
    assert third["source"] == "c.txt.xz"
    assert third["reason"].startswith("the file is damaged from here on: Compressed file ended")
    assert third["row"] == rows_in(output)["source"].count("c.txt.xz")
    assert (fourth["source"], fourth["row"]) == ("d.parquet", 0)


def test_other_options_and_inputs_are_refused(corpus, output, options):
    embed_corpus([corpus], output, options)
    with pytest.raises(ValueError, match="another run: batch_tokens was 20 and is 30; half was"):
        embed_corpus([corpus], output, dataclasses.replace(options, batch_tokens=30, half=True))
    (corpus / "a.txt").write_text("今天", encoding="utf-8")
    (corpus / "b.jsonl").rename(corpus / "c.jsonl")
    with pytest.raises(
        ValueError, match=r"b\.jsonl is missing; c\.jsonl is new; a\.txt has changed"
    ):
        embed_corpus([corpus], output, options)
    assert not [*output.glob(".*")]


def test_a_file_that_changes_while_it_is_read(corpus, output, options, monkeypatch):
    make_plan = job.make_plan

    def changed(*arguments):
        plan = make_plan(*arguments)
        (corpus / "a.txt").write_text("今天", encoding="utf-8")
        return plan

    monkeypatch.setattr(job, "make_plan", changed)
    with pytest.raises(ValueError, match=r"a\.txt changed while it was being read: it had 6 rows"):
        embed_corpus([corpus], output, options)
    assert not [*output.glob("*.parquet")]


def test_a_folder_inside_of_the_input(corpus, options):
    assert embed_corpus([corpus], corpus / "vectors", options).vectors == 8
    assert embed_corpus([corpus], corpus / "vectors", options).vectors == 8


def test_what_is_gone_is_named(corpus, output, options):
    embed_corpus([corpus], output, options)
    shutil.rmtree(output / "_model")
    with pytest.raises(FileNotFoundError, match=r"the model that computed .* is missing"):
        embed_corpus([corpus], output, options)


def test_one_run_at_a_time(corpus, output, options):
    output.mkdir()
    with job._alone_in(output), pytest.raises(ValueError, match="Another run is using"):
        embed_corpus([corpus], output, options)
    embed_corpus([corpus], output, options)


def test_other_folders_are_left_alone(corpus, output, options):
    output.mkdir()
    (output / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"contains notes\.txt and no _plan\.json"):
        embed_corpus([corpus], output, options)
    assert [file.name for file in output.iterdir()] == ["notes.txt"]
    with pytest.raises(NotADirectoryError, match="is a file"):
        embed_corpus([corpus], output / "notes.txt", options)


def test_files_of_other_runs_are_found(corpus, output, options):
    embed_corpus([corpus], output, options)
    file = output / "00000-000001.parquet"
    other = pq.read_table(file)
    pq.write_table(other.replace_schema_metadata({"keras_bert_zh": '{"plan": "x"}'}), file)
    with pytest.raises(ValueError, match="belongs to another run: delete it"):
        embed_corpus([corpus], output, options)
    file.write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="or does not belong to this corpus: delete it"):
        embed_corpus([corpus], output, options)
    file.unlink()
    assert embed_corpus([corpus], output, options).vectors == 8


def test_a_model_that_can_not_be_made_leaves_no_plan(corpus, output, options):
    with pytest.raises(ValueError, match="exported model, and its pooling was set at export"):
        embed_corpus([corpus], output, Options(options.checkpoint, pooling="cls"))
    # With what is right, it goes on in the same folder.
    assert embed_corpus([corpus], output, options).vectors == 8


@pytest.mark.parametrize(("engine", "dtype"), [("onnxruntime", None), ("openvino", "int8")])
def test_engines(output, engine, dtype, tmp_path):
    source = copy_of("mean", tmp_path / "source")
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(json.dumps({"text": text}) for text in GOLDEN), encoding="utf-8")
    embed_corpus([file], output, Options(str(source), engine=engine, dtype=dtype))
    off = np.abs(np.array(rows_in(output)["vector"]) - TRUE["mean"]).max()
    assert off < 2e-5 if dtype is None else 0 < off < 0.1
