"""What the documentation shows, runs."""

import ast
import doctest
import hashlib
import importlib
import inspect
import itertools
import pathlib
import pkgutil
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

import keras_bert_zh
from keras_bert_zh.checkpoints import DEFAULT
from tests.tensors import read_tensors, write_tensors

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def python_blocks(page):
    return re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def sections(page):
    """The blocks of each section that has some, in order."""
    first, *rest = re.split(r"^##+ (.+)\n", page, flags=re.MULTILINE)
    texts = {"Introduction": first, **dict(zip(rest[::2], rest[1::2], strict=True))}
    return {title: blocks for title, text in texts.items() if (blocks := python_blocks(text))}


def definitions(earlier, block):
    """The statements of `earlier` blocks that define what `block` uses, and what these use."""
    wanted, kept = set(), []
    for statement in reversed(ast.parse(block).body):
        wanted = (wanted - _defined(statement)) | _names(statement, ast.Load)
    for statement in reversed(ast.parse("".join(earlier)).body):
        defined = _defined(statement) & wanted
        if defined:
            kept.insert(0, statement)
            wanted = (wanted - defined) | _names(statement, ast.Load)
    return ast.Module(kept, [])


def _defined(statement):
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {name.asname or name.name for name in statement.names}
    return _names(statement, ast.Store) if isinstance(statement, ast.Assign) else set()


def _names(tree, context):
    nodes = ast.walk(tree)
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, context)}


SECTIONS = sections(README)
MODULES = [
    module.name for module in pkgutil.walk_packages(keras_bert_zh.__path__, "keras_bert_zh.")
]


@pytest.fixture
def folder(tmp_path, monkeypatch, tiny_module):
    """An empty folder, and a hub cache in which a tiny module stands for the default one."""
    cached = tmp_path / "hub" / hashlib.sha1(DEFAULT.encode()).hexdigest()
    for folder in (cached, tmp_path / "bert_chinese"):
        shutil.copytree(tiny_module, folder)
        _lengthen(folder / "variables" / "variables", 128)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)


def _lengthen(prefix, positions):
    """Gives the module as many positions as a text has by default."""
    tensors = read_tensors(prefix)
    name = "bert/embeddings/position_embeddings"
    tensors[name] = np.resize(tensors[name], (positions, tensors[name].shape[1]))
    write_tensors(prefix, tensors)


# Not under coverage, which would trace all of Keras: it makes them three times as slow.
@pytest.mark.no_cover
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("title", SECTIONS)
def test_readme_blocks_run_one_after_the_other(title):
    """Each section in a test of its own, with what the sections above it define for it."""
    position = list(SECTIONS).index(title)
    earlier = [block for blocks in list(SECTIONS.values())[:position] for block in blocks]
    namespace = {}
    needed = definitions(earlier, "".join(SECTIONS[title]))
    exec(compile(needed, "README.md, above", "exec"), namespace)
    for block in SECTIONS[title]:
        exec(compile(block, "README.md", "exec"), namespace)


def test_sections_hold_every_block_of_the_readme():
    assert [*itertools.chain(*SECTIONS.values())] == python_blocks(README)
    assert len(SECTIONS) >= 6


def test_definitions_are_those_that_a_block_needs():
    earlier = ["import a\nx = a.b\ny = x\nz = 1\nx.fit(y)\n", "y = y + x\nw = z\n"]
    needed = definitions(earlier, "w = 2\nprint(w, y)")
    assert ast.unparse(needed) == "import a\nx = a.b\ny = x\ny = y + x"


def test_adam_of_keras_is_as_the_page_says(capsys):
    """If Keras comes to add up the rows, the page can go."""
    blocks = python_blocks((ROOT / "docs" / "adam_and_embeddings.md").read_text())
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
    assert f"`{name}" in README
    assert inspect.getdoc(public)
    for member, value in vars(public).items() if inspect.isclass(public) else ():
        if callable(value) and not member.startswith("_") and member in public.__dict__:
            inherited = any(hasattr(base, member) for base in public.__mro__[1:])
            assert inherited or inspect.getdoc(value), f"{name}.{member}"


def test_modules_say_what_they_are():
    assert [name for name in MODULES if not importlib.import_module(name).__doc__] == []
