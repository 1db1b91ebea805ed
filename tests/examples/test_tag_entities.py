"""examples/tag_entities.py and what it is made of: files, words, scores and the picture."""

import hashlib
import importlib
import json
import random
import re
import warnings

import keras
import pytest
from matplotlib import image
from seqeval.metrics import f1_score, precision_score, recall_score

from keras_bert_zh.label_schemes import Span, to_labels, to_spans

LINES = ["我\tO", "在\tO", "北\tB-LOC", "京\tI-LOC", "。\tO", "", "江\tB-PER", "来\tO", "", ""]
TEXTS = [("我在北京。", (Span("LOC", 2, 4),)), ("江来", (Span("PER", 0, 1),))]


@pytest.fixture(scope="module")
def tagged():
    return importlib.import_module("parts.tagged")


@pytest.fixture(scope="module")
def word_labels():
    return importlib.import_module("parts.word_labels")


@pytest.fixture
def write(tmp_path):
    def write(name, lines, encoding="utf-8"):
        file = tmp_path / name
        file.write_bytes((lines if isinstance(lines, str) else "\n".join(lines)).encode(encoding))
        return file

    return write


class TestFiles:
    @pytest.mark.parametrize(
        "lines",
        [
            LINES,
            LINES[:-2],
            "\r\n".join(LINES),
            "\n".join(LINES).replace("\t", " "),
            ["-DOCSTART-\tO", "", *(line.replace("\t", "\tNN\t") for line in LINES)],
            "\ufeff" + "\n".join(LINES),
            "\n".join(LINES).replace("I-LOC", "E-LOC").replace("B-PER", "S-PER"),
            "\n".join(LINES).replace("\t", "0\t"),
            "\n".join(f"{line} " for line in LINES),
        ],
        ids=["tab", "no end", "crlf", "space", "columns", "mark", "BIOES", "numbers", "spaces"],
    )
    def test_tokens_and_labels(self, tagged, write, lines):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert tagged.read_tagged(write("train.txt", lines)) == TEXTS

    def test_numbers_behind_characters_of_several_code_points(self, tagged, write):
        """As in weiboNER_2nd_conll.train; a line may lack its number."""
        lines = [f"{token}0\tO" for token in ("❤️", "\u3000", "\ufffd\ufffd", "8", *"一二三四五六")]
        lines += ["江0\tB-PER", "来1\tI-PER"]
        (found,) = tagged.read_tagged(write("train.conll", [*lines, "8\tO"]))
        assert found.text == "❤️\u3000\ufffd\ufffd8一二三四五六江来8"
        assert [found.text[start:end] for _, start, end in found.spans] == ["江来"]
        (found,) = tagged.read_tagged(write("train.conll", [*lines, "a1b2\tO", "8\tO"]))
        assert found.text.endswith("江来a1b 8")
        (found,) = tagged.read_tagged(write("train.conll", [*lines[-3:], "在\tO"]))
        assert found.text == "六0江0来1在"  # Too few: they are no places in words.

    def test_words_in_latin_letters_have_spaces_between(self, tagged, write):
        tokens = ["New B-LOC", "York I-LOC", ", O", "用 O", "K O", "3 O", "  O", "x O"]
        (found,) = tagged.read_tagged(write("dev.conll", tokens))
        assert found == ("New York,用K3 x", (Span("LOC", 0, 8),))

    def test_json_lines(self, tagged, write):
        rows = [
            {"text": text, "label": {kind: {text[start:end]: [[start, end - 1]]}}}
            for text, ((kind, start, end),) in TEXTS
        ]
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        assert tagged.read_tagged(write("train.json", ["", *lines])) == TEXTS
        both = {"a": {"北京": [[0, 1]]}, "b": {"北": [[0, 0]], "大学": [[2, 3]]}}
        file = write("train.jsonl", json.dumps({"text": "北京大学", "label": both}))
        with pytest.warns(UserWarning, match=r"train\.jsonl: entities that share .* out: 1\."):
            (found,) = tagged.read_tagged(file)
        assert found.spans == (Span("a", 0, 2), Span("b", 2, 4))

    def test_an_entity_without_its_begin(self, tagged, write):
        lines = ["北 I-LOC", "京 I-LOC", "江 B-PER", "来 I-LOC"]
        with pytest.warns(UserWarning, match=r"x\.txt, line 1: the label goes on .* 1 more"):
            (found,) = tagged.read_tagged(write("x.txt", lines))
        assert found.spans == (Span("LOC", 0, 2), Span("PER", 2, 3), Span("LOC", 3, 4))

    @pytest.mark.parametrize(
        ("name", "lines", "message"),
        [
            ("a.txt", ["我 O", "在"], r"a\.txt, line 2: expected a token, a tab or a sp"),
            ("a.txt", ["我 O", "在 LOC"], r"line 2: .* such as O or B-LOC, got '在 LOC'"),
            ("a.txt", ["", " "], r"a\.txt: expected texts with entities"),
            ("a.json", ['{"text": "我"}'], r"a\.json, line 1: expected \{\"text\""),
            ("a.json", ["我 O"], r"a\.json, line 1: .* got 我 O"),
            (
                "a.json",
                ['{"text": "我", "label": {"a": {"你": [[0, 0]]}}}'],
                r"line 1: .*'你' is not at 0 to 0",
            ),
        ],
    )
    def test_files_that_are_something_else(self, tagged, write, name, lines, message):
        with pytest.raises(ValueError, match=message):
            tagged.read_tagged(write(name, lines))

    def test_another_encoding(self, tagged, write):
        file = write("a.txt", LINES, "gbk")
        with pytest.raises(ValueError, match=r"a\.txt, line 1: expected UTF-8.* iconv -f GB18030"):
            tagged.read_tagged(file)

    def test_kinds(self, tagged):
        texts = [tagged.Tagged(*row) for row in TEXTS]
        assert tagged.kinds_of("train.txt", texts) == ["LOC", "PER"]
        with pytest.raises(ValueError, match=r"train\.txt: expected entities, and every label is"):
            tagged.kinds_of("train.txt", [tagged.Tagged("我", ())])
        with pytest.raises(ValueError, match=r"test\.txt: '江' is PER, and .* learn from has LOC"):
            tagged.check_kinds("test.txt", texts, ["LOC"])


def test_scores_are_those_of_seqeval():
    entity_scores = importlib.import_module("parts.entity_scores")
    generator = random.Random(4)
    names = ["O", "O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    rows = [[generator.choices(names, k=9) for _ in range(200)] for _ in range(2)]
    expected, found = ([to_spans(row) for row in side] for side in rows)
    scores = entity_scores.scores(expected, found)
    for place, function in enumerate((precision_score, recall_score, f1_score)):
        assert scores["all"][place] == pytest.approx(function(*rows))
        of_kinds = function(*rows, average=None)
        assert [scores[kind][place] for kind in ("LOC", "PER")] == pytest.approx(of_kinds.tolist())
    assert list(scores) == ["LOC", "PER", "all"]
    assert scores["all"][3] == sum(map(len, expected))
    assert entity_scores.scores([[Span("LOC", 0, 1)]], [[]])["all"] == (0, 0, 0, 1)


class TestWords:
    def test_words_with_labels(self, tagged, word_labels):
        spans = (Span("ORG", 1, 5), Span("LOC", 5, 6), Span("PER", 6, 7), Span("LOC", 7, 9))
        words, labels = word_labels.words_of(tagged.Tagged("去3M 公司aZ9", spans))
        assert words == ["去", "3M", "公", "司", "aZ9"]
        # A word is whole in an entity, and in the first one of two.
        assert labels == ["O", "B-ORG", "I-ORG", "B-LOC", "B-PER"]
        assert word_labels.words_of(tagged.Tagged(" \u3000", (Span("LOC", 0, 1),))) == ([], [])

    def test_torn_at_ends_of_sentences_and_in_no_entity(self, word_labels):
        generator = random.Random(5)
        for _ in range(200):
            words = generator.choices("一二三，。", k=generator.randrange(60))
            spans, end = [], 0
            while end < len(words) - 9:
                start = end + generator.randrange(6)
                end = start + generator.randrange(1, 4)
                spans.append(Span("LOC", start, end))
            labels = to_labels(spans, len(words))
            pieces = list(word_labels.torn(words, labels, 10))
            assert [word for piece, _ in pieces for word in piece] == words
            assert [label for _, piece in pieces for label in piece] == labels
            assert all(0 < len(piece) <= 10 for piece, _ in pieces)
            assert not any(piece[0].startswith("I") for _, piece in pieces)
        pieces = list(word_labels.torn(list("一二三。四五，六"), ["O"] * 8, 5))
        assert ["".join(piece) for piece, _ in pieces] == ["一二三。", "四五，六"]


@pytest.fixture(scope="module")
def parts():
    return importlib.import_module("parts.people_daily").load_people_daily()


class TestPeopleDaily:
    def test_every_part_is_what_it_was(self, parts):
        facts = {
            part: (len(texts), sum(len(t.spans) for t in texts), digest(texts))
            for part, texts in parts.items()
        }
        assert facts == {
            "train": (14115, 38792, "38c41deee1597fd3"),
            "validation": (1854, 5624, "76552eddd7c7e075"),
            "test": (3025, 6888, "ba2cbd5fe60a8e8e"),
        }

    def test_no_text_is_there_twice(self, parts):
        texts = [tagged.text for part in parts.values() for tagged in part]
        assert len(set(texts)) == len(texts)
        assert not any(re.search(r"[０-９Ａ-Ｚａ-ｚ/\s]", text) for text in texts[::7])

    def test_a_line(self):
        line = "江/nr  泽民/nr  、/w  欧阳/nr  修/nr  克林顿/nr  在/p  北京/ns  １９９８/t"
        text, spans = importlib.import_module("parts.people_daily").read_line(line)
        assert text == "江泽民、欧阳修克林顿在北京1998"
        names = [(span.kind, text[span.start : span.end]) for span in spans]
        assert names == [("PER", "江泽民"), ("PER", "欧阳修"), ("PER", "克林顿"), ("LOC", "北京")]


def test_the_picture_shows_every_glyph(tagged, tmp_path):
    picture = importlib.import_module("parts.entity_picture")
    text = "我在北京大学用Keras 3写代码，" * 5
    rows = [tagged.Tagged(text, (Span("LOC", 2, 4), Span("ORG", 20, 60))) for _ in range(9)]
    wrong = [(Span("LOC", 2, 6), 0.5), (Span("ORG", 20, 60), 0.5)]
    right = [(span, 1.0) for span in rows[0].spans]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of glyphs that the font lacks.
        figure = picture.draw(tmp_path / "report.png", "Title", rows, [right, wrong] * 4 + [[]])
    assert image.imread(tmp_path / "report.png").shape == (1200, 1320, 4)
    states = {mark.state for mark in picture.marks_of(rows[0].spans, [span for span, _ in wrong])}
    assert states == {"right", "wrong", "missed"}
    canvas = figure.get_window_extent()
    for drawn in figure.axes[0].texts:
        box = drawn.get_window_extent()
        assert canvas.x0 <= box.x0 <= box.x1 <= canvas.x1
        assert canvas.y0 <= box.y0


@pytest.mark.filterwarnings("ignore:Even though the `tf.config")
@pytest.mark.usefixtures("eagerly")
class TestMain:
    @pytest.fixture
    def run(self, one_block, tmp_path, capfd):
        """A function that runs the script, and returns what it has printed."""
        example = importlib.import_module("tag_entities")

        def run(*arguments):
            few = ["--epochs", "1", "--max-length", "16", "--checkpoint", str(one_block)]
            example.main([*few, "--output", str(tmp_path / "new"), *map(str, arguments)])
            return capfd.readouterr().out

        return run

    def test_on_files_of_a_user(self, run, write, tmp_path):
        rare = ["吗\tB-GPE"]  # It is for validation.
        train, test = write("train.txt", LINES * 6 + rare), write("test.txt", LINES)
        printed = run("--train", train, "--test", test)
        assert re.search(r"12 texts to learn from, in 12 pieces, and 2 to be tested", printed)
        assert re.search(r"\nf1 \d\.\d{4}\nbaseline_f1 1\.0000\n$", printed)
        files = sorted(file.name for file in (tmp_path / "new").iterdir())
        assert files == ["model.keras", "options.json", "report.png"]

        asked = write("asked.txt", "我在北京。\n\n江来\n")
        header, *rows = run("--predict", asked).splitlines()
        assert header.split("\t") == ["line", "start", "end", "label", "score", "entity"]
        model = keras.saving.load_model(tmp_path / "new" / "model.keras")
        found = model.entities(["我在北京。", "江来"])["text"].to_list()
        lines = zip("13", found, strict=True)  # Those of the file, which has an empty one.
        expected = [[line, text.decode()] for line, texts in lines for text in texts]
        assert [row.split("\t")[::5] for row in rows] == expected

        other = write("other.txt", ["我 B-ORG", "。 O"] * 2)
        with pytest.raises(SystemExit, match=r"model\.keras has the labels .*B-LOC.*B-ORG.*choose"):
            run("--train", other, "--test", other)
        with pytest.raises(SystemExit, match=r"other\.txt: '我' is ORG, and the data to learn f"):
            run("--train", train, "--test", other)
        none = write("none.txt", ["我 O", "。 O"])
        with pytest.raises(SystemExit, match=r"none\.txt: expected entities, and every label is O"):
            run("--train", train, "--test", none)

    def test_rows_out_of_range(self, run, capfd):
        with pytest.raises(SystemExit):
            run("--test-rows", "31")
        assert "--test-rows must be at least 32" in capfd.readouterr().err


def digest(texts):
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:16]
