import pytest

from keras_bert_zh.__main__ import main


@pytest.fixture
def run(capsys):
    """A function that runs a command and returns its status, output and errors."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
