"""TF_CPP_MIN_LOG_LEVEL counts while TensorFlow is imported, too."""

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
def noisy(tmp_path, monkeypatch):
    """The name of a module that writes as TensorFlow does, and to sys.stderr."""
    lines = "\n".join(LINES.values()) + "\n"
    (tmp_path / "noisy_module.py").write_text(
        f"import os, sys\nos.write(2, {lines.encode()!r})\nprint('from Python', file=sys.stderr)"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorflow")
    yield "noisy_module"
    sys.modules.pop("noisy_module", None)


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
def test_what_the_level_leaves_out(noisy, monkeypatch, capfd, level, left_out):
    monkeypatch.delenv(quiet.LEVEL, raising=False)
    if level is not None:
        monkeypatch.setenv(quiet.LEVEL, level)
    quiet.import_quietly(noisy)
    shown = capfd.readouterr().err.splitlines()
    expected = [line for name, line in LINES.items() if name not in left_out]
    assert sorted(shown) == sorted([*expected, "from Python"])


def test_after_an_import_that_fails(tmp_path, noisy, monkeypatch, capfd):
    monkeypatch.setenv(quiet.LEVEL, "3")
    with (tmp_path / "noisy_module.py").open("a") as file:
        file.write("\nraise ImportError('no such library')\n")
    with pytest.raises(ImportError, match="no such library"):
        quiet.import_quietly(noisy)
    os.write(2, b"after\n")
    assert capfd.readouterr().err.endswith("log line.\nafter\n")


def test_a_crash_is_not_silent(tmp_path):
    (tmp_path / "crash.py").write_text("import os\nos.abort()\n")
    code = PRELUDE + "from keras_bert_zh import quiet\nquiet.import_quietly('crash')"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path), quiet.LEVEL: "3"},
    )
    assert result.returncode != 0
    assert "Fatal Python error: Aborted" in result.stderr
    assert "crash.py" in result.stderr


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
