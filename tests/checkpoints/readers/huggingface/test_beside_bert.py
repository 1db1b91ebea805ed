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

HEADS = {
    "BertForSequenceClassification": ("classifier", ["体育", "财经", "科技"]),
    "BertForTokenClassification": ("classifier", ["O", *map("B-{}".format, range(6))]),
    "BertForQuestionAnswering": ("qa_outputs", []),
}
LABELS = {
    "BertForSequenceClassification": "(id2label: 体育, 财经, 科技)",
    "BertForTokenClassification": "(id2label: O, B-0, B-1, B-2, B-3, B-4 and 1 more)",
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
def fine_tuned(folder, raw, save, edit):
    """A function that gives the folder a head."""

    def make(model):
        name, labels = HEADS[model]
        size = len(labels) or 2
        save(raw | {f"{name}.weight": np.ones((size, 32)), f"{name}.bias": np.ones(size)})
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
    assert f"the rest is not: {listed}. SentenceEncoder has to be told" in message


@pytest.mark.parametrize("name", LOST)
def test_one_file_of_sentence_transformers_is_enough(sentence_transformers, name):
    """Also one that holds something else than expected: it is not used."""
    folder = sentence_transformers({name: []})
    assert "has files of Sentence Transformers" in the_warning(load_checkpoint, folder)


def test_modules_without_pooling(sentence_transformers):
    folder = sentence_transformers({"modules.json": []})
    assert "the rest is not: modules.json." in the_warning(load_checkpoint, folder)


@DOORS
@pytest.mark.parametrize("model", HEADS)
def test_heads_of_fine_tuned_models(fine_tuned, model, door):
    folder = fine_tuned(model)
    message = the_warning(door, folder)
    name = HEADS[model][0]
    start = f"{folder / 'model.safetensors'}: the head of {model} is not read ({name}.bias, {name}."
    assert message.startswith(start)
    assert LABELS.get(model, ".weight). BertEncoder gives") in message


@pytest.mark.filterwarnings("default::UserWarning:keras_bert_zh")
@pytest.mark.parametrize("kind", ["pooling", "head"])
def test_convert_tells_once(sentence_transformers, fine_tuned, tmp_path, capsys, kind):
    if kind == "pooling":
        folder = sentence_transformers(LOST)
    else:
        folder = fine_tuned("BertForSequenceClassification")
    arguments = ["convert", str(folder), str(tmp_path / "new"), "--format", "huggingface"]
    assert main(arguments) == 0
    printed = capsys.readouterr().err
    assert printed.count("keras-bert-zh: warning: ") == 1
    assert "save_checkpoint and convert write the " in printed


def test_a_bert_alone_is_not_told_of(folder, tmp_path):
    with warnings.catch_warnings(action="error"):
        save_checkpoint(load_checkpoint(folder), tmp_path / "new")
        load_checkpoint(tmp_path / "new")
