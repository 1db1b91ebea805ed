"""examples/few_shot.py: a head that is learned from a few vectors."""

import importlib
import json
import pathlib
import re

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def example():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        yield importlib.import_module("few_shot")


@pytest.mark.parametrize("classes", [2, 3])
def test_the_head_gives_the_probabilities_of_the_regression(example, classes):
    random = np.random.default_rng(0)
    labels = np.arange(30) % classes
    vectors = random.normal(size=(30, 8)) * 3 + 5 + labels[:, None]
    kernel, bias = example.learn(vectors, labels)
    moved = vectors - vectors.mean(axis=0)
    scaled = moved / np.sqrt((moved**2).sum() / 30)
    expected = LogisticRegression(C=1, max_iter=1000).fit(scaled, labels).predict_proba(scaled)
    found = keras.ops.softmax(vectors @ kernel + bias)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_each_class_has_as_many_examples(example):
    part = example.Part(np.array(list("abcdefgh"), object), np.array([0, 0, 0, 0, 0, 1, 1, 1]))
    drawn = example.draw(part, 2, seed=0)
    assert drawn.labels.tolist() == [0, 0, 1, 1]
    assert len(set(drawn.texts)) == 4
    assert set(drawn.texts[2:]) < set("fgh")
    assert drawn.texts.tolist() != example.draw(part, 2, seed=1).texts.tolist()
    assert example.draw(part, None, seed=0) is part


@pytest.mark.usefixtures("eagerly")
def test_on_the_reviews(example, one_block, tmp_path, capfd, monkeypatch):
    parts = {part: held.first(100) for part, held in example.load_reviews().items()}
    monkeypatch.setattr(example, "load_reviews", lambda: parts)
    example.main(["--checkpoint", str(one_block), "--output", str(tmp_path), "--shots", "2", "4"])
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-4:]] == [
        "accuracy_2",
        "baseline_accuracy_2",
        "accuracy_4",
        "baseline_accuracy_4",
    ]
    low, high = map(float, re.search(r"accuracy_4: from (\S+) to (\S+)", "\n".join(lines)).groups())
    assert low <= float(lines[-2].split()[1]) <= high


@pytest.mark.usefixtures("eagerly")
def test_on_files_of_a_user(example, one_block, tmp_path, capfd):
    rows = [{"sentence": f"{word}{n}", "label": word} for n in range(4) for word in "好坏怪"]
    file = tmp_path / "rows.json"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    place = ["--output", str(tmp_path / "new"), "--text", "sentence"]
    few = ["--checkpoint", str(one_block), "--train", str(file), "--test", str(file)]
    example.main([*few, *place])
    *_, score, baseline = capfd.readouterr().out.splitlines()
    assert baseline.startswith("baseline_accuracy ")
    example.main([*place, "--predict", str(file)])
    header, *answers = (line.split("\t") for line in capfd.readouterr().out.splitlines())
    assert header == ["text", "label", "probability"]
    assert [text for text, *_ in answers] == [row["sentence"] for row in rows]
    right = np.mean([text[0] == label for text, label, _ in answers])
    assert score == f"accuracy {right:.4f}"  # The saved model is the one that was measured.
    assert right > 0.4


def test_arguments_out_of_range(example, capfd):
    with pytest.raises(SystemExit):
        example.main(["--shots", "8", "0"])
    assert "--shots must be at least 1, got 0" in capfd.readouterr().err
