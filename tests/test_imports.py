"""The imports of the package form a graph without cycles, in the order CONTRIBUTING.md gives."""

import ast
import graphlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_bert_zh"
MODULES = sorted(PACKAGE.rglob("*.py"))

# What each room may import of the package, beside itself.
ALLOWED = {
    "arguments": set(),
    "version": set(),
    "extras": set(),
    "input_keys": set(),
    "messages": set(),
    "label_schemes": set(),
    "config": {"input_keys", "arguments"},
    "vocabulary": set(),
    "truncation": set(),
    "text": {"arguments", "label_schemes", "messages", "vocabulary"},
    "layers": {"input_keys", "arguments", "label_schemes", "messages"},
    "files": {"extras"},
    "checkpoints": {"arguments", "config", "extras", "files", "messages", "vocabulary"},
    "preprocess": {
        "input_keys",
        "arguments",
        "text",
        "checkpoints",
        "truncation",
        "vocabulary",
    },
    "data": {
        "input_keys",
        "arguments",
        "extras",
        "files",
        "label_schemes",
        "messages",
        "preprocess",
        "text",
        "vocabulary",
    },
    "encoder": {"arguments", "config", "input_keys", "layers", "checkpoints"},
    "heads": {
        "input_keys",
        "arguments",
        "checkpoints",
        "data",
        "encoder",
        "files",
        "label_schemes",
        "layers",
        "messages",
        "preprocess",
        "text",
        "vocabulary",
    },
    "engines": {
        "arguments",
        "data",
        "export",
        "extras",
        "heads",
        "input_keys",
        "layers",
        "preprocess",
        "text",
    },
    "export": {
        "input_keys",
        "arguments",
        "checkpoints",
        "encoder",
        "extras",
        "files",
        "heads",
        "layers",
        "messages",
        "preprocess",
        "text",
        "version",
        "vocabulary",
    },
    "corpus": {"checkpoints", "engines", "export", "extras", "files", "heads"},
    "serving": {
        "arguments",
        "checkpoints",
        "engines",
        "export",
        "extras",
        "files",
        "heads",
        "quiet",
        "text",
        "version",
        "vocabulary",
    },
    "training": {"arguments", "encoder", "files", "heads", "layers"},
    "quiet": set(),
    "__init__": {
        "checkpoints",
        "config",
        "data",
        "encoder",
        "engines",
        "export",
        "heads",
        "layers",
        "preprocess",
        "quiet",
        "training",
        "truncation",
        "version",
    },
    "commands": {
        "arguments",
        "checkpoints",
        "corpus",
        "encoder",
        "export",
        "extras",
        "files",
        "heads",
        "messages",
        "preprocess",
        "serving",
    },
    "__main__": {"__init__", "commands"},
}
STANDARD_LIBRARY_ONLY = (
    "arguments.py",
    "config.py",
    "input_keys.py",
    "label_schemes.py",
    "vocabulary.py",
    "checkpoints/names.py",
    "checkpoints/schemes.py",
    "text/plain.py",
    "text/plain_prompt.py",
    "text/plain_rows.py",
    "text/unicode_tables.py",
)
# Imported lazily, where there are strings or files of TensorFlow.
TENSORFLOW = (
    "text",
    "checkpoints/readers/graph_nodes.py",
    "checkpoints/readers/tf1_graph.py",
    "checkpoints/readers/tf2_graph.py",
    "engines/tensorflow.py",
    "engines/texts.py",
    "export/hub_module.py",
    "export/litert.py",
    "export/onnx",
    "export/savedmodel.py",
    "heads/answers.py",
    "heads/constants.py",
    "heads/entities.py",
    "heads/saved_model.py",
    "layers/tensorflow",
    "data/word_choice.py",
    "training/fused_adamw.py",
)


def imports(path, *, top_level=False):
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


def room(name):
    return name.removeprefix("keras_bert_zh").removeprefix(".").split(".")[0] or "__init__"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_what_is_below_it(path):
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    ours = {room(name) for name in imports(path) if name.startswith("keras_bert_zh")}
    assert ours - {own} <= ALLOWED[own]
    outside = ("tests", "examples", "benchmarks", "recipes")
    assert not any(room(name) in outside for name in imports(path))


def test_the_table_has_no_cycles():
    order = []
    while len(order) < len(ALLOWED):
        free = [name for name in ALLOWED if name not in order and ALLOWED[name] <= set(order)]
        assert free, f"cycle among {set(ALLOWED) - set(order)}"
        order += free


def imported_files(path):
    """The project's files that a file imports, in its functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            # It is a module, or something in one.
            yield from (file_of(name) or file_of(name.rpartition(".")[0]))


def file_of(name):
    path = name.replace(".", "/")
    places = (ROOT, ROOT / "examples")  # Scripts find what is beside them.
    files = (place / file for place in places for file in (f"{path}.py", f"{path}/__init__.py"))
    return [file for file in files if file.is_file()]


@pytest.mark.parametrize("place", ["keras_bert_zh", "benchmarks", "recipes", "examples"])
def test_no_two_files_import_each_other(place):
    """Nor by way of others. A package is the file that it is imported from."""
    graph = {path: set(imported_files(path)) for path in (ROOT / place).rglob("*.py")}
    assert any(graph.values())
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        cycle = " <- ".join(str(path.relative_to(ROOT)) for path in error.args[1])
        pytest.fail(f"These files import each other: {cycle}")


@pytest.mark.parametrize("name", STANDARD_LIBRARY_ONLY)
def test_standard_library_only(name):
    """And what is of this package needs no more than that itself."""
    import sys

    ours = {f"keras_bert_zh.{file[:-3].replace('/', '.')}" for file in STANDARD_LIBRARY_ONLY}
    others = {module.split(".")[0] for module in set(imports(PACKAGE / name)) - ours}
    assert others <= sys.stdlib_module_names


def test_the_encoder_needs_no_tensorflow():
    """Where strings are prepared elsewhere, a machine with JAX alone will do."""
    for path in MODULES:
        name = str(path.relative_to(PACKAGE))
        if not any(name == part or name.startswith(f"{part}/") for part in TENSORFLOW):
            tops = {module.split(".")[0] for module in imports(path, top_level=True)}
            assert not tops & {"tensorflow", "tensorflow_text", "tensorflow_hub"}, name
