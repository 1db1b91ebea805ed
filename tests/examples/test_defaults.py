"""docs/tasks/index.md, in both languages, has the table of examples/parts/defaults.py."""

import importlib
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGES = ("docs/tasks/index.md", "docs/zh/tasks/index.md")


@pytest.fixture
def defaults(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "examples")
    return importlib.import_module("parts.defaults")


@pytest.mark.parametrize("page", PAGES)
def test_the_page_has_the_table_of_the_code(page, defaults):
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+)\.py \| (.*?) \| (.*?) \| (\d+) \| (\d+) \| (\d+) \|$", text, re.M)
    found = {}
    for task, width, *numbers in rows:
        found[task, str(defaults.NARROW) in width] = tuple(map(float, numbers))
    expected = {}
    for task, (narrow, wide) in defaults.RECIPES.items():
        expected |= {(task, True): narrow, (task, False): wide}
    assert found == expected


@pytest.mark.parametrize("page", PAGES)
def test_every_script_of_the_table_is_there_and_on_the_page(page, defaults):
    text = (ROOT / page).read_text(encoding="utf-8")
    for task in defaults.RECIPES:
        assert (ROOT / "examples" / f"{task}.py").is_file()
        assert f"/examples/{task}.py)" in text


def test_rates_of_wide_models_are_those_of_the_authors(defaults):
    for _, wide in defaults.RECIPES.values():
        assert 2e-5 <= wide.learning_rate <= 5e-5
