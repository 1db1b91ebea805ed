"""A place for files that try to run something."""

import pytest


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Of a `pytorch_model.bin`; what it runs would leave its mark in another folder, empty yet."""
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    return tmp_path / "pytorch_model.bin"
