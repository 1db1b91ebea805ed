"""docs/tasks/index.md has the table of examples/parts/defaults.py."""

import importlib
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tasks" / "index.md").read_text(encoding="utf-8")


@pytest.fixture
def defaults(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "examples")
    return importlib.import_module("parts.defaults")


def test_the_page_has_the_table_of_the_code(defaults):
    rows = re.findall(r"^\| (\w+)\.py \| (.*?) \| (.*?) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.M)
    found = {(task, width): tuple(map(float, numbers)) for task, width, *numbers in rows}
    expected = {}
    for task, (narrow, wide) in defaults.RECIPES.items():
        expected[task, f"up to {defaults.NARROW}"] = narrow
        expected[task, "wider"] = wide
    assert found == expected


def test_every_script_of_the_table_is_there_and_on_the_page(defaults):
    for task in defaults.RECIPES:
        assert (ROOT / "examples" / f"{task}.py").is_file()
        assert f"(../../examples/{task}.py)" in PAGE


def test_rates_of_wide_models_are_those_of_the_authors(defaults):
    for _, wide in defaults.RECIPES.values():
        assert 2e-5 <= wide.learning_rate <= 5e-5
