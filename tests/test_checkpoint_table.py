"""Each line in docs/checkpoints.md names a source as `resolve` takes it; nothing is downloaded."""

import ast
import pathlib
import re
import sys

import pytest

import keras_bert_zh
from keras_bert_zh.checkpoints import DEFAULT
from keras_bert_zh.checkpoints.sources import nearby, zip_url
from keras_bert_zh.checkpoints.sources.found import UnreachableError
from keras_bert_zh.checkpoints.sources.resolve import resolve
from keras_bert_zh.checkpoints.weight_kinds import KINDS

PAGE = (pathlib.Path(__file__).parents[1] / "docs" / "checkpoints.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in PAGE.partition("## Chinese checkpoints")[2].splitlines()
    if line.startswith("| ")
][1:]

# The files that weights are in.
FILES = [kind.file for kind in KINDS]
OTHERS = ("model.weights.h5", "bert_model.ckpt.*", "variables/variables.*")


def call_of(row):
    call = ast.parse(row[1].strip("`"), mode="eval").body
    assert isinstance(call, ast.Call)
    return call


def source_of(row):
    arguments = call_of(row).args
    return ast.literal_eval(arguments[0]) if arguments else DEFAULT


@pytest.fixture
def no_network(monkeypatch):
    """What downloads is not there; the form of a URL is looked at before."""

    def unreachable(*arguments, **options):
        raise UnreachableError("no network")

    for name in ("huggingface_hub", "kagglehub"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(zip_url, "fetch", unreachable)


def test_there_are_many_and_each_once():
    sources = [source_of(row) for row in ROWS]
    assert len(sources) == len(set(sources)) >= 25


def test_what_is_known_by_name_has_a_line():
    assert {f"hf://{name}" for name in nearby._REPOSITORIES} <= {source_of(row) for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
@pytest.mark.usefixtures("no_network")
def test_a_line_is_a_source(row):
    call = call_of(row)
    assert call.func.id in keras_bert_zh.__all__
    assert {keyword.arg for keyword in call.keywords} <= {"pooling"}
    source = source_of(row)
    if source == "small":
        assert resolve(source).path.is_dir()
    elif source != DEFAULT:  # A ValueError would say that the form is another.
        with pytest.raises((ImportError, OSError), match=re.escape(source)):
            resolve(source)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_says_what_is_read_and_how_sure_that_is(row):
    _, _, read, sure = row
    assert read.strip("`") in (*FILES, *OTHERS) or (read == "—" and sure.startswith("unverified"))
    assert sure.startswith(("opened here", "follows from", "unverified"))
    assert sure.startswith("unverified") or re.search(r"\]\((https://|\.\./)\S+\)", sure)
