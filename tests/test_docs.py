"""What the documentation shows, runs."""

import ast
import doctest
import hashlib
import importlib
import inspect
import json
import pkgutil
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

import keras_bert_zh
from keras_bert_zh.checkpoints.sources import local_path
from keras_bert_zh.checkpoints.sources.tfhub_url import MODULE
from tests import pages
from tests.pages import ROOT, python_blocks
from tests.tensors import read_tensors, write_tensors

API = (ROOT / "docs" / "api.md").read_text()
TESTED_ELSEWHERE = {"adam_and_embeddings.md", "corpus.md", "server.md"}
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
    if path.name not in TESTED_ELSEWHERE
    and "zh" not in path.parts
    and "```python\n" in path.read_text(encoding="utf-8")
]
TRACED_ELSEWHERE = (
    "docs/coming_from.md",
    "docs/index.md",
    "docs/pretraining.md",
    "docs/questions.md",
    "docs/tasks/",
)


# Chinese pages have the code of the English ones: only comments are in their own language.
TRANSLATED = {"README.zh-CN.md": "README.md"} | pages.TRANSLATED

MODULES = [
    module.name for module in pkgutil.walk_packages(keras_bert_zh.__path__, "keras_bert_zh.")
]


@pytest.fixture
def folder(tmp_path, monkeypatch, tiny_module):
    """An empty folder, and a hub cache in which a tiny module stands for the default one."""
    cached = tmp_path / "hub" / hashlib.sha1(MODULE.encode()).hexdigest()
    for folder in (cached, tmp_path / "bert_chinese"):
        shutil.copytree(tiny_module, folder)
        _lengthen(folder / "variables" / "variables", 128)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub"))
    monkeypatch.setattr(local_path, "_PRESETS", _first_block(tmp_path / "presets"))
    monkeypatch.chdir(tmp_path)


def _first_block(place):
    """Makes a folder whose "small" has one of the six blocks, an eighth as wide.

    The others take as long to trace, and all its width long to write.
    """
    source, folder = local_path._PRESETS / "small", place / "small"
    folder.mkdir(parents=True)
    for name in ("vocab.txt", "tokenizer_config.json"):
        shutil.copy(source / name, folder)
    config = json.loads((source / "config.json").read_text())
    sizes = {name: config[name] // 8 for name in ("hidden_size", "intermediate_size")}
    config_of_one = config | sizes | {"num_hidden_layers": 1}
    (folder / "config.json").write_text(json.dumps(config_of_one))
    widths = {config[name]: size for name, size in sizes.items()}
    tensors = {
        name: value[tuple(slice(widths.get(size, size)) for size in value.shape)].copy()
        for name, value in load_file(source / "model.safetensors").items()
        if not re.search(r"layer\.[1-9]", name)
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return place


def _lengthen(prefix, positions):
    """Gives the module as many positions as a text has by default."""
    tensors = read_tensors(prefix)
    name = "bert/embeddings/position_embeddings"
    tensors[name] = np.resize(tensors[name], (positions, tensors[name].shape[1]))
    write_tensors(prefix, tensors)


# Not under coverage, which would trace all of Keras.
@pytest.mark.no_cover
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("folder")
def test_blocks_run_one_after_the_other(page, request):
    if page.startswith(TRACED_ELSEWHERE):
        request.getfixturevalue("eagerly")
    blocks = python_blocks(page)
    assert blocks
    namespace = {}
    for block in blocks:
        exec(compile(block, page, "exec"), namespace)


@pytest.mark.parametrize("page", TRANSLATED)
def test_chinese_pages_have_the_code_that_runs(page):
    """So that what runs of the English page has run of this one."""
    ours, english = (
        [ast.dump(ast.parse(block)) for block in python_blocks(name)]
        for name in (page, TRANSLATED[page])
    )
    assert ours == english


def _parts(page):
    """Returns the numbers of headings, rows of tables and pictures of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [len(re.findall(sign, text, re.MULTILINE)) for sign in (r"^#+ ", r"^\|", r"!\[")]


@pytest.mark.parametrize("page", TRANSLATED)
def test_chinese_pages_have_all_parts_of_the_english_ones(page):
    assert _parts(page) == _parts(TRANSLATED[page])


def test_adam_of_keras_is_as_the_page_says(capsys):
    """If Keras comes to add up the rows, the page can go."""
    blocks = python_blocks("docs/adam_and_embeddings.md")
    namespace = {}
    for block in blocks:
        exec(block, namespace)
    assert capsys.readouterr().out == "0.002\n"
    gradient = tf.IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), [3, 5, 3], [7, 1])
    summed = namespace["without_repeated_rows"](gradient)
    assert summed.indices.numpy().tolist() == [3, 5]
    assert summed.values.numpy().tolist() == [[5.0], [2.0]]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0


@pytest.mark.parametrize("name", keras_bert_zh.__all__)
def test_public_names_have_examples(name):
    tests = doctest.DocTestFinder().find(getattr(keras_bert_zh, name))
    assert any(test.examples for test in tests)


@pytest.mark.parametrize("name", keras_bert_zh.__all__)
def test_public_names_are_documented(name):
    public = getattr(keras_bert_zh, name)
    assert f"::: keras_bert_zh.{name}\n" in API
    assert inspect.getdoc(public)
    for member, value in vars(public).items() if inspect.isclass(public) else ():
        if callable(value) and not member.startswith("_") and member in public.__dict__:
            inherited = any(hasattr(base, member) for base in public.__mro__[1:])
            assert inherited or inspect.getdoc(value), f"{name}.{member}"


def test_modules_say_what_they_are():
    assert [name for name in MODULES if not importlib.import_module(name).__doc__] == []
