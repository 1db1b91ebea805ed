import json
import re
import shutil

import pytest

from keras_bert_zh.checkpoints import load_checkpoint
from tests.commands.shown import shown
from tests.sentence_transformers import copy_of, edit
from tests.tensors import read_tensors, write_tensors


def test_inspect(run, data):
    status, output, _ = run("inspect", data / "tiny_original")
    rows = shown(output)
    assert status == 0
    assert rows["format"] == "google-research/bert checkpoint"
    assert rows["hidden_size"] == "32"
    assert rows["hidden_act"] == "gelu_tanh"
    assert rows["heads"] == "pooler, masked_lm, next_sentence"
    assert rows["vocabulary"] == "718 tokens"
    assert rows["lowercase"] == "not said"
    assert rows["missing"] == "lowercase"
    assert rows["tensors"] == "46 of float32"
    assert rows["not of BERT"] == "nothing"
    assert rows["parameters"] == "53,520"


@pytest.mark.filterwarnings("ignore:.* steps that this package does not support:UserWarning")
def test_inspect_shows_how_vectors_are_made(run, data, tmp_path):
    folder = copy_of("cls", tmp_path / "model")
    prompts = {"query": "查询：", "passage": ""}
    path = folder / "config_sentence_transformers.json"
    edit(path, prompts=prompts, default_prompt_name="query")
    said = "cls, scaled to length 1, at most 12 tokens; prompt 'query', by default: '查询：'; "
    output = run("inspect", folder)[1]
    assert "".join((said + "prompt 'passage': ''").split()) in "".join(output.split())
    found = json.loads(run("inspect", folder, "--json")[1])["pooling"]
    assert (found["mode"], found["max_length"], found["prompts"]) == ("cls", 12, prompts)
    edit(folder / "1_Pooling" / "config.json", pooling_mode="weightedmean")
    output = run("inspect", folder)[1]
    assert "notcomputedhere:poolingby'weightedmean'" in "".join(output.split())
    output = run("inspect", data / "tiny_original")[1]
    assert shown(output)["pooling"] == "not said"


def test_inspect_of_fine_tuned_models(run, fine_tuned):
    rows = shown(run("inspect", fine_tuned["token_classification"])[1])
    assert rows["task"] == "token_classification"
    assert rows["labels"] == "O, B-PER, I-PER, B-LOC, I-LOC"
    assert rows["heads"] == "classifier"
    rows = shown(run("inspect", fine_tuned["question_answering"])[1])
    assert rows["task"] == "question_answering"
    assert "labels" not in rows
    found = json.loads(run("inspect", fine_tuned["sequence_classification"], "--json")[1])
    labels = ["体育", "财经", "科技"]
    assert found["head"] == {
        "task": "sequence_classification",
        "labels": labels,
        "problem_type": None,
        "dropout": None,
    }


def test_inspect_tells_the_kind_of_labels(run, fine_tuned, tmp_path):
    folder = shutil.copytree(fine_tuned["sequence_classification"], tmp_path / "model")
    path = folder / "config.json"
    fields = json.loads(path.read_text()) | {"problem_type": "multi_label_classification"}
    path.write_text(json.dumps(fields))
    assert shown(run("inspect", folder)[1])["problem_type"] == "multi_label_classification"


def test_inspect_as_json(run, data):
    status, output, _ = run("inspect", data / "tiny_tf1_hub", "--json")
    found = json.loads(output)
    checkpoint = load_checkpoint(data / "tiny_tf1_hub")
    assert status == 0
    assert found["source"] == str(data / "tiny_tf1_hub")
    assert found["config"] == checkpoint.config.to_dict()
    assert found["missing"] == ["next_sentence"]
    assert found["lowercase"] is True
    assert {tensor["name"]: tuple(tensor["shape"]) for tensor in found["tensors"]} == (
        checkpoint.weights.shapes
    )
    assert found["parameters"] == sum(weight.size for weight in checkpoint.weights.values())


@pytest.mark.parametrize("name", ["tf_model.h5", "flax_model.msgpack", "pytorch_model.bin"])
def test_inspect_names_the_file_of_weights(run, data, tmp_path, name):
    folder = shutil.copytree(data / "tiny_huggingface", tmp_path / "model")
    (folder / "model.safetensors").unlink()
    shutil.copy(data / "weight_files" / name, folder)
    status, output, _ = run("inspect", folder)
    assert status == 0
    assert shown(output)["format"] == f"Hugging Face folder ({name})"
    assert shown(output)["heads"] == "pooler, masked_lm, next_sentence"


def test_inspect_names_what_is_beside_bert(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    tensors = read_tensors(folder / "bert_model.ckpt")
    slots = {f"{name}/adam_m": tensor for name, tensor in tensors.items()}
    write_tensors(folder / "bert_model.ckpt", tensors | slots)
    (folder / "vocab.txt").unlink()
    _, output, _ = run("inspect", folder)
    assert re.search(r"not of BERT .*adam_m,(.|\n)* and 40\s+more", output)
    assert shown(output)["vocabulary"] == "not there"
    assert shown(output)["missing"] == "vocabulary, lowercase"


def test_brackets_are_no_markup(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "q[" / "b]")
    status, output, _ = run("inspect", folder)
    assert status == 2  # TensorFlow takes them for a pattern.
    folder = shutil.copytree(data / "tiny_huggingface", tmp_path / "[red]q[" / "b]")
    status, output, _ = run("inspect", folder)
    assert status == 0
    assert "[red]q[" in output.replace("\n", "")
