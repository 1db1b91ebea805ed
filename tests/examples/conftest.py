"""What the tests of examples share: the scripts, and a checkpoint that trains in no time."""

import pathlib

import pytest

from keras_bert_zh import BertEncoder, BertPreprocess, save_checkpoint

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module", autouse=True)
def examples_on_path():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        yield


@pytest.fixture(scope="session")
def one_block(tiny_block, tmp_path_factory):
    """The folder of a checkpoint of one tiny block."""
    folder = tmp_path_factory.mktemp("checkpoint") / "one_block"
    save_checkpoint(BertEncoder(tiny_block), folder, preprocess=BertPreprocess(tiny_block))
    return folder
