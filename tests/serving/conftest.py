"""Tiny models, exported, and the server of each in this process."""

import contextlib

import pytest
from starlette.testclient import TestClient

from keras_bert_zh import (
    BertEncoder,
    BertPreprocess,
    MaskedLM,
    SentenceEncoder,
    TextClassifier,
    TokenTagger,
    export_model,
)
from keras_bert_zh.serving.app import create_app
from keras_bert_zh.serving.options import Options
from keras_bert_zh.serving.served_model import ServedModel
from keras_bert_zh.serving.service import Service
from tests.encoder.common import randomized

LABELS = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]


@pytest.fixture(scope="session")
def keras_models(tiny_block):
    """A model of each kind that a server knows, and its preprocess if it has none itself."""
    short = {"max_length": 8, "dropout": 0.0}
    pairs = TextClassifier(tiny_block, labels=["a", "b", "c"], **short)
    pairs.takes_pairs = True
    several = TextClassifier(
        tiny_block, ["a", "b", "c"], problem_type="multi_label_classification", **short
    )
    preprocess = BertPreprocess(tiny_block, max_length=12)
    found = {
        "predict": TextClassifier(tiny_block, labels=["差评", "好评"], **short),
        "windows": TextClassifier(tiny_block, labels=["差评", "好评"], stride=3, **short),
        "pairs": pairs,
        "several": several,
        "value": TextClassifier(tiny_block, labels=["score"], **short),
        "entities": TokenTagger(tiny_block, labels=LABELS, **short),
        "crf": TokenTagger(tiny_block, labels=LABELS, crf=True, **short),
        "embeddings": SentenceEncoder(tiny_block, "mean", normalize=True, max_length=8, stride=3),
        "fill_mask": MaskedLM(BertEncoder(tiny_block, dropout=0.0), tiny_block),
        "encoder": BertEncoder(tiny_block, dropout=0.0, output_key=None),
    }
    for name, model in found.items():
        if name not in ("fill_mask", "encoder"):
            randomized(model, scale=0.5)
    special = BertPreprocess(tiny_block, max_length=12, special_tokens_in_text=True)
    return {
        name: (model, {"fill_mask": special, "encoder": preprocess}.get(name))
        for name, model in found.items()
    }


@pytest.fixture(scope="session")
def exported(keras_models, tmp_path_factory):
    """The folder of each, made when it is asked for."""
    place, made = tmp_path_factory.mktemp("served"), {}

    def folder(name):
        if name not in made:
            model, preprocess = keras_models[name]
            made[name] = export_model(model, place / name, "onnx", preprocess=preprocess)
        return made[name]

    return folder


@pytest.fixture(scope="session")
def served(exported):
    """ServedModel of each."""
    made = {}

    def model(name):
        if name not in made:
            made[name] = ServedModel(exported(name))
        return made[name]

    return model


@pytest.fixture(scope="session")
def client(served):
    """A client of a server of models, with options."""
    with contextlib.ExitStack() as stack:
        made = {}

        def client(*names, **options):
            key = (names, tuple(sorted(options.items())))
            if key not in made:
                service = Service([served(name) for name in names], Options(name="bert", **options))
                test_client = TestClient(create_app(service))
                made[key] = stack.enter_context(test_client)
            return made[key]

        yield client
