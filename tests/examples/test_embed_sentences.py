"""examples/embed_sentences.py and what it is made of: pairs of news, cosines and the map."""

import importlib
import json

import numpy as np
import pytest
from matplotlib import image
from scipy.stats import spearmanr

TITLES = ["北京下雪了", "上海下雨了", "股市大涨", "股市大跌", "学校开学", "地铁开通"]


@pytest.fixture(scope="module")
def example():
    return importlib.import_module("embed_sentences")


@pytest.fixture(scope="module")
def headlines():
    return importlib.import_module("parts.headlines")


@pytest.fixture(scope="module")
def similarity():
    return importlib.import_module("parts.similarity")


def test_headlines_belong_to_their_articles(headlines):
    news = importlib.import_module("parts.news")
    contents = [
        "北京下雪了 今天北京下了很大的雪，路上的车都开得很慢。",
        "短",
        "很长的一篇文章" * 40,
    ]
    articles = news.Articles(
        np.array(["北京下雪了", "上海", "文章"], object), np.array(contents, object), np.zeros(3)
    )
    found = headlines._headlines(articles)
    assert found.titles.tolist() == ["北京下雪了", "文章"]
    assert found.others.tolist() == ["文章", "北京下雪了"]
    assert found.articles[0] == contents[0].removeprefix("北京下雪了 ")
    assert len(found.articles[1]) == headlines.CHARACTERS


def test_the_nearest_other_text(headlines, monkeypatch):
    monkeypatch.setattr(headlines, "AT_ONCE", 4)
    texts = np.array(TITLES, object)
    assert headlines.nearest(texts)[:4].tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_the_threshold_makes_the_fewest_errors(similarity, rows):
    random = np.random.default_rng(rows)
    for _ in range(20):
        scores, labels = random.integers(0, 4, rows) / 4, random.integers(0, 2, rows)
        right = [np.mean((scores >= edge) == labels) for edge in np.arange(-0.1, 1.2, 0.05)]
        found = np.mean((scores >= similarity.threshold(scores, labels)) == labels)
        assert found == max(right)


def test_cosines_of_both_kinds_of_vectors(similarity):
    texts = np.array(TITLES, object)
    sparse = similarity.by_tfidf(texts)(texts)
    dense = sparse.toarray()
    np.testing.assert_allclose(similarity.of_all(sparse, sparse), dense @ dense.T)
    np.testing.assert_allclose(
        similarity.of_rows(sparse, sparse[::-1]), (dense * dense[::-1]).sum(1)
    )
    np.testing.assert_allclose(similarity.of_rows(dense, dense), 1)


def test_scores(example):
    vectors = np.eye(4)[:3] * 0.8 + 0.1
    texts = np.array(["a", "b", "c"])
    places = {"a": 0, "b": 1, "c": 2, "x": 2, "y": 1, "z": 2}
    embed = lambda given: np.stack([vectors[places[text]] for text in given])  # noqa: E731
    found = example.scores(example.Pairs(texts, np.array(["x", "y", "z"]), None), embed)
    # The first one's is behind that of the second; those of x and z are the same.
    assert found == {"recall_at_1": pytest.approx(2 / 3), "mrr": pytest.approx(5 / 6)}
    labels = np.array([0.0, 5.0, 4.0])
    found = example.scores(example.Pairs(texts, np.array(["x", "y", "z"]), labels), embed)
    expected = spearmanr([0.0, 1.0, 1.0], labels).statistic
    assert found == {"spearman": pytest.approx(expected)}
    same = example.Pairs(texts[:2], texts[:2], labels[:2])
    assert example.scores(same, lambda given: np.ones((len(given), 1))) == {"spearman": 0.0}


@pytest.fixture
def few_headlines(example, headlines, monkeypatch):
    part = headlines.Headlines(*[np.array(TITLES * 4, object)] * 3)
    monkeypatch.setattr(example, "load_headlines", lambda rows: {"train": part, "test": part})


@pytest.mark.usefixtures("few_headlines")
def test_on_the_news(example, one_block, tmp_path, capfd):
    example.main(["--checkpoint", str(one_block), "--output", str(tmp_path), "--simcse"])
    lines = capfd.readouterr().out.splitlines()
    keys = [f"{name}{key}" for name in ("", "untrained_", "baseline_") for key in KEYS]
    assert [line.split()[0] for line in lines[-6:]] == keys
    assert image.imread(tmp_path / "neighbourhoods.png").shape == (960, 1560, 4)


KEYS = ("recall_at_1", "mrr")


@pytest.mark.usefixtures("eagerly")
def test_on_files_of_a_user(example, one_block, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(example.similarity, "AT_ONCE", 4)
    rows = [
        {"a": one, "b": other, "score": 5.0 - abs(place - other_place)}
        for place, one in enumerate(TITLES)
        for other_place, other in enumerate(TITLES)
    ]
    file, texts = tmp_path / "rows.jsonl", tmp_path / "texts.txt"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    texts.write_text("\n".join(TITLES), encoding="utf-8")
    options = ["--output", str(tmp_path / "new"), "--text", "a", "--text-b", "b"]
    files = ["--train", str(file), "--test", str(file), "--label", "score"]
    sizes = ["--pooling", "cls", "--max-length", "6"]
    example.main([*options, *files, "--checkpoint", str(one_block), *sizes])
    printed = capfd.readouterr().out
    names = [line.split()[0] for line in printed.splitlines()[-3:]]
    assert names == ["spearman", "untrained_spearman", "baseline_spearman"]
    assert "\n--max-length 6 cuts 2 and 2 of the texts.\n" in printed
    example.main([*options, "--predict", str(texts)])
    header, *answers = (line.split("\t") for line in capfd.readouterr().out.splitlines())
    assert header == ["text", "closest", "cosine"]
    assert [text for text, *_ in answers] == TITLES  # More than are compared at once.
    assert all(text != closest and closest in TITLES for text, closest, _ in answers)
    texts.write_text("北京下雪了\n北京下雪了\n", encoding="utf-8")
    with pytest.raises(
        SystemExit, match=r"texts\.txt: expected at least two different texts.* is one"
    ):
        example.main([*options, "--predict", str(texts)])
    assert capfd.readouterr().out == ""


def test_simcse_learns_from_one_column(example, tmp_path):
    files = [tmp_path / name for name in ("a.csv", "b.txt", "test.csv")]
    for file, lines in zip(files, (["text", *TITLES], TITLES, PAIRS), strict=True):
        file.write_text("\n".join(lines), encoding="utf-8")
    for file in files[:2]:
        arguments = ["--train", str(file), "--test", str(files[2]), "--simcse"]
        rows, test = example.read(example.parse(arguments))
        assert [column.tolist() for column in rows[:2]] == [TITLES] * 2
        assert rows.labels is None
        assert test.labels.tolist() == [1, 0]


PAIRS = ["text,text_b,label", "北京下雪了,北京下雨了,1", "股市大涨,学校开学,0"]


def test_rows_to_learn_from_are_the_first_ones(example, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("\n".join([PAIRS[0], *PAIRS[1:] * 20]), encoding="utf-8")
    options = example.parse(["--train", str(file), "--test", str(file), "--rows", "33"])
    assert [len(part.texts) for part in example.read(options)] == [33, 40]


def test_numbers_have_to_be_different(example, tmp_path):
    file = tmp_path / "rows.tsv"
    file.write_text("text\ttext_b\tlabel\n一\t二\t1\n三\t四\t1.0\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"rows\.tsv: expected two or more .* every row has 1\. N"):
        example.main(["--train", str(file), "--test", str(file), "--output", str(tmp_path / "o")])


def test_numbers_are_needed(example, tmp_path):
    file = tmp_path / "rows.tsv"
    file.write_text("text\ttext_b\tlabel\n一\t二\t像\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"rows\.tsv, line 2: expected a number in the column 'l"):
        example.main(["--train", str(file), "--test", str(file), "--output", str(tmp_path / "o")])
