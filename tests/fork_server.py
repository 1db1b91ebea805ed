"""New processes that need not import TensorFlow, which takes longer than most of the checks.

A server imports it and does nothing else; each process is a fork of that server.
"""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import types

SECONDS = 300


class ForkServer:
    """Runs code in forks of one process, one at a time.

    Args:
        module: what that process imports.
        environment: the environment that it is started in.
        cwd: the folder that it is started in.
    """

    def __init__(self, module: str, environment: dict[str, str], cwd: os.PathLike):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fork_server", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=cwd,
        )

    def run(
        self, code: str, arguments: list[str], environment: dict[str, str], folder: os.PathLike
    ) -> int:
        """Returns the status of the process, whose output is in two files in the folder."""
        request = json.dumps([code, arguments, environment, str(folder)])
        print(request, file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


def serve(module: str) -> None:
    """Answers each request by the status of a fork; returns in the forks."""
    importlib.import_module(module)
    # What is there now is not looked at again, neither here nor in the forks.
    gc.collect()
    gc.freeze()
    while request := sys.stdin.readline():
        child = os.fork()
        if not child:
            return run(*json.loads(request))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    os._exit(0)  # What it did itself is of no interest, and not to be measured.


def run(code: str, arguments: list[str], environment: dict[str, str], folder: str) -> None:
    """Runs the code as `python -c` would."""
    signal.alarm(SECONDS)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["-c", *arguments]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(code, "<string>", "exec"), main.__dict__)


if __name__ == "__main__":
    serve(sys.argv[1])
