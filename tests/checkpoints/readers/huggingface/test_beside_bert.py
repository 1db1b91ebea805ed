"""What a folder holds beside its BERT: one warning at each door, from the command line too."""

import json
import warnings

import numpy as np
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess, load_checkpoint, save_checkpoint
from keras_bert_zh.__main__ import main

DOORS = pytest.mark.parametrize("door", [load_checkpoint, BertEncoder, BertPreprocess])

# A folder of sentence-transformers that has lost its list of modules.
LOST = {
    "sentence_bert_config.json": {"max_seq_length": 13, "do_lower_case": True},
    "config_sentence_transformers.json": {"similarity_fn_name": "cosine"},
    "1_Pooling/config.json": {"embedding_dimension": 32, "pooling_mode": "mean"},
}

# Heads that are no dense layer alone, by the class that has them, and tensors of theirs.
HEADS = {
    "BertForMultipleChoice": {"classifier.weight": (1, 32), "classifier.bias": (1,)},
    "BertCrfForNer": {"classifier.weight": (7, 32), "classifier.bias": (7,), "crf.start": (7,)},
    "BertTwoLayers": {"classifier.dense.weight": (32, 32), "classifier.out_proj.weight": (3, 32)},
    "BertWider": {"classifier.weight": (3, 64), "classifier.bias": (3,)},
    "BertHalf": {"qa_outputs.bias": (2,)},
    "BertBoth": {
        f"{name}.{kind}": shape
        for name in ("classifier", "qa_outputs")
        for kind, shape in (("weight", (2, 32)), ("bias", (2,)))
    },
}
LABELS = {
    "BertCrfForNer": ["O", *map("B-{}".format, range(6))],
    "BertTwoLayers": ["体育", "财经", "科技"],
}
SAID_LABELS = {
    "BertCrfForNer": "(id2label: O, B-0, B-1, B-2, B-3, B-4 and 1 more)",
    "BertTwoLayers": "(id2label: 体育, 财经, 科技)",
}


@pytest.fixture
def sentence_transformers(folder):
    """A function that makes the folder one of Sentence Transformers."""

    def make(files):
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(json.dumps(content))
        return folder

    return make


@pytest.fixture
def with_head(folder, raw, save, edit):
    """A function that gives the folder a head."""

    def make(model):
        save(raw | {name: np.ones(shape) for name, shape in HEADS[model].items()})
        labels = LABELS.get(model)
        edit(architectures=[model], **({"id2label": dict(enumerate(labels))} if labels else {}))
        return folder

    return make


def the_warning(door, folder):
    with warnings.catch_warnings(record=True, action="always") as caught:
        door(folder)
    (warning,) = caught
    return str(warning.message)


@DOORS
def test_files_of_sentence_transformers_that_are_not_read(sentence_transformers, door):
    folder = sentence_transformers(LOST)
    message = the_warning(door, folder)
    assert message.startswith(f"{folder} has files of Sentence Transformers, but no modules.json")
    listed = "sentence_bert_config.json, config_sentence_transformers.json, 1_Pooling"
    assert f"but these files are not: {listed}. Pass pooling to SentenceEncoder." in message


@pytest.mark.parametrize("name", LOST)
def test_one_file_of_sentence_transformers_is_enough(sentence_transformers, name):
    """Also one that holds something else than expected: it is not used."""
    folder = sentence_transformers({name: []})
    assert "has files of Sentence Transformers" in the_warning(load_checkpoint, folder)


def test_modules_without_pooling(sentence_transformers):
    folder = sentence_transformers({"modules.json": []})
    assert "but these files are not: modules.json." in the_warning(load_checkpoint, folder)


@pytest.mark.parametrize("model", HEADS)
def test_heads_that_are_not_read(with_head, model):
    folder = with_head(model)
    message = the_warning(load_checkpoint, folder)
    named = ", ".join(sorted(HEADS[model]))
    start = f"{folder / 'model.safetensors'}: the head of {model} is not read ({named})"
    assert message.startswith(start)
    assert SAID_LABELS.get(model, "). Train a new head on the outputs of BertEncoder.") in message


@DOORS
def test_a_head_is_told_of_at_each_door(with_head, door):
    assert "the head of BertCrfForNer is not read" in the_warning(door, with_head("BertCrfForNer"))


@pytest.mark.filterwarnings("default::UserWarning:keras_bert_zh")
@pytest.mark.parametrize("kind", ["pooling", "head"])
def test_convert_tells_once(sentence_transformers, with_head, tmp_path, capsys, kind):
    folder = sentence_transformers(LOST) if kind == "pooling" else with_head("BertCrfForNer")
    arguments = ["convert", str(folder), str(tmp_path / "new"), "--format", "huggingface"]
    assert main(arguments) == 0
    printed = capsys.readouterr().err
    assert printed.count("keras-bert-zh: warning: ") == 1
    assert "save_checkpoint and convert write the " in printed


def test_a_bert_alone_is_not_told_of(folder, tmp_path):
    with warnings.catch_warnings(action="error"):
        save_checkpoint(load_checkpoint(folder), tmp_path / "new")
        load_checkpoint(tmp_path / "new")
