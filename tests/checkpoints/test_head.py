"""Heads of fine-tuned models: read from every format that has them, and written again."""

import dataclasses
import json
import shutil
import warnings

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from keras_bert_zh import Checkpoint, load_checkpoint, save_checkpoint
from keras_bert_zh.checkpoints import Head
from tests.checkpoints.writers.variants import assert_same
from tests.tensors import read_tensors, write_tensors

LABELS = {
    "sequence_classification": ("体育", "财经", "科技"),
    "token_classification": ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
    "question_answering": None,
}
TASKS = pytest.mark.parametrize("task", LABELS)
RNG = np.random.default_rng(0)
DENSE = {
    "output_weights": RNG.normal(size=(3, 32)).astype("float32"),
    "output_bias": RNG.normal(size=3).astype("float32"),
}
SQUAD = {f"cls/squad/{name}": tensor[:2] for name, tensor in DENSE.items()}


@pytest.fixture
def folder(fine_tuned, tmp_path):
    """A function that copies the folder of a task, with other fields and tensors if wanted."""

    def make(task, tensors=None, **fields):
        source, new = fine_tuned[task], tmp_path / "model"
        new.mkdir()
        config = json.loads((source / "config.json").read_text()) | fields
        config = {name: value for name, value in config.items() if value is not ...}
        (new / "config.json").write_text(json.dumps(config))
        found = load_file(source / "model.safetensors") | (tensors or {})
        found = {name: tensor for name, tensor in found.items() if tensor is not None}
        save_file(found, new / "model.safetensors")
        return new

    return make


@pytest.fixture
def original(data, tmp_path):
    """A function that writes google-research/bert's checkpoint with a head."""

    def make(tensors, **fields):
        new = tmp_path / "original"
        new.mkdir()
        source = data / "tiny_original"
        config = json.loads((source / "bert_config.json").read_text()) | fields
        (new / "bert_config.json").write_text(json.dumps(config))
        shutil.copy(source / "vocab.txt", new)
        write_tensors(new / "bert_model.ckpt", read_tensors(source / "bert_model.ckpt") | tensors)
        return new

    return make


def loaded(folder):
    """Loads it; a warning is an error."""
    with warnings.catch_warnings(action="error"):
        return load_checkpoint(folder)


@TASKS
def test_a_head_of_transformers(fine_tuned, task):
    checkpoint = loaded(fine_tuned[task])
    assert checkpoint.head == Head(task, LABELS[task])
    part = checkpoint.head.part
    assert part in checkpoint.parts
    raw = load_file(fine_tuned[task] / "model.safetensors")
    name = {"classifier": "classifier", "span": "qa_outputs"}[part]
    np.testing.assert_array_equal(checkpoint.weights[f"{part}.kernel"], raw[f"{name}.weight"].T)
    np.testing.assert_array_equal(checkpoint.weights[f"{part}.bias"], raw[f"{name}.bias"])
    assert checkpoint.leftovers == ()
    pooler = () if task == "sequence_classification" else ("pooler",)
    assert checkpoint.missing == ("lowercase", *pooler, "masked_lm", "next_sentence")


@pytest.mark.parametrize("architectures", [..., None, [], ["MyModel"], [3], "BertModel"])
@pytest.mark.parametrize("task", ["sequence_classification", "token_classification"])
def test_a_pooler_tells_where_no_class_does(folder, task, architectures):
    assert loaded(folder(task, architectures=architectures)).head.task == task


def test_a_tagger_that_was_saved_with_a_pooler(folder, fine_tuned):
    raw = load_file(fine_tuned["sequence_classification"] / "model.safetensors")
    pooler = {name: tensor for name, tensor in raw.items() if "pooler" in name}
    checkpoint = loaded(folder("token_classification", pooler))
    assert checkpoint.head.task == "token_classification"
    assert "pooler" in checkpoint.parts


def test_a_bert_without_prefix(folder, fine_tuned):
    raw = load_file(fine_tuned["sequence_classification"] / "model.safetensors")
    bare = {name.removeprefix("bert."): tensor for name, tensor in raw.items()}
    made = folder("sequence_classification", dict.fromkeys(raw) | bare)
    assert loaded(made).head.labels == LABELS["sequence_classification"]


def test_labels_that_nobody_named(folder):
    checkpoint = loaded(folder("sequence_classification", id2label=..., label2id=...))
    assert checkpoint.head.labels == ("LABEL_0", "LABEL_1", "LABEL_2")


def test_labels_are_in_the_order_of_the_outputs(folder):
    labels = {str(index): f"label {index}" for index in range(11)}
    tensors = {"classifier.weight": np.ones((11, 32)), "classifier.bias": np.ones(11)}
    fields = {"id2label": dict(sorted(labels.items())), "problem_type": "regression"}
    made = folder("sequence_classification", tensors, **fields, classifier_dropout=0.25)
    head = Head("sequence_classification", tuple(labels.values()), "regression", 0.25)
    assert loaded(made).head == head


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"id2label": {"0": "a", "1": "b"}},
            r"must name each output of the head, 0 to 2, got \{'0",
        ),
        ({"id2label": {"0": "a", "1": "b", "3": "c"}}, "must name each output of the head, 0 to 2"),
        ({"id2label": ["a", "b", "c"]}, "must name each output of the head, 0 to 2"),
        ({"id2label": {"0": "a", "1": "b", "2": "a"}}, "Labels must be unique, but 'a' is rep"),
        ({"problem_type": "ranking"}, "problem_type must be 'single_label_classification' or "),
        ({"classifier_dropout": 1}, r"dropout must be in \[0, 1\), got 1\."),
    ],
)
def test_a_configuration_that_does_not_fit_its_head(folder, fields, message):
    """The BERT is there all the same."""
    made = folder("sequence_classification", **fields)
    told = rf"{made}/config\.json: .*{message}.* The head is therefore not read\."
    with (
        pytest.warns(UserWarning, match=told),
        pytest.warns(UserWarning, match="the head of BertForSequenceClassification is not read"),
    ):
        checkpoint = load_checkpoint(made)
    assert checkpoint.head is None
    assert checkpoint.parts == ("pooler",)
    assert {"classifier.weight", "classifier.bias"} <= {*checkpoint.leftovers}


def test_a_bias_that_does_not_fit_the_kernel(folder):
    tensors = {"classifier.bias": np.ones(2, "float32")}
    with pytest.raises(ValueError, match=r"kernel has 3 outputs, classifier.bias has 2, and there"):
        load_checkpoint(folder("sequence_classification", tensors))


@pytest.mark.parametrize(
    ("tensors", "head"),
    [
        (DENSE, Head("sequence_classification", ("LABEL_0", "LABEL_1", "LABEL_2"))),
        (SQUAD, Head("question_answering")),
    ],
)
def test_a_head_of_google_research(original, tensors, head):
    checkpoint = loaded(original(tensors | {f"{n}/adam_m": t for n, t in tensors.items()}))
    assert checkpoint.head == head
    kernel, bias = tensors.values()
    np.testing.assert_array_equal(checkpoint.weights[f"{head.part}.kernel"], kernel.T)
    np.testing.assert_array_equal(checkpoint.weights[f"{head.part}.bias"], bias)
    assert set(checkpoint.leftovers) == {f"{name}/adam_m" for name in tensors}
    assert checkpoint.missing == ("lowercase",)


def test_two_heads_are_none(original):
    with pytest.warns(UserWarning, match=r"the head is not read \(cls/squad/output_bias, cls/s"):
        assert load_checkpoint(original(DENSE | SQUAD)).head is None


@pytest.mark.parametrize("head", [{"task": "ranking"}, {"labels": ["a"]}, ["a"], {"task": 1}])
def test_what_this_package_did_not_write(original, head):
    made = original(DENSE, head=head)
    with pytest.raises(ValueError, match=rf"{made}/bert_config.json: head is not in the form"):
        load_checkpoint(made)


@TASKS
@pytest.mark.parametrize("format", ["huggingface", "original"])
@pytest.mark.filterwarnings("ignore:google-research/bert", "ignore:The checkpoint has no pooler")
def test_what_is_written_is_read_back(fine_tuned, tmp_path, task, format):
    checkpoint = load_checkpoint(fine_tuned[task])
    if task == "sequence_classification":
        head = dataclasses.replace(
            checkpoint.head, problem_type="multi_label_classification", dropout=0.3
        )
        checkpoint = dataclasses.replace(checkpoint, head=head)
    checkpoint = dataclasses.replace(checkpoint, lowercase=True)
    again = loaded(save_checkpoint(checkpoint, tmp_path / "new", format))
    assert again.head == checkpoint.head
    assert_same(again, checkpoint)


@TASKS
def test_the_names_are_those_of_transformers(fine_tuned, tmp_path, task):
    save_checkpoint(load_checkpoint(fine_tuned[task]), tmp_path / "new")
    ours, theirs = (
        load_file(f / "model.safetensors") for f in (tmp_path / "new", fine_tuned[task])
    )
    assert ours.keys() == theirs.keys()
    config, expected = (
        json.loads((f / "config.json").read_text()) for f in (tmp_path / "new", fine_tuned[task])
    )
    for name in ("architectures", "id2label", "label2id"):
        assert config.get(name) == expected.get(name)
    assert "problem_type" not in config
    assert "classifier_dropout" not in config


def test_the_names_are_those_of_google_research(original, tmp_path):
    source = original(DENSE)
    save_checkpoint(load_checkpoint(source), tmp_path / "new", "original")
    ours, theirs = (read_tensors(f / "bert_model.ckpt") for f in (tmp_path / "new", source))
    assert ours.keys() == theirs.keys()
    for name in DENSE:
        np.testing.assert_array_equal(ours[name], theirs[name])


@pytest.mark.filterwarnings("ignore:The checkpoint has no pooler")
@pytest.mark.parametrize(
    ("task", "problem_type"),
    [("token_classification", None), ("sequence_classification", "regression")],
)
def test_heads_that_google_research_has_not(fine_tuned, tmp_path, task, problem_type):
    checkpoint = load_checkpoint(fine_tuned[task])
    head = dataclasses.replace(checkpoint.head, problem_type=problem_type)
    with pytest.warns(UserWarning, match=f"will not use this {problem_type or task} head as"):
        save_checkpoint(dataclasses.replace(checkpoint, head=head), tmp_path / "new", "original")


def test_weights_and_head_of_a_checkpoint_fit_each_other(fine_tuned):
    checkpoint = load_checkpoint(fine_tuned["sequence_classification"])
    for head in (None, Head("question_answering")):
        with pytest.raises(
            ValueError, match=r"classifier.kernel, classifier.bias belong to the head of a f"
        ):
            dataclasses.replace(checkpoint, head=head)
    with pytest.raises(ValueError, match=r"kernel has 3 outputs, .* are 2 labels \(a, b\)"):
        dataclasses.replace(checkpoint, head=Head("token_classification", ("a", "b")))
    bare = checkpoint.weights.only(name for name in checkpoint.weights if "class" not in name)
    assert dataclasses.replace(checkpoint, head=None, weights=bare).parts == ("pooler",)
    with pytest.raises(ValueError, match=r"classifier.kernel has 0 outputs"):
        Checkpoint(checkpoint.config, None, None, bare, head=checkpoint.head)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ranking",), "task must be 'sequence_classification' or "),
        (
            ("sequence_classification",),
            "a list of str for the other tasks; got task='sequence_class",
        ),
        (("question_answering", ("a", "b")), "labels must be None for question_answering and"),
        (("token_classification", "ab"), "labels must be a sequence of at least one str, got 'ab'"),
        (("token_classification", {"a": 1}), "labels must be a sequence of at least one str"),
        (("token_classification", {"a"}), "labels must be a sequence of at least one str"),
        (("token_classification", ()), "labels must be a sequence of at least one str"),
        (("token_classification", ("a", 1)), "labels must be a sequence of at least one str"),
        (("token_classification", 3), "labels must be a sequence of at least one str, got 3"),
        (("token_classification", ("a", "b", "a")), "Labels must be unique, but 'a' is repeated"),
    ],
)
def test_heads_that_there_are_not(arguments, message):
    with pytest.raises(ValueError, match=message):
        Head(*arguments)
