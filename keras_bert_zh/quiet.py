"""Makes TensorFlow obey TF_CPP_MIN_LOG_LEVEL during its import too."""

import contextlib
import faulthandler
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import sys
import tempfile
import types
from collections.abc import Iterator

LEVEL = "TF_CPP_MIN_LOG_LEVEL"

# Set in processes that `keras-bert-zh serve` has others start: as for the command line itself, the
# package is to be imported without what it would import for users.
SERVES = "KERAS_BERT_ZH_SERVES"

_LOGGED = re.compile(rb"([IWE])\d{4} \d\d:\d\d:\S+ +\d+ \S+:\d+\] ")
_FIRST_LINE = b"WARNING: All log messages before absl::InitializeLog() is called"


def hold_to_level() -> None:
    """Hides the log lines that the user does not want while TensorFlow is imported.

    TensorFlow logs the CPUs and GPUs that it finds before it reads the variable. If the variable
    asks for fewer lines (1: no infos, 2: no warnings, 3: no errors), the standard error stream is
    held back during the import and shown after it, without those lines. Exceptions do not change,
    and without the variable nothing changes.
    """
    if _level() and "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _Finder())


def is_command_line() -> bool:
    """Tells whether this process is the command line of this package, or was started by it."""
    if SERVES in os.environ:
        return True
    program = sys.argv[0] if sys.argv else ""
    if program == "-m":  # So it is called until Python has found the module.
        return sys.orig_argv[-len(sys.argv)] in ("keras_bert_zh", "-mkeras_bert_zh")
    return os.path.basename(program) == "keras-bert-zh"


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow where the other finders do, until it is imported."""

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)  # Else it would be asked again.
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)  # Whether TensorFlow is there may be asked before.
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: types.ModuleType) -> None:
                sys.meta_path.remove(self)
                with _held_back(_level()):
                    load(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _level() -> int:
    level = os.environ.get(LEVEL, "")
    return int(level) if level.isdecimal() else 0


@contextlib.contextmanager
def _held_back(level: int) -> Iterator[None]:
    """Shows what the block writes to standard error when it ends, without unwanted log lines."""
    try:
        kept = os.dup(2)
    except OSError:  # It is closed.
        yield
        return
    watch = not faulthandler.is_enabled()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        if watch:
            faulthandler.enable(kept)  # A crash inside is no exception.
        try:
            yield
        finally:
            if watch:
                faulthandler.disable()
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            os.write(2, _wanted(held.read(), level))


def _wanted(written: bytes, level: int) -> bytes:
    def is_wanted(line: bytes) -> bool:
        logged = _LOGGED.match(line)
        return b"IWE".index(logged[1]) >= level if logged else not line.startswith(_FIRST_LINE)

    return b"".join(line for line in written.splitlines(keepends=True) if is_wanted(line))
