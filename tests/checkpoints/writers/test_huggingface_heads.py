"""Transformers loads what is written with a head, and computes the same logits."""

import json

import numpy as np
import pytest

from keras_bert_zh import (
    BertEncoder,
    BertPreprocess,
    TextClassifier,
    load_checkpoint,
    save_checkpoint,
)
from tests.checkpoints.writers.test_huggingface import computed, loaded
from tests.conformance.cases import CONFIG, INPUTS
from tests.encoder.common import difference, randomized
from tests.heads.text_models import TASKS, golden_of

AUTO = {
    "sequence_classification": "AutoModelForSequenceClassification",
    "token_classification": "AutoModelForTokenClassification",
    "question_answering": "AutoModelForQuestionAnswering",
}


@TASKS
def test_the_logits_are_the_same(transformers, fine_tuned, tmp_path, task):
    checkpoint = load_checkpoint(fine_tuned[task])
    model = loaded(transformers, AUTO[task], save_checkpoint(checkpoint, tmp_path / "new"))
    inputs, golden = golden_of(task)
    outputs = computed(model, inputs)
    for key, expected in golden.items():
        largest = difference(outputs[key], expected)
        print(f"{AUTO[task]}, {key}: largest difference {largest:.2g}")
        assert largest < 1e-5
    if checkpoint.head.labels:
        assert model.config.id2label == dict(enumerate(checkpoint.head.labels))
        assert model.config.num_labels == len(checkpoint.head.labels)


@pytest.mark.parametrize(
    ("labels", "problem_type"),
    [
        (["score"], "regression"),
        (["a", "b"], "multi_label_classification"),
        (["x"], None),
        (["LABEL_0", "LABEL_1"], "single_label_classification"),
    ],
)
def test_a_model_of_this_package(transformers, tmp_path, labels, problem_type):
    preprocess = BertPreprocess(vocabulary=_vocabulary(), max_length=7)
    encoder = BertEncoder(None, config=CONFIG, dropout=0.0)
    model = TextClassifier(
        encoder, labels, problem_type=problem_type, preprocess=preprocess, dropout=0.25
    )
    randomized(model, scale=0.1)
    folder = save_checkpoint(model, tmp_path / "new")
    theirs = loaded(transformers, AUTO["sequence_classification"], folder)
    assert difference(computed(theirs, INPUTS)["logits"], model(INPUTS)) < 1e-5
    assert list(theirs.config.id2label.values()) == labels
    assert theirs.config.label2id == {label: index for index, label in enumerate(labels)}
    assert theirs.config.problem_type == problem_type
    assert theirs.config.classifier_dropout == theirs.dropout.p == 0.25
    # And what Transformers writes of it is read here.
    theirs.save_pretrained(tmp_path / "theirs")
    again = load_checkpoint(tmp_path / "theirs")
    assert again.head == load_checkpoint(folder).head
    kernel = again.weights["classifier.kernel"]
    np.testing.assert_array_equal(kernel, np.asarray(model.classifier.kernel))


def _vocabulary():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return special + [f"w{index}" for index in range(CONFIG.vocab_size - len(special))]


def test_what_is_said_without_transformers(fine_tuned, tmp_path):
    checkpoint = load_checkpoint(fine_tuned["token_classification"])
    folder = save_checkpoint(checkpoint, tmp_path / "new")
    fields = json.loads((folder / "config.json").read_text())
    assert fields["architectures"] == ["BertForTokenClassification"]
    assert fields["id2label"]["1"] == "B-PER"
    assert fields["label2id"]["B-PER"] == 1
