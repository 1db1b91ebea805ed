"""What a package index and a citation show, and what an installed package holds."""

import configparser
import fnmatch
import pathlib
import re

import pytest

import keras_bert_zh

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_bert_zh"
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")

REPOSITORY = "keras-bert-zh/keras-bert-zh"
BLOB = f"https://github.com/{REPOSITORY}/blob/main/"
RAW = f"https://raw.githubusercontent.com/{REPOSITORY}/main/"


def links(page, sign=""):
    # Calls look like them.
    page = re.sub(r"^```.*?^```|`[^`\n]+`", "`", page, flags=re.MULTILINE | re.DOTALL)
    return re.findall(rf"(?<!!){sign}\[[^\]]*\]\(([^)\s]+)\)", page)


def anchors(page):
    """The anchors of its headings."""
    titles = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def words(section, option):
    return SETUP[section][option].replace(",", " ").split()


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_links_of_a_readme_work_where_the_file_stands_alone(readme):
    page = (ROOT / readme).read_text(encoding="utf-8")
    found, pictures = links(page), links(page, "!")
    own = [link.removeprefix(BLOB) for link in found if link.startswith(BLOB)]
    assert own
    assert pictures
    assert [p for p in pictures if not (ROOT / p.removeprefix(RAW)).is_file()] == []
    assert [link for link in found if not link.startswith(("https://", "#"))] == []
    for link in [*own, *(link for link in found if link.startswith("#"))]:
        path, _, anchor = link.partition("#")
        target = ROOT / (path or readme)
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target.read_text()), link


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_other_pages_exist(page):
    found = [link for link in links(page.read_text()) if not link.startswith("https://")]
    for link in found:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_the_citation_is_of_this_package():
    citation = (ROOT / "CITATION.cff").read_text().splitlines()
    assert f"version: {keras_bert_zh.__version__}" in citation
    assert f"license: {SETUP['metadata']['license_expression']}" in citation
    assert f"repository-code: https://github.com/{REPOSITORY}" in citation
    assert f"Homepage = https://github.com/{REPOSITORY}\n" in SETUP["metadata"]["project_urls"]


@pytest.mark.parametrize("page", ["docs/index.md", "docs/zh/index.md"])
def test_the_first_page_names_the_extras(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = " ".join(re.findall(r"^\| (`[\w-]+`(?:, `[\w-]+`)*) \|", text, re.MULTILINE))
    assert set(re.findall(r"`([\w-]+)`", named)) == set(SETUP["options.extras_require"])


def test_every_file_of_the_package_is_installed():
    """Beside the modules; this checkout may hold what running them leaves."""
    others = [
        path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert PACKAGE / "py.typed" in others
    patterns = {
        ROOT.joinpath(*name.split("."), pattern).as_posix()
        for name in SETUP["options.package_data"]
        for pattern in words("options.package_data", name)
    }
    missing = [
        str(path.relative_to(ROOT))
        for path in others
        if not any(fnmatch.fnmatchcase(path.as_posix(), pattern) for pattern in patterns)
    ]
    assert missing == []
