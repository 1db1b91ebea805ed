"""The commands that the pages show exist, with their options."""

import re

import pytest

from tests.pages import ROOT, TRANSLATED, blocks

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def _blocks(page):
    return [re.sub(r"\\\n|#.*", "", block) for block in blocks(page, "sh|bash")]


def _options(*paths):
    source = "".join(path.read_text(encoding="utf-8") for path in paths)
    # The fields of recipes, and the columns of a user's files, are options too.
    fields = re.findall(r"^    (\w+): (?:int|float)\b", source, re.MULTILINE)
    columns = re.findall(r'\((?:columns: .*? = \()?((?:"\w+",? ?)+)\)', source)
    names = fields + re.findall(r"\w+", " ".join(columns))
    own = {f"--{name.replace('_', '-')}" for name in names}
    return set(re.findall(r'"(--[a-z][a-z-]*)"', source)) | own | {"--help"}


PARTS = sorted(ROOT.glob("examples/parts/*.py"))
COMMANDS = ROOT / "keras_bert_zh" / "commands"
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _unknown(line):
    """Returns what a line of a shell names that does not exist."""
    used = set(re.findall(r"(?<!\S)(--[a-z][a-z-]*)", line))
    if match := re.search(r"python (examples/\w+\.py)", line):
        script = ROOT / match[1]
        return used - _options(script, *PARTS) if script.exists() else {match[1]}
    if match := re.search(r"python -m benchmarks\.(\w+)", line):
        script = ROOT / "benchmarks" / f"{match[1]}.py"
        return used - _options(*ROOT.glob("benchmarks/*.py")) if script.exists() else {match[0]}
    if match := re.search(r"(?:keras-bert-zh|python -m keras_bert_zh) ([a-z]+)", line):
        script = COMMANDS / f"{match[1]}.py"
        own = (script, COMMANDS / "options.py", ROOT / "keras_bert_zh" / "__main__.py")
        return used - _options(*own) if script.exists() else {match[0]}
    targets = re.findall(r"^make((?: [a-z-]+)+)$", line.strip())
    return {target for names in targets for target in names.split()} - TARGETS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_exist(page):
    lines = [line for block in _blocks(page) for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
    assert {line: unknown for line in lines if (unknown := _unknown(line))} == {}


@pytest.mark.parametrize("page", TRANSLATED)
def test_chinese_pages_have_the_same_commands(page):
    ours, theirs = ([block.split() for block in _blocks(name)] for name in (page, TRANSLATED[page]))
    assert ours == theirs
