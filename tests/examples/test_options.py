"""What `--help` says, of every example and recipe; each says something."""

import argparse
import importlib
import pathlib
import re
import runpy

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
    "tag_entities",
]
PARTS = [
    "answer_scores",
    "character_crf",
    "classification",
    "defaults",
    "entity_picture",
    "headlines",
    "neighbourhoods",
    "news",
    "outputs",
    "pair_models",
    "pairs",
    "people_daily",
    "picture",
    "precision",
    "questions",
    "reviews",
    "similarity",
    "tagged",
    "task",
    "word_labels",
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
    assert sorted(file.stem for file in EXAMPLES.glob("*.py")) == sorted(PROGRAMS + PARTS)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_says_whose_it_is(monkeypatch, name):
    monkeypatch.syspath_prepend(EXAMPLES)
    with pytest.raises(SystemExit, match=r"Nothing to run: see \w+\.py") as caught:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert re.search(r"see (\w+)\.py", str(caught.value).splitlines()[-1])[1] in PROGRAMS


@pytest.mark.parametrize("name", ["classify_reviews", "pretrain_masked_lm"])
def test_precision_is_chosen_in_one_way(monkeypatch, tmp_path, name):
    monkeypatch.syspath_prepend(EXAMPLES)
    example, precision = map(importlib.import_module, (name, "precision"))
    for automatic in (True, False):
        monkeypatch.setattr(precision, "multiplies_bfloat16", lambda yes=automatic: yes)
        arguments = [] if name == "classify_reviews" else ["text.txt"]
        assert example.parse(arguments).mixed_precision is automatic
        assert example.parse([*arguments, "--mixed-precision"]).mixed_precision
        assert not example.parse([*arguments, "--no-mixed-precision"]).mixed_precision
