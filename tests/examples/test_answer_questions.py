"""examples/answer_questions.py: its data, its scores, and a run with few questions."""

import importlib
import json
import pathlib

import keras
import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def examples():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        parts = ("questions", "squad", "answer_scores", "news", "task")
        modules = {part: importlib.import_module(f"parts.{part}") for part in parts}
        yield modules | {"answer_questions": importlib.import_module("answer_questions")}


@pytest.fixture(scope="module")
def parts(examples):
    return examples["news"].load_news()


def squad(*paragraphs):
    """A file of SQuAD: each text with its questions, of which some have no answer."""
    return {
        "data": [
            {
                "title": "t",
                "paragraphs": [
                    {
                        "context": context,
                        "qas": [
                            {
                                "id": str(number),
                                "question": question,
                                "answers": [{"text": text, "answer_start": s} for text, s in given],
                            }
                            for number, (question, given) in enumerate(asked)
                        ],
                    }
                    for context, asked in paragraphs
                ],
            }
        ]
    }


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def test_headlines_are_asked_with_answers_from_their_articles(examples, parts):
    counts = {}
    for part, articles in parts.items():
        asked = examples["questions"].headlines(articles, 1_000)
        counts[part] = len(asked.questions)
        titles = set(articles.titles)
        for question, text, (answer,), start in zip(*asked, strict=True):
            assert text[start : start + len(answer)] == answer
            assert question.replace("[MASK]", answer) in titles
            assert answer not in question
    assert counts == {"test": 340, "validation": 321, "train": 1601}


def test_files_of_squad(examples, tmp_path):
    text = "鲁迅写了《故乡》。后来鲁迅又写了书。"
    asked = (
        ("谁？", [("鲁迅", 10), ("鲁迅", 0), ("鲁", 0)]),
        ("什么？", [("故乡", 99)]),
        ("几时？", []),
        ("哪里？", [("绍兴", 3)]),
    )
    content = squad((text, asked))
    del content["data"][0]["paragraphs"][0]["qas"][2]["answers"]
    found = examples["squad"].read_questions(write(tmp_path / "a.json", content))
    assert found.answers == [("鲁迅", "鲁"), ("故乡",), (), ("绍兴",)]
    assert found.starts == [11, 5, -1, -1]
    assert found.texts == [text] * 4


def rows_of(questions):
    """Rows of Hugging Face, as it has SQuAD, CMRC 2018 and DRCD."""
    return [
        {
            "id": str(number),
            "context": text,
            "question": question,
            "answers": {"text": [*answers], "answer_start": [start] * len(answers)},
        }
        for number, (question, text, answers, start) in enumerate(zip(*questions, strict=True))
    ]


def test_files_of_hugging_face(examples, tmp_path):
    text = "鲁迅写了\u2028《故乡》。后来鲁迅又写了书。"
    expected = examples["questions"].Questions(
        ["谁？", "几时？", "什么？"], [text] * 3, [("鲁迅", "鲁"), (), ("故乡",)], [12, -1, 6]
    )
    rows = rows_of(expected)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    del rows[1]["answers"]
    for name, content in (
        ("a.json", rows),
        ("b.json", {"version": "1", "data": rows}),
        ("c.json", "\n".join(lines)),
        ("d.jsonl", "\r\n\r\n".join([*lines, ""])),
    ):
        assert examples["squad"].read_questions(write(tmp_path / name, content)) == expected
    found = examples["squad"].read_questions(write(tmp_path / "e.jsonl", lines[0] + "\n"))
    assert found == expected.rows([0])


def cmrc(*asked, text="鲁迅写了《故乡》。后来鲁迅又写了书。"):
    """A file of CMRC 2018: one text with its questions."""
    qas = [
        {"query_text": question, "query_id": f"TRIAL_0_QUERY_{number}", "answers": answers}
        for number, (question, answers) in enumerate(asked)
    ]
    return [{"context_id": "TRIAL_0", "context_text": text, "qas": qas, "title": "鲁迅"}]


def test_files_of_cmrc(examples, tmp_path):
    asked = [
        ("谁？", ["鲁迅", "鲁迅", "鲁"]),
        ("什么？", ["又写了书", "书"]),
        ("几时？", []),
        ("哪里？", ["绍兴"]),
    ]
    content = cmrc(*asked) + cmrc(("写了？", [" 茶馆 "]), text="老舍写了茶馆。")
    found = examples["squad"].read_questions(write(tmp_path / "a.json", content))
    assert found.questions == ["谁？", "什么？", "几时？", "哪里？", "写了？"]
    assert found.answers == [("鲁迅", "鲁"), ("又写了书", "书"), (), ("绍兴",), ("茶馆",)]
    assert found.starts == [0, 13, -1, -1, 4]
    assert found.texts == [content[0]["context_text"]] * 4 + [content[1]["context_text"]]


ROW = {"context": "a", "question": "b"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{,}", r"a\.json, line 1: it is not JSON"),
        (f"{json.dumps(ROW)}\n\n{{,}}\n", r"a\.json, line 3: it is not JSON: Expecting prop"),
        (f"{json.dumps(ROW)}\n[]\n", r"a\.json: line 2 must have \"question\", a string"),
        ({"version": 1}, 'the file must have "data", a list, as files of SQuAD have'),
        (squad(), "there is no question in it"),
        (
            {"data": [{"paragraphs": [{"context": "a", "qas": [{"id": 1}]}]}]},
            r'data\[0\]\.paragraphs\[0\]\.qas\[0\] must have "question", a string',
        ),
        (
            {"data": [{"paragraphs": [{"qas": []}]}]},
            r'data\[0\]\.paragraphs\[0\] must have "context", a string',
        ),
        (squad(("a", [("b", [("a", "0")])])), r'answers\[0\] must have "answer_start", a number'),
        (
            [ROW, ROW | {"answers": {"text": ["a"]}}],
            r'\[1\]\.answers must have "answer_start", a list, as files of Hugging Face have',
        ),
        (
            {"data": [ROW | {"answers": {"text": ["a", "b"], "answer_start": [0]}}]},
            r'a\.json: data\[0\]\.answers must have as many in "answer_start" as in "text"\.',
        ),
        ([ROW | {"answers": ["a"]}], r'\[0\] must have "answers", an object'),
        ([], r"a\.json: there is no question in it"),
        (
            [{"context": "a", "qas": []}],
            r'a\.json: \[0\] must have "context_text", a string, as files of CMRC 2018 have',
        ),
        (cmrc(("a", ["a"]), (1, [])), r'\[0\]\.qas\[1\] must have "query_text", a string'),
        (cmrc(("a", "a")), r'\[0\]\.qas\[0\] must have "answers", a list'),
        (cmrc(("a", ["a", 1])), r"\[0\]\.qas\[0\]\.answers\[1\] must be a string, as files of C"),
    ],
)
def test_other_files_are_refused(examples, tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        examples["squad"].read_questions(write(tmp_path / "a.json", content))


def test_a_file_in_gbk_is_refused(examples, tmp_path):
    (tmp_path / "a.json").write_bytes(
        json.dumps(squad(), ensure_ascii=False).encode() + "好".encode("gbk")
    )
    with pytest.raises(ValueError, match="It can be read as GBK"):
        examples["squad"].read_questions(tmp_path / "a.json")


def test_scores_of_cmrc(examples):
    """As its `cmrc2018_evaluate.py` gives them."""
    scores = examples["answer_scores"]
    assert scores.exact_match("“鲁迅”，", "鲁迅") == 1
    assert scores.exact_match("Lu Xun", "lu xun") == 1
    assert scores.exact_match("鲁", "鲁迅") == 0
    assert scores.f1("在北京大学", "北京大学") == pytest.approx(2 * 4 / 9)
    assert scores.f1("北大京", "北京") == pytest.approx(2 * 1 / 5)  # No run of two.
    assert scores.f1("2008年8月", "8月") == pytest.approx(2 * 2 / 6)
    assert scores.f1("天", "地") == 0
    assert scores.f1("Beijing 2008", "Beijing") == pytest.approx(2 / 3)
    found = scores.scores(["鲁迅", "", "书"], [("鲁", "鲁迅"), (), ()])
    assert found == {"exact_match": pytest.approx(2 / 3), "f1": pytest.approx(2 / 3)}


def test_the_baseline_reads_around_the_blank(examples):
    asked = examples["questions"].Questions.of(
        [
            (
                "余额为0也被骗走了[MASK]",
                "他有3元。可是余额为0的时候，也被骗走了28万元。",
                ("28万元",),
                0,
            ),
            ("谁写了故乡？", "他没有写过那样的一本书，在那以后，鲁迅写了故乡，很好", ("鲁迅",), 0),
        ]
    )
    assert examples["answer_scores"].baseline(asked) == ["28万元", "鲁迅写了故乡"]


@pytest.fixture
def few(examples, parts, monkeypatch):
    held = {
        part: examples["news"].Articles(*(column[:60] for column in articles))
        for part, articles in parts.items()
    }
    monkeypatch.setattr(examples["answer_questions"], "load_news", lambda: held)


SIZES = ["--max-length", "24", "--stride", "8", "--epochs", "1"]


@pytest.mark.usefixtures("few", "eagerly")
def test_a_run_and_its_model(examples, one_block, tmp_path, capsys):
    example = examples["answer_questions"]
    few = [*SIZES, "--characters", "60"]
    example.main([*few, "--checkpoint", str(one_block), "--output", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()[-4:]] == [
        "exact_match",
        "f1",
        "baseline_exact_match",
        "baseline_f1",
    ]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["answers.tsv", "model.keras", "options.json"]
    lines = (tmp_path / "out" / "answers.tsv").read_text("utf-8").splitlines()
    assert lines[0] == "question\tright\tfound"
    model = keras.saving.load_model(tmp_path / "out" / "model.keras")
    assert model.preprocess.special_tokens_in_text
    text = "a b c d " * 12
    file = write(tmp_path / "asked.json", squad((text, [("a?", []), ("b\tc?", [])])))
    for suffix in ("json", "tsv", "jsonl"):
        if suffix == "tsv":
            file = write(tmp_path / "asked.tsv", f"question\ttext\na?\t{text}\nb c?\t{text}\n")
        if suffix == "jsonl":
            rows = [json.dumps({"context": text, "question": asked}) for asked in ("a?", "b\tc?")]
            file = write(tmp_path / "asked.jsonl", "\n".join(rows))
        example.main(["--predict", str(file), "--output", str(tmp_path / "out")])
        header, *rows = capsys.readouterr().out.splitlines()
        assert header == "question\ttext\tstart\tscore\tnull_score"
        expected = model.answers(["a?", "b c?"], [text] * 2, stride=12)
        assert [row.split("\t")[1] for row in rows] == [
            " ".join(found.decode().split()) for found in expected["text"].numpy()
        ]


@pytest.mark.usefixtures("eagerly")
def test_on_files_with_questions_that_have_no_answer(examples, one_block, tmp_path, capsys):
    texts = [f"{word} a b c d {word} c" for word in ("ab", "bc", "cd", "da", "e", "f", "g", "h")]
    asked = [(text, [("a?", [("b", 5)]), ("d?", []), ("x?", [("xyz", 0)])]) for text in texts]
    file = str(write(tmp_path / "a.json", squad(*asked)))
    example = examples["answer_questions"]
    files = ["--train", file, "--test", file, "--output", str(tmp_path / "out")]
    example.main([*SIZES, "--checkpoint", str(one_block), *files])
    printed = capsys.readouterr().out
    learned = [text for text in texts if not examples["task"].is_validation(text)]
    assert f"{2 * len(learned)} questions to learn from" in printed
    assert "24 to be tested" in printed
    assert f"Questions of {file} without their answer in the text, left out: 8.\n" in printed
    none = str(write(tmp_path / "none.json", squad((texts[0], [("a?", [])]))))
    with pytest.raises(SystemExit, match=r"none\.json: no question has an answer, so nothing can"):
        example.main(["--train", file, "--test", none, "--output", str(tmp_path / "out")])


def test_windows_to_learn_from(examples):
    """All that have the answer, and one of the others, in which it is not written."""
    from keras_bert_zh import BertPreprocess

    preprocess = BertPreprocess(None, max_length=12)
    text = "一二三四五六七八九十百千万亿" * 2 + "年" + "一二三四五六七八九十百千万亿年"
    asked = examples["questions"].Questions.of([("几", text, ("年",), 28), ("几", "很短", (), -1)])
    inputs, labels = examples["questions"].windows(asked, preprocess, 4, 0)
    whole = preprocess.windows((["几"], [text]), 4)
    year = preprocess.vocabulary.index("年")
    has_answer = (whole["input_ids"].numpy() == year).any(axis=1)
    assert has_answer.sum() > np.count_nonzero(labels["start_logits"]) == 2
    assert labels["start_logits"].shape == (4,)
    for ids, start, end in zip(inputs["input_ids"], *labels.values(), strict=True):
        assert (ids[start] == year) if start else year not in ids
        assert start == end
