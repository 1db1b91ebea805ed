"""Tables of users: what is read, and what the errors say."""

import csv
import json
import re

import numpy as np
import pytest

from keras_bert_zh import read_table

ROWS = [("很好, 真的", "1"), ('他说"不"', "0"), ("两\u2028行", "10"), ("", "1")]


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8", newline="")
        return path

    return write


@pytest.fixture
def forms(tmp_path, write):
    """The same rows in every form, by the arguments that read it."""
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *ROWS])
    lines = "".join(f"{text}\t{label}\r\n" for text, label in ROWS)
    objects = (json.dumps({"label": int(label), "text": text}) for text, label in ROWS)
    return [
        (path, "text", "label"),
        (write("rows.tsv", f"text\tlabel\n{lines}"), "text", "label"),
        (write("rows.txt", lines), 0, 1),
        (write("rows.jsonl", "\n\n".join(objects)), "text", "label"),
    ]


def test_every_form_is_read(forms):
    for arguments in forms:
        table = read_table(*arguments)
        assert [*zip(table.texts, table.labels, strict=True)] == ROWS
        assert table.texts_b is None
        assert table.label_names() == ("0", "1", "10")
        assert table.label_ids(["10", "1", "0"]).tolist() == [1, 2, 0, 1]
        assert read_table(*arguments[:2]).labels is None
    assert [read_table(*arguments).lines[0] for arguments in forms] == [2, 2, 1, 1]


def test_lines_of_csv_are_those_of_the_file(write):
    file = write("a.csv", 'text,label\n"a\nb",x\n\nc,y\n')
    table = read_table(file, label="label")
    assert (table.texts, table.lines) == (["a\nb", "c"], [2, 5])
    book = "天" * 140_000
    limit = csv.field_size_limit()
    assert read_table(write("b.csv", f"text\n{book}\n"), "text").texts == [book]
    assert csv.field_size_limit() == limit


def test_pairs_and_numbers(write):
    file = write("a.tsv", "甲\t乙\t4.5\n丙\t丁\t0\n")
    table = read_table(file, 0, 2, text_b=1, label_kind="number")
    assert (table.texts, table.texts_b, table.labels) == (["甲", "丙"], ["乙", "丁"], [4.5, 0])
    with pytest.raises(ValueError, match=r"a\.tsv was read with numbers"):
        table.label_names()


def test_several_labels(write):
    rows = [{"text": "a", "label": ["x", "y"]}, {"text": "b", "label": []}, {"text": "c"}]
    rows[2]["label"] = "y, z"
    file = write("a.json", "\n".join(map(json.dumps, rows)))
    table = read_table(file, label="label", label_kind="several")
    assert table.labels == [("x", "y"), (), ("y", "z")]
    ids = table.label_ids(table.label_names())
    assert ids.dtype == np.float32
    assert ids.tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 1]]


@pytest.mark.parametrize(
    ("name", "content", "arguments", "message"),
    [
        ("a.xlsx", "", {}, r"ends in \.tsv, .*Rename .*convert"),
        ("a.tsv", "", {}, "expected rows of texts, but it has none"),
        ("a.tsv", "text\tlabel\n", {}, "expected rows of texts, but it has none"),
        ("a.tsv", "t\tl\n1\t2\n", {}, "line 1: expected the columns 'text', 'label', .* 't', 'l'"),
        ("a.tsv", "1\t2\n", {"text": 0, "label": 2}, "line 1: .* columns 2, .* has 2 columns, "),
        ("a.tsv", "text\tlabel\na\tb\nc\n", {}, "line 3: expected 2 columns .* got 1.*as CSV"),
        ("a.csv", "text,label\na,b\nc,d,e\n", {}, "line 3: expected 2 columns .* got 3"),
        ("a.csv", 'text,label\na,b\n"c"d,e\n', {}, "line 3: this line is not valid CSV.*Double"),
        ("a.csv", "text,label\na,b\nc, \n", {}, "line 3: expected a label in .*'label', got ' '"),
        ("a.jsonl", '{"text": "a"}\n', {}, "line 1: expected the keys 'label', .* 'text'"),
        ("a.jsonl", '{"text": 1, "label": 1}\n', {}, "line 1: expected a text .*'text', got 1"),
        ("a.jsonl", '{"text": "a", "label": null}\n', {}, "line 1: expected a label .*got None"),
        ("a.jsonl", '\n{"text": \n', {}, "line 2: expected a JSON object on one line"),
        ("a.jsonl", "[1]\n", {}, r"line 1: expected a JSON object, such as .* got \[1\]"),
        ("a.csv", "text,label\na,x\n", {"label_kind": "number"}, "line 2: expected a number .*'x'"),
        ("a.csv", "text,label\na,nan\n", {"label_kind": "number"}, "line 2: expected a number"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(write, name, content, arguments, message):
    file = write(name, content)
    with pytest.raises(ValueError, match=f"{re.escape(str(file))}.*{message}"):
        read_table(file, **{"text": "text", "label": "label"} | arguments)


def test_columns_by_name_and_by_number(write):
    file = write("a.tsv", "a\tb\n")
    with pytest.raises(ValueError, match=r"a\.tsv: columns must all .*text='text', label=1"):
        read_table(file, label=1)
    with pytest.raises(ValueError, match=r"text must be the name of a column.* got -1"):
        read_table(file, -1)


def test_labels_that_do_not_fit(write):
    one = read_table(write("a.tsv", "text\tlabel\na\tx\nb\tx\n"), label="label")
    with pytest.raises(ValueError, match=r"a\.tsv: expected two .* every row has 'x'\. Name"):
        one.label_names()
    with pytest.raises(ValueError, match=r"a\.tsv, line 2: .* among 'y', 'z', got 'x'\. Correct"):
        one.label_ids(["y", "z"])
    with pytest.raises(ValueError, match="was read with no labels"):
        read_table(one.file).label_ids(["x"])
