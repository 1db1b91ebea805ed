"""The page beside what is written for the Hugging Face Hub."""

import dataclasses

import numpy as np
import pytest

from keras_bert_zh import load_checkpoint, save_checkpoint
from keras_bert_zh.checkpoints.head import Head
from keras_bert_zh.checkpoints.pooling import Pooling
from keras_bert_zh.checkpoints.writers.model_card import model_card
from tests.checkpoints.writers.variants import variant


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


def front(card):
    """The lines between the two rules."""
    return card.split("---\n")[1].splitlines()


def test_of_a_pretrained_model(data, folder):
    save_checkpoint(load_checkpoint(data / "tiny_original"), folder)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert front(card) == [
        "language: zh",
        "library_name: transformers",
        "pipeline_tag: fill-mask",
        "tags:",
        "- fill-mask",
    ]
    assert "# BertForPreTraining" in card
    assert (
        "It has 2 layers with hidden size 32, a vocabulary of 718 tokens, and takes "
        "texts of up to 64" in card
    )
    assert 'model = BertForPreTraining.from_pretrained("FOLDER")' in card


def test_of_a_model_of_sentence_vectors(tiny):
    card = model_card(tiny, "BertModel", Pooling("mean", max_length=20, normalize=True))
    assert front(card)[1:] == [
        "library_name: sentence-transformers",
        "pipeline_tag: sentence-similarity",
        "tags:",
        "- sentence-transformers",
        "- sentence-similarity",
        "- feature-extraction",
    ]
    assert "the mean of the last hidden states, scaled to length 1. Texts are cut at 20 " in card
    assert 'SentenceTransformer("FOLDER").encode(' in card


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("BertModel", "feature-extraction"),
        ("BertForMaskedLM", "fill-mask"),
        ("BertForSequenceClassification", "text-classification"),
        ("ErnieForTokenClassification", "token-classification"),
        ("BertForQuestionAnswering", "question-answering"),
    ],
)
def test_tasks(tiny, architecture, task):
    assert f"pipeline_tag: {task}" in front(model_card(tiny, architecture, None))


def test_of_a_classifier(tiny):
    labels = Head("sequence_classification", ("差评", "好评"))
    weights = dict(tiny.weights) | {
        "classifier.kernel": np.zeros((32, 2), "float32"),
        "classifier.bias": np.zeros(2, "float32"),
    }
    checkpoint = dataclasses.replace(tiny, weights=weights, head=labels)
    assert "Labels: 差评, 好评." in model_card(checkpoint, "BertForSequenceClassification", None)


def test_chinese_only_if_its_tokens_are(tiny):
    latin = tuple(token if token.isascii() else f"a{i}" for i, token in enumerate(tiny.vocabulary))
    for vocabulary in (latin, None):
        card = model_card(variant(tiny, vocabulary=vocabulary), "BertModel", None)
        assert "language: zh" not in front(card)


def test_a_tokenizer_only_where_there_is_a_vocabulary(tiny):
    cards = [
        model_card(variant(tiny, vocabulary=vocabulary), "BertModel", None)
        for vocabulary in (tiny.vocabulary, None)
    ]
    assert ["AutoTokenizer" in card for card in cards] == [True, False]
    assert "```python\nfrom transformers import BertModel\n\nmodel = BertModel" in cards[1]


def test_a_page_that_somebody_wrote_is_not_replaced(tiny, folder):
    save_checkpoint(tiny, folder)
    save_checkpoint(dataclasses.replace(tiny), folder, overwrite=True)
    (folder / "README.md").write_text("# 我的模型\n")
    with pytest.raises(ValueError, match=r"Its README.md was not written by keras_bert_zh"):
        save_checkpoint(tiny, folder, overwrite=True)
    assert (folder / "README.md").read_text() == "# 我的模型\n"
