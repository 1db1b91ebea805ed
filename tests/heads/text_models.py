"""What the tests of models of texts share."""

import numpy as np
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess, SpanReader, TextClassifier, TokenTagger
from tests.conformance.cases import CONFIG
from tests.process import DATA

MODELS = {
    "sequence_classification": TextClassifier,
    "token_classification": TokenTagger,
    "question_answering": SpanReader,
}
TASKS = pytest.mark.parametrize("task", MODELS)
INPUT_KEYS = ("input_ids", "input_mask", "segment_ids")


def golden_of(task):
    """The inputs, and what Transformers made of them by output."""
    with np.load(DATA / "fine_tuned" / task / "golden.npz") as arrays:
        found = dict(arrays)
    return {key: found.pop(key) for key in INPUT_KEYS}, found


def by_output(outputs):
    return outputs if isinstance(outputs, dict) else {"logits": outputs}


def fresh(cls, **kwargs):
    encoder = BertEncoder(None, config=CONFIG, dropout=0.0)
    return cls(encoder, **({} if cls is SpanReader else {"labels": ["a", "b", "c"]}), **kwargs)


def text_model(tiny_block, cls=TextClassifier, **kwargs):
    if cls is SpanReader:  # A checkpoint without its head is told of.
        encoder = BertEncoder(tiny_block, dropout=0.0)
        return cls(encoder, preprocess=BertPreprocess(tiny_block, max_length=8), **kwargs)
    return cls(tiny_block, max_length=8, dropout=0.0, labels=["a", "b"], **kwargs)
