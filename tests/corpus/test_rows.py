"""Rows of all formats, and what is wrong with bad ones."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keras_bert_zh.corpus import rows as module
from keras_bert_zh.corpus.inputs import corpus_files
from keras_bert_zh.corpus.rows import DamagedFileError, rows_of
from tests.compression import compressed

TEXT = "今天天气很好\r\n\n房间 很干净\n最后".encode()
LINES = ["今天天气很好", "", "房间 很干净", "最后"]


def texts(file, column="text", keep=()):
    return [row.text for row in rows_of(file, column, keep)]


def reasons(file, column="text", keep=()):
    return {row.number: row.reason for row in rows_of(file, column, keep) if row.reason}


@pytest.mark.parametrize("ending", ["", ".gz", ".xz", ".zst"])
def test_lines(tmp_path, ending):
    file = tmp_path / f"a.txt{ending}"
    file.write_bytes(compressed(TEXT, ending))
    assert texts(file) == LINES
    assert [row.number for row in rows_of(file, "text", ["text"])] == [0, 1, 2, 3]
    assert [row.kept for row in rows_of(file, "text", ["text"])] == [(line,) for line in LINES]


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
def test_a_compressed_file_that_is_cut_short(tmp_path, ending):
    rng = np.random.default_rng(0)
    lines = [f"{line} {rng.integers(1 << 60)}" for line in range(20_000)]
    content = compressed("\n".join(lines).encode(), ending)
    file = tmp_path / f"a.txt{ending}"
    file.write_bytes(content[: len(content) * 2 // 3])
    found = []
    with pytest.raises(DamagedFileError) as raised:  # noqa: PT012, what comes before counts
        for row in rows_of(file, "text", ()):
            found.append(row.text)
    assert 5_000 < len(found) < 20_000
    assert found == lines[: len(found)]
    assert raised.value.number == len(found)


def test_bytes_that_are_no_text(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes("\ufeff好\n".encode() + b"\xff\xfe\n" + "好".encode("gbk") + b"\nend")
    assert texts(file) == ["好", None, None, "end"]
    assert {number: reason[:9] for number, reason in reasons(file).items()} == {
        1: "not UTF-8",
        2: "not UTF-8",
    }


def test_rows_that_are_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    (tmp_path / "a.txt").write_text("123456789\n1234567890\n12345678901\n" + "x" * 99 + "\nend\n")
    assert texts(tmp_path / "a.txt") == ["123456789", "1234567890", None, None, "end"]
    (tmp_path / "a.jsonl").write_text('{"text": "' + "好" * 9 + '"}\n')
    assert reasons(tmp_path / "a.jsonl") == {0: "longer than 10 bytes"}
    (tmp_path / "a.csv").write_text("text,id\n好,1\n" + "a,b," * 9 + "\n很好,2")
    assert texts(tmp_path / "a.csv") == ["好", None, "很好"]
    assert reasons(tmp_path / "a.csv") == {1: "not CSV: a line is longer than 10 characters"}
    table = pa.table({"text": ["好" * 3, "好" * 4]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert reasons(tmp_path / "a.parquet") == {1: "longer than 10 bytes"}


def test_json_lines(tmp_path):
    file = tmp_path / "a.jsonl"
    lines = [
        '{"text": "好", "id": 7, "more": {"a": "是"}}',
        "",
        '{"text": null}',
        '{"text": 3}',
        '{"id": 3}',
        "[1]",
        "{",
        '{"text": "\\ud800"}',
        "[" * 100_000,
        '{"text": "很好", "more": {"a": "\\ud800"}}',
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    found = {row.number: row for row in rows_of(file, "text", ["id", "more"])}
    assert found[0].kept == ("7", '{"a": "是"}')
    assert found[9].kept == (None, '{"a": "?"}')
    assert {number: row.reason and row.reason[:14] for number, row in found.items()} == {
        0: None,
        2: "no text: null",
        3: "no text: int",
        4: "has no 'text'",
        5: "not a JSON obj",
        6: "not JSON: Expe",
        7: "not UTF-8: 'ut",
        8: "not JSON: maxi",
        9: None,
    }


def test_csv(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes('id,text\n1,"好\n很好"\n2\n3,'.encode() + b'\xff\n4,"a" b\n\n5,end\n')
    found = [*rows_of(file, "text", ["id"])]
    assert [row.text for row in found] == ["好\n很好", None, None, None, "end"]
    assert [row.number for row in found] == [0, 1, 2, 3, 4]
    assert [row.kept for row in found if row.text] == [("1",), ("5",)]
    assert reasons(file)[3].startswith("not CSV: ")
    assert reasons(file)[1] == "has 1 columns, expected 2"
    assert reasons(file)[2].startswith("not UTF-8")
    (tmp_path / "b.csv").write_text("1,好\n2,很好\n", encoding="utf-8")
    assert texts(tmp_path / "b.csv", 1) == ["好", "很好"]
    (tmp_path / "c.csv").write_text('text\n好\n"很好\n', encoding="utf-8")
    with pytest.raises(DamagedFileError, match="unexpected end of data"):
        texts(tmp_path / "c.csv")


def test_parquet(tmp_path):
    file = tmp_path / "a.parquet"
    broken = pa.array([b"\xff"]).view(pa.string()) if hasattr(pa.Array, "view") else None
    column = pa.concat_arrays([pa.array(["好", None, "很好"]), broken])
    times = pa.array([1, 86_400_000_000_001, 2, 3], pa.timestamp("ns"))
    columns = {"text": column, "id": [1, 2, None, 4], "number": [1.5, 2, 3, 4], "time": times}
    pq.write_table(pa.table(columns), file)
    found = [*rows_of(file, "text", ["id", "number"])]
    assert [row.text for row in found] == ["好", None, "很好", None]
    assert [row.kept for row in found if row.text] == [("1", "1.5"), (None, "3.0")]
    kept = next(rows_of(file, "text", ["time"])).kept
    assert kept == ("1970-01-01 00:00:00.000000001",)
    assert reasons(file)[1] == "no text: null"
    assert reasons(file)[3].startswith("not UTF-8")
    assert reasons(file, "number")[0] == "no text: float"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DamagedFileError) as raised:
        texts(file)
    assert raised.value.number == 0


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.txt"])
def test_columns_that_are_not_there(tmp_path, name):
    (tmp_path / "a.csv").write_text("text\n好\n", encoding="utf-8")
    pq.write_table(pa.table({"text": ["好"]}), tmp_path / "a.parquet")
    (tmp_path / "a.txt").write_text("好\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"'title'.*Name one of these|'title'.*has it"):
        texts(tmp_path / name, "title")
    with pytest.raises(ValueError, match="'title'"):
        texts(tmp_path / name, "text", ["title"])


def test_files_and_folders(tmp_path):
    folder = tmp_path / "texts"
    (folder / "b").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "vectors").mkdir()
    names = ("z.txt", "b/a.jsonl.gz", "b/.hidden.txt", "notes.md", "a.parquet.gz", ".git/x.txt")
    for name in (*names, "vectors/0.parquet"):
        (folder / name).write_bytes(b"")
    single = tmp_path / "single.csv"
    single.write_text(json.dumps(""))
    found = corpus_files([folder, single], folder / "vectors")
    assert [*found] == ["b/a.jsonl.gz", "z.txt", "single.csv"]
    assert found["z.txt"] == folder / "z.txt"
    with pytest.raises(ValueError, match=r"both have the name z\.txt"):
        corpus_files([folder, folder / "z.txt"])
    with pytest.raises(ValueError, match=r"ends in \.txt, \.jsonl"):
        corpus_files([folder / "notes.md"])
    with pytest.raises(FileNotFoundError, match="There is no file"):
        corpus_files([tmp_path / "nothing.txt"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="contains no file whose name ends in"):
        corpus_files([tmp_path / "empty"])
