"""examples/match_pairs.py and what it is made of: pairs in files, and two kinds of models."""

import importlib
import json
import pathlib

import numpy as np
import pytest

WORDS = ["北京", "上海", "股市", "学校", "地铁", "天气"]


@pytest.fixture(scope="module")
def example():
    return importlib.import_module("match_pairs")


@pytest.fixture(scope="module")
def pairs():
    return importlib.import_module("parts.pairs")


def pairs_in(folder, names):
    """Writes pairs whose label is the first one where the words are the same."""
    rows = [
        f"{a}一二{number}\t{b}一二\t{names[(number - WORDS.index(b)) % len(names)]}"
        for number, a in enumerate(WORDS)
        for b in WORDS
    ]
    file = folder / "pairs.tsv"
    file.write_text("\n".join(["a\tb\tsame", *rows]), encoding="utf-8")
    return str(file)


@pytest.fixture
def run(example, tmp_path, one_block, capfd):
    """A function that runs the script, and returns what it printed."""

    def run(*options):
        columns = ["--text", "a", "--text-b", "b", "--label", "same"]
        place = ["--output", str(tmp_path / "out"), "--checkpoint", str(one_block)]
        example.main([*columns, *place, *options])
        return capfd.readouterr().out.splitlines()

    return run


@pytest.mark.slow
@pytest.mark.parametrize(("names", "method"), [("是否", "towers"), ("abc", "cross")])
def test_on_files_of_a_user(run, tmp_path, names, method, request):
    if method == "cross":  # Fitted in graphs in tests/heads/test_fine_tuned.py.
        request.getfixturevalue("eagerly")
    file = pairs_in(tmp_path, names)
    lines = run("--train", file, "--test", file, "--max-length", "6")
    # 北京一二3 is cut after four characters; and in a pair more is.
    cut = "36 and 36 of the pairs" if method == "cross" else "6 and 6 of the texts"
    assert f"--max-length 6 cuts {cut}." in lines
    assert f"by --method {method}." in "\n".join(lines)
    keys = ["accuracy", *(["untrained_accuracy"] if len(names) == 2 else []), "baseline_accuracy"]
    assert [line.split()[0] for line in lines[-len(keys) :]] == keys
    labels = json.loads((tmp_path / "out" / "labels.json").read_text(encoding="utf-8"))
    assert sorted(labels) == sorted(names)
    header, *answers = (line.split("\t") for line in run("--predict", file))
    assert header == ["text", "text_b", "label", "probability"]
    true = [line.split("\t")[2] for line in pathlib.Path(file).read_text("utf-8").split("\n")[1:]]
    right = np.mean([answer[2] == label for answer, label in zip(answers, true, strict=True)])
    assert lines[-len(keys)] == f"accuracy {right:.4f}"  # By the model that was saved.
    (tmp_path / "out" / "labels.json").unlink()
    with pytest.raises(SystemExit, match=r"labels\.json is missing, .*: train the model again, or"):
        run("--predict", file)


@pytest.mark.parametrize("names", ["是否", "否是", "01", "10"])
def test_the_label_of_a_match_is_1_or_told_by_the_words(example, pairs, tmp_path, capfd, names):
    rows = pairs_in(tmp_path, names)
    arguments = ["--train", rows, "--test", rows, "--text", "a", "--text-b", "b", "--label", "same"]
    data = pairs.read(example.parse([*arguments, "--output", str(tmp_path)]))
    # A text and the one of the same word have the label of the remainder 0, and others too.
    by_tfidf = importlib.import_module("parts.similarity").by_tfidf
    cosines = pairs.cosines_of(data.train, by_tfidf(WORDS))
    found = cosines[data.train.labels == 1].mean() > cosines[data.train.labels == 0].mean()
    if "1" in names:
        assert data.names == ("0", "1")
        assert found == (names == "10")
    else:
        assert found
        printed = capfd.readouterr().out
        assert printed.startswith(f"{data.names[1]!r} is used as the label of a match")
    assert set(data.validation.labels) == {0, 1}  # Of so few rows, all are for both parts.
    assert len(data.train.texts) == len(data.validation.texts) == len(data.test.texts) == 36


def test_every_article_has_both_headlines(pairs):
    headlines = importlib.import_module("parts.headlines")
    part = headlines.Headlines(*(np.array(list(text), object) for text in ("ab", "AB", "xy")))
    found = pairs._of_headlines(part)
    assert [column.tolist() for column in found] == [list("aabb"), list("AxBy"), [1, 0, 1, 0]]


def test_other_labels_than_those_of_the_model(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "labels.json").write_text('["0", "1"]')
    file = pairs_in(tmp_path, "是否")
    with pytest.raises(
        SystemExit, match=r"has the labels \['0', '1'\], but .*pairs\.tsv has .* another"
    ):
        run("--train", file, "--test", file)
