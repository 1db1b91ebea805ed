"""What docs/server.md shows, runs."""

import json
import re
import subprocess
import threading

import pytest
import uvicorn

from keras_bert_zh.serving.app import create_app
from keras_bert_zh.serving.options import Options
from keras_bert_zh.serving.service import Service
from tests.pages import ROOT, python_blocks

PAGE = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"
ANSWERS = ["data", "predictions", "entities", "tokens", "predictions"]


@pytest.fixture(scope="module")
def address(served):
    """A server of all tasks, with vectors of 128 numbers or fewer."""
    models = [served(name) for name in ("embeddings", "predict", "entities", "fill_mask")]
    app = create_app(Service(models, Options(name="small")))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    with server.config.bind_socket() as place:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        yield f"http://127.0.0.1:{place.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(("command", "key"), [*zip(COMMANDS, ANSWERS, strict=True)])
def test_commands(command, key, address):
    command = command.replace(ADDRESS, address).replace('"dimensions": 128', '"dimensions": 8')
    done = subprocess.run(
        ["sh", "-c", command.replace("curl", "curl -sS --retry 5 --retry-connrefused", 1)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)[key]


def test_python(address):
    (block,) = python_blocks("docs/server.md")
    names = {}
    exec(block.replace(ADDRESS, address), names)
    assert [len(vector) for vector in names["vectors"]] == [32, 32]


def test_options_are_those_of_the_command(capsys):
    from keras_bert_zh.__main__ import main

    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    shown = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert set(re.findall(r"`(--[a-z-]+)", PAGE)) <= shown
