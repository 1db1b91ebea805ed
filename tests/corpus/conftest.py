"""A corpus and a tiny model for it."""

import pytest

from keras_bert_zh import SentenceEncoder, export_model

TEXTS = ["今天天气很好", "", "房间很干净，早餐也不错", "手机", "好" * 40, "电池不行"]


@pytest.fixture(scope="session")
def model(tiny_block):
    return SentenceEncoder(tiny_block, "mean", max_length=12)


@pytest.fixture(scope="session")
def exported(model, tmp_path_factory):
    """The folder of that model, exported for TensorFlow."""
    return export_model(model, tmp_path_factory.mktemp("corpus") / "model", "savedmodel")
