import runpy
import sys

import pytest


def test_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["python -m recipes.small", "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("recipes.small", run_name="__main__")
    assert end.value.code == 0
    assert "Trains the bundled checkpoint" in capsys.readouterr().out
