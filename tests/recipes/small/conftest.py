"""Fixtures of the recipe: a tiny teacher and a student of it."""

import pytest

from keras_bert_zh import BertPreprocess
from recipes.small import multilingual_e5, student
from tests.recipes.small import fake_e5
from tests.recipes.small.fake_e5 import VOCABULARY


@pytest.fixture(scope="session")
def file(tmp_path_factory):
    """The teacher's file."""
    path = tmp_path_factory.mktemp("e5") / "model.bin"
    fake_e5.write(path, fake_e5.make())
    return path


@pytest.fixture(scope="session")
def model(file):
    return multilingual_e5.read(file)


@pytest.fixture(scope="session")
def shallow_file(tmp_path_factory):
    """The file of a teacher of three layers, which is traced in a quarter of the time."""
    path = tmp_path_factory.mktemp("shallow e5") / "model.bin"
    fake_e5.write(path, fake_e5.make(3), 3)
    return path


@pytest.fixture(scope="session")
def shallow(shallow_file):
    return multilingual_e5.read(shallow_file)


@pytest.fixture(scope="session")
def preprocess():
    return BertPreprocess(None, vocabulary=VOCABULARY)


@pytest.fixture(scope="session")
def pupil(model):
    """A student that no test changes."""
    return student.make(model, VOCABULARY, fake_e5.FREQUENCIES)
