import re
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.commands.shown import shown
from tests.relatives import folder_of
from tests.sentence_transformers import copy_of
from tests.tensors import read_tensors, write_tensors


def change(folder, name, amount):
    prefix = folder / "bert_model.ckpt"
    tensors = read_tensors(prefix)
    tensors[name] = tensors[name] + np.float32(amount)
    write_tensors(prefix, tensors)


def test_verify_finds_a_difference(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    change(folder, "bert/pooler/dense/bias", 0.001)
    status, output, _ = run("verify", data / "tiny_original", folder)
    assert status == 1
    assert shown(output)["pooled_output"].endswith("DIFFERENT")
    assert shown(output)["sequence_output"].endswith("same")
    assert run("verify", data / "tiny_original", folder, "--tolerance", 0.01)[0] == 0


def test_verify_compares_vocabularies(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    lines = (folder / "vocab.txt").read_text().split("\n")
    lines[200], lines[201] = lines[201], lines[200]
    (folder / "vocab.txt").write_text("\n".join(lines))
    status, output, _ = run("verify", data / "tiny_original", folder)
    assert status == 1
    assert shown(output)["vocabulary"] == "DIFFERENT"


@pytest.mark.filterwarnings("ignore:The checkpoint has no weights for the pooler")
def test_verify_compares_every_task_type(run, tmp_path):
    folder = shutil.copytree(folder_of("ernie"), tmp_path / "model")
    assert run("verify", folder_of("ernie"), folder)[0] == 0
    tensors = load_file(folder / "model.safetensors")
    tensors["ernie.embeddings.task_type_embeddings.weight"][2, 0] += 0.1
    save_file(tensors, folder / "model.safetensors")
    status, output, _ = run("verify", folder_of("ernie"), folder)
    assert status == 1
    assert shown(output)["sequence_output"].endswith("DIFFERENT")


@pytest.mark.filterwarnings("ignore:.* has files of Sentence Transformers, but no modules.json")
def test_verify_compares_how_vectors_are_made(run, tmp_path):
    places = [copy_of(kind, tmp_path / kind) for kind in ("cls", "mean")]
    status, output, _ = run("verify", *places)
    assert status == 1
    assert shown(output)["pooling"] == "DIFFERENT"
    (places[1] / "modules.json").unlink()
    status, output, _ = run("verify", *places)
    assert status == 0  # Another format may have no place for it.
    assert shown(output)["pooling"] == "only in A"


def test_verify_is_not_fooled_by_numbers_that_are_none(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    change(folder, "bert/embeddings/LayerNorm/beta", np.nan)
    assert run("verify", data / "tiny_original", folder)[0] == 1


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--seed", "-1", "--seed must be an int of at least 0, got -1."),
        ("--tolerance", "nan", "--tolerance must be a number of at least 0, got nan."),
    ],
)
def test_verify_looks_at_its_options_first(run, option, value, message):
    """Before the checkpoints, which may be far away."""
    status, _, errors = run("verify", "nothing", "nothing", f"{option}={value}")
    assert (status, errors) == (2, f"keras-bert-zh: error: {message}\n")


def test_verify_compares_heads(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    change(folder, "cls/predictions/output_bias", 1)
    status, output, _ = run("verify", data / "tiny_original", folder)
    assert status == 1
    assert shown(output)["masked_lm"].endswith("DIFFERENT")
    assert shown(output)["next_sentence"].endswith("same")


@pytest.mark.filterwarnings("ignore:google-research/bert only has classifiers")
@pytest.mark.filterwarnings("ignore:The checkpoint has no pooler")
def test_verify_compares_heads_of_fine_tuned_models(run, fine_tuned, tmp_path):
    source = fine_tuned["token_classification"]
    convert = ["convert", source, tmp_path / "new", "--format", "original"]
    assert run(*convert)[0] == 0
    status, output, _ = run("verify", source, tmp_path / "new")
    assert (status, shown(output)["head"]) == (0, "same")
    assert re.fullmatch(r"0\s+same", shown(output)["classifier"])
    path = tmp_path / "new" / "bert_config.json"
    path.write_text(path.read_text().replace("B-LOC", "B-ORG"))
    status, output, _ = run("verify", source, tmp_path / "new")
    assert (status, shown(output)["head"]) == (1, "DIFFERENT")
    other = fine_tuned["sequence_classification"]
    status, output, _ = run("verify", source, other)
    assert status == 1
    assert shown(output)["classifier"].endswith("DIFFERENT")
    tensors = load_file(other / "model.safetensors")
    bare = {name: tensor for name, tensor in tensors.items() if name.startswith("bert.")}
    without = shutil.copytree(other, tmp_path / "without")
    save_file(bare, without / "model.safetensors")
    status, output, _ = run("verify", other, without)
    assert (status, shown(output)["head"]) == (1, "only in A")


def test_verify_says_what_only_one_of_them_has(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    (folder / "vocab.txt").unlink()
    status, output, _ = run("verify", data / "tiny_original", folder)
    assert status == 1
    assert shown(output)["vocabulary"] == "only in A"
    status, output, _ = run("verify", data / "tiny_huggingface", data / "tiny_tf1_hub")
    assert status == 1
    assert shown(output)["next_sentence"] == "only in A"
    assert shown(output)["lowercase"] == "only in B"


def test_verify_refuses_models_of_different_sizes(run, data, tmp_path):
    folder = shutil.copytree(data / "tiny_original", tmp_path / "model")
    tensors = read_tensors(folder / "bert_model.ckpt")
    name = "bert/embeddings/position_embeddings"
    write_tensors(folder / "bert_model.ckpt", tensors | {name: tensors[name][:48]})
    config = folder / "bert_config.json"
    config.write_text(config.read_text().replace("64", "48"))
    status, _, errors = run("verify", data / "tiny_original", folder)
    assert status == 2
    assert "has max_position_embeddings=64 and" in errors
    assert "has max_position_embeddings=48" in errors
