"""What `--help` says, of every example and recipe; each says something."""

import argparse
import importlib
import os
import pathlib
import re
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
PROGRAMS = [
    "answer_questions",
    "attention_picture",
    "classify_news",
    "classify_reviews",
    "embed_sentences",
    "few_shot",
    "fill_mask",
    "match_pairs",
    "pretrain_masked_lm",
    "search_corpus",
    "tag_entities",
    "train_distributed",
]
RECIPES = ["__main__", "curve", "review_text", "scores"]


class ParsedError(Exception):
    """Carries the parser, when it is asked to parse."""


def stop(parser, *arguments):
    raise ParsedError(parser)


@pytest.mark.parametrize("name", [*PROGRAMS, *(f"recipes.small.{name}" for name in RECIPES)])
def test_every_option_says_what_it_is_and_its_default(monkeypatch, name):
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    module = importlib.import_module(name)
    with pytest.raises(ParsedError) as caught:
        module.parse(None) if name in PROGRAMS else module.main()
    (parser,) = caught.value.args
    parser.format_help()
    for action in parser._actions:
        assert action.help, action.dest
        if not action.required and action.dest != "help":
            assert "(default: " in action.help, action.dest


def test_every_file_of_the_examples_is_here():
    assert sorted(file.stem for file in EXAMPLES.glob("*.py")) == PROGRAMS


def test_every_part_is_used():
    used = set()
    for file in EXAMPLES.rglob("*.py"):
        for name, names in re.findall(r"^from parts(\.\w+)? import (.*)", file.read_text(), re.M):
            used |= {name.removeprefix(".")} if name else set(names.split(", "))
    files = (EXAMPLES / "parts").glob("*.py")
    assert used == {file.stem for file in files} - {"__init__"}


@pytest.mark.slow
def test_a_script_is_run_from_anywhere_and_tensorflow_is_quiet(tmp_path):
    environment = {name: x for name, x in os.environ.items() if not name.startswith("TF_CPP")}
    command = [sys.executable, EXAMPLES / "classify_reviews.py", "--help"]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, check=False, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "--several" in result.stdout


FILES = ["--train", "a.tsv", "--test", "b.tsv"]


@pytest.mark.parametrize(
    ("name", "at_hand"),
    [
        ("classify_news", {"rows": 1_600, "characters": 250}),
        ("classify_reviews", {"rows": 3_200}),
        ("embed_sentences", {"rows": 3_000}),
        ("match_pairs", {"rows": 1_500}),
        ("tag_entities", {"rows": 3_000}),
    ],
)
def test_files_of_a_user_are_read_as_a_whole_by_default(monkeypatch, name, at_hand):
    monkeypatch.syspath_prepend(EXAMPLES)
    example = importlib.import_module(name)
    for key, number in at_hand.items():
        assert getattr(example.parse([]), key) == number
        assert getattr(example.parse(FILES), key) is None
        assert getattr(example.parse([*FILES, f"--{key}", "40"]), key) == 40


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("answer_questions", "--characters"),
        ("classify_reviews", "--ask"),
        ("tag_entities", "--test-rows"),
    ],
)
def test_what_is_of_the_data_at_hand_does_not_go_with_files(monkeypatch, capfd, name, flag):
    monkeypatch.syspath_prepend(EXAMPLES)
    example = importlib.import_module(name)
    assert getattr(example.parse([flag, "40"]), flag[2:].replace("-", "_")) in (40, ["40"])
    with pytest.raises(SystemExit):
        example.parse([*FILES, flag, "40"])
    assert (
        f"{flag} is for the example data, and can't be used with --train" in capfd.readouterr().err
    )


@pytest.mark.parametrize("name", ["classify_reviews", "pretrain_masked_lm"])
def test_precision_is_chosen_in_one_way(monkeypatch, tmp_path, name):
    monkeypatch.syspath_prepend(EXAMPLES)
    example, precision = map(importlib.import_module, (name, "parts.precision"))
    for automatic in (True, False):
        monkeypatch.setattr(precision, "multiplies_bfloat16", lambda yes=automatic: yes)
        arguments = [] if name == "classify_reviews" else ["text.txt"]
        assert example.parse(arguments).mixed_precision is automatic
        assert example.parse([*arguments, "--mixed-precision"]).mixed_precision
        assert not example.parse([*arguments, "--no-mixed-precision"]).mixed_precision
