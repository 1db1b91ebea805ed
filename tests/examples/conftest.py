"""What the tests of examples share: a checkpoint that trains in no time."""

import pytest

from keras_bert_zh import BertEncoder, BertPreprocess, save_checkpoint


@pytest.fixture(scope="session")
def one_block(tiny_block, tmp_path_factory):
    """The folder of a checkpoint of one tiny block."""
    folder = tmp_path_factory.mktemp("checkpoint") / "one_block"
    save_checkpoint(BertEncoder(tiny_block), folder, preprocess=BertPreprocess(tiny_block))
    return folder
