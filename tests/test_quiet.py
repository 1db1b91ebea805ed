"""TF_CPP_MIN_LOG_LEVEL counts while TensorFlow is imported, too."""

import importlib
import importlib.util
import os
import subprocess
import sys

import pytest

from keras_bert_zh import quiet
from tests.checkpoints.bare import PRELUDE

LINES = {
    "first": "WARNING: All log messages before absl::InitializeLog() is called are written to ...",
    "info": "I0000 00:00:1795718854.489144    4597 port.cc:153] oneDNN custom operations are on.",
    "warning": "W0000 00:00:1795718854.489144    4597 a/b.cc:1] W",
    "error": "E0000 00:00:1795718854.489144    4597 a/b.cc:1] E",
    "fatal": "F0000 00:00:1795718854.489144    4597 a/b.cc:1] F",
    "other": "I am no log line.",
}


@pytest.fixture
def tensorflow(tmp_path, monkeypatch):
    """The file of another TensorFlow, which only writes as it does, and to sys.stderr."""
    file = tmp_path / "tensorflow.py"
    lines = "\n".join(LINES.values()) + "\n"
    file.write_text(
        f"import os, sys\nos.write(2, {lines.encode()!r})\nprint('from Python', file=sys.stderr)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    return file


@pytest.mark.parametrize(
    ("level", "left_out"),
    [
        (None, ()),
        ("0", ()),
        ("x", ()),
        ("1", ("first", "info")),
        ("2", ("first", "info", "warning")),
        ("3", ("first", "info", "warning", "error")),
    ],
)
def test_what_the_level_leaves_out(tensorflow, monkeypatch, capfd, level, left_out):
    monkeypatch.delenv(quiet.LEVEL, raising=False)
    if level is not None:
        monkeypatch.setenv(quiet.LEVEL, level)
    quiet.hold_to_level()
    assert importlib.import_module("tensorflow").__file__ == str(tensorflow)
    shown = capfd.readouterr().err.splitlines()
    expected = [line for name, line in LINES.items() if name not in left_out]
    assert sorted(shown) == sorted([*expected, "from Python"])


def test_asking_whether_it_is_there_changes_nothing(tensorflow, monkeypatch, capfd):
    monkeypatch.setenv(quiet.LEVEL, "3")
    before = len(sys.meta_path)
    quiet.hold_to_level()
    assert importlib.util.find_spec("tensorflow").origin == str(tensorflow)
    importlib.import_module("tensorflow")
    shown = capfd.readouterr().err.splitlines()
    assert sorted(shown) == sorted([LINES["fatal"], LINES["other"], "from Python"])
    assert len(sys.meta_path) == before


def test_after_an_import_that_fails(tensorflow, monkeypatch, capfd):
    monkeypatch.setenv(quiet.LEVEL, "3")
    with tensorflow.open("a") as file:
        file.write("raise ImportError('no such library')\n")
    quiet.hold_to_level()
    with pytest.raises(ImportError, match="no such library"):
        importlib.import_module("tensorflow")
    os.write(2, b"after\n")
    assert capfd.readouterr().err.endswith("log line.\nafter\n")


def test_a_crash_is_not_silent(tmp_path):
    (tmp_path / "tensorflow.py").write_text("import os\nos.abort()\n")
    code = "from keras_bert_zh import quiet\nquiet.hold_to_level()\nimport tensorflow"
    result = subprocess.run(
        [sys.executable, "-c", PRELUDE + code],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path), quiet.LEVEL: "3"},
    )
    assert result.returncode != 0
    assert "Fatal Python error: Aborted" in result.stderr
    assert "tensorflow.py" in result.stderr


@pytest.mark.parametrize(
    ("argv", "original", "expected"),
    [
        (["-m"], ["python", "-m", "keras_bert_zh"], True),
        (["-m", "inspect", "small"], ["python", "-mkeras_bert_zh", "inspect", "small"], True),
        (["-m", "-m"], ["python", "-W", "error", "-m", "keras_bert_zh", "-m"], True),
        (["/usr/bin/keras-bert-zh", "inspect"], ["python", "/usr/bin/keras-bert-zh", "x"], True),
        (["-m", "keras_bert_zh"], ["python", "-m", "recipes.small", "keras_bert_zh"], False),
        (["train.py", "-m", "keras_bert_zh"], ["python", "train.py", "-m", "keras_bert_zh"], False),
        (["-c"], ["python", "-c", "import keras_bert_zh"], False),
        ([""], ["python"], False),
        ([], ["embedded"], False),
    ],
)
def test_which_process_is_the_command_line(monkeypatch, argv, original, expected):
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", original)
    assert quiet.is_command_line() is expected
