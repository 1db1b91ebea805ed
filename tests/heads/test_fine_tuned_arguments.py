"""What models of texts are made from, and what they refuse."""

import dataclasses
import warnings

import numpy as np
import pytest

from keras_bert_zh import (
    BertEncoder,
    BertPreprocess,
    SpanReader,
    TextClassifier,
    TokenTagger,
    load_checkpoint,
)
from keras_bert_zh.checkpoints import Head
from tests.checkpoints.writers.variants import variant
from tests.conformance.cases import INPUTS
from tests.heads.text_models import text_model


@pytest.mark.parametrize("cls", [TextClassifier, TokenTagger])
def test_fresh_heads(fine_tuned, cls, tiny):
    """Also of a checkpoint that was fine-tuned for something else."""
    other = "token_classification" if cls is TextClassifier else "sequence_classification"
    for source in (tiny, load_checkpoint(fine_tuned[other])):
        with warnings.catch_warnings(action="ignore"):
            model = cls(source, ("x", "y"))
        assert model.labels == ("x", "y")
        assert 0.005 < np.std(model.classifier.kernel) < 0.04
        assert not np.any(model.classifier.bias)
        with pytest.raises(ValueError, match=r"labels is required: the checkpoint has (no|a) head"):
            cls(source)


def test_a_checkpoint_without_pooler(fine_tuned):
    folder = fine_tuned["question_answering"]
    with pytest.warns(
        UserWarning, match="no weights for the pooler. Its weights are random"
    ) as caught:
        TextClassifier(folder, ["a", "b"])
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings(action="error"):
        TokenTagger(folder, ["a", "b"])


def test_outputs_that_nobody_named(fine_tuned):
    checkpoint = load_checkpoint(fine_tuned["sequence_classification"])
    head = Head("sequence_classification", ("LABEL_0", "LABEL_1", "LABEL_2"))
    nameless = dataclasses.replace(checkpoint, head=head)
    assert TextClassifier(nameless).labels == head.labels
    model = TextClassifier(nameless, ["a", "b", "c"], problem_type="multi_label_classification")
    assert model.labels == ("a", "b", "c")
    assert model.head.problem_type == "multi_label_classification"
    np.testing.assert_array_equal(model.classifier.kernel, checkpoint.weights["classifier.kernel"])
    assert TextClassifier(checkpoint, checkpoint.head.labels).labels == checkpoint.head.labels
    for source, labels in ((nameless, ["a", "b"]), (checkpoint, ["财经", "体育", "科技"])):
        with pytest.raises(
            ValueError, match=r"has the 3 labels .* which are not labels=.* leave labels out"
        ):
            TextClassifier(source, labels)
    encoder, preprocess = BertEncoder(checkpoint), BertPreprocess(checkpoint, max_length=8)
    other = TextClassifier(encoder, ["a", "b"], preprocess=preprocess)
    assert other(["a"]).shape == (1, 2)
    assert other.preprocess is preprocess
    assert other.encoder is encoder


def test_lengths(tiny, data):
    assert TextClassifier(tiny, ["a"]).preprocess.max_length == 64  # All of its positions.
    assert TextClassifier("small", ["a"]).preprocess.max_length == 128
    assert TextClassifier(data / "tiny_tf1_hub", ["a"], max_length=9)(["a"]).shape == (1, 1)
    with pytest.raises(
        ValueError, match="has 65 positions, but the encoder has 64: create both from"
    ):
        TextClassifier(tiny, ["a"], max_length=65)


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ("a", ValueError, r"TextClassifier takes a batch. For a single text, pass \[text\]"),
        (INPUTS["input_ids"], TypeError, "expected str, a list of str, .* got an array of int32"),
        ({"ids": INPUTS["input_ids"]}, ValueError, r"The encoder takes .* got keys \['ids'\]"),
        (INPUTS | {"more": INPUTS["input_ids"]}, ValueError, r"The encoder takes .* \['more'\]"),
        (
            (["a"], ["b"], ["c"]),
            ValueError,
            "A pair of texts must be a tuple of two, got a tuple of 3",
        ),
    ],
)
def test_bad_input(tiny_block, inputs, error, message):
    with pytest.raises(error, match=message):
        text_model(tiny_block)(inputs)


def test_arguments_that_do_not_fit(tiny):
    encoder, preprocess = BertEncoder(tiny), BertPreprocess(None, max_length=8)
    with pytest.raises(ValueError, match="labels is required: a BertEncoder has no head, so"):
        TextClassifier(encoder)
    with pytest.raises(ValueError, match="labels must be a sequence of at least one str, got 'ab'"):
        TextClassifier(encoder, "ab")
    with pytest.raises(
        ValueError, match=r"problem_type must be 'single_label_class.*, got 'other'"
    ):
        TextClassifier(encoder, ["a"], problem_type="other")
    with pytest.raises(
        ValueError, match="has 21128 tokens, but the encoder has 718: create both from"
    ):
        TokenTagger(encoder, ["a"], preprocess=preprocess)
    with pytest.raises(TypeError, match=r"preprocess must be a BertPreprocess, got 'small'\."):
        TokenTagger(encoder, ["a"], preprocess="small")
    with pytest.raises(ValueError, match=r"preprocess=BertPreprocess\(\.\.\., max_length=8\)"):
        TextClassifier(encoder, ["a"], max_length=8)
    with pytest.raises(ValueError, match="of its encoder: pass dtype='bfloat16' to BertEncoder"):
        TextClassifier(encoder, ["a"], dtype="bfloat16")
    with pytest.raises(ValueError, match=r"has its own dropout: pass dropout=0.2 to BertEncoder\."):
        SpanReader(encoder, dropout=0.2)
    with pytest.raises(ValueError, match=r"dropout must be in \[0, 1\), got 2\."):
        TextClassifier(encoder, ["a"], dropout=2)
    with pytest.raises(
        ValueError, match=r"created from an encoder and takes a dict of input_ids, inp"
    ):
        SpanReader(encoder)(["a"])
    with pytest.raises(
        ValueError, match=r"has no vocabulary: neither vocab.txt nor tokenizer.json"
    ):
        TextClassifier(variant(tiny, vocabulary=None), ["a"])


def test_a_fresh_head_of_a_reader_is_told_of(tiny_block):
    with pytest.warns(
        UserWarning, match="no weights for question answering. Its weights are random"
    ):
        model = SpanReader(tiny_block, max_length=8)
    assert model.span.kernel.shape == (32, 2)


@pytest.mark.parametrize("source", [None, 3, BertPreprocess])
def test_sources_that_are_none(source):
    with pytest.raises(TypeError, match="source must be a path, a URL, a Checkpoint or a BertEnco"):
        TextClassifier(source, ["a", "b"])
