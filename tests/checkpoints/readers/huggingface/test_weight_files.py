"""Weights in every kind of file: the same values, and the safest of those that are there."""

import json
import os
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from keras_bert_zh import BertEncoder, MaskedLM, load_checkpoint, save_checkpoint
from tests.checkpoints.readers.damage import attempt
from tests.checkpoints.readers.torch_writer import write_state_dict
from tests.encoder.common import difference, report
from tests.process import DATA

# What Transformers and torch wrote of the same weights, by the names in tests/fixtures.
FILES = {
    "tf_model.h5": "tf_model.h5",
    "flax_model.msgpack": "flax_model.msgpack",
    "pytorch_model.bin": "pytorch_model.bin",
    "pytorch_model_before_1.6.bin": "pytorch_model.bin",
}
KINDS = pytest.mark.parametrize("kind", FILES)
SAFEST_FIRST = ["model.safetensors", *dict.fromkeys(FILES.values())]


@pytest.fixture
def replace(folder):
    """A function that puts a file of weights in the place of safetensors; returns its path."""

    def replace(kind):
        (folder / "model.safetensors").unlink()
        return shutil.copy(DATA / "weight_files" / kind, folder / FILES[kind])

    return replace


@KINDS
def test_parity_with_the_original_graph(folder, replace, inputs, golden, kind):
    replace(kind)
    checkpoint = load_checkpoint(folder)
    model = MaskedLM(BertEncoder(checkpoint, padding_free=False), checkpoint)
    outputs = dict(model.encoder(inputs, as_dict=True))
    logits = model(inputs | {"mlm_positions": golden["mlm_positions"]})
    outputs["mlm_logits"] = np.reshape(logits, (6, 718))
    for key, output in outputs.items():
        largest = difference(output, golden[key])
        report(kind, key, largest)
        assert largest < 1e-5


@KINDS
def test_what_they_hold(folder, replace, data, kind):
    path = replace(kind)
    checkpoint = load_checkpoint(folder)
    assert checkpoint.format == f"Hugging Face folder ({path.name})"
    assert checkpoint.missing == ("lowercase",)
    original = load_checkpoint(data / "tiny_original")
    assert list(checkpoint.weights) == list(original.weights)
    for name, weight in original.weights.items():
        np.testing.assert_array_equal(checkpoint.weights[name], weight, err_msg=name)


@KINDS
def test_files_that_are_cut_off_are_refused_whatever_is_read_of_them(folder, replace, kind):
    path = replace(kind)
    size = path.stat().st_size
    for end in (size - 1, size - 300, size * 2 // 3, 2000, 5, 0):
        os.truncate(path, end)
        with pytest.raises(ValueError, match=f"{path} can't be read: "):
            BertEncoder(folder)


@KINDS
def test_flipped_bits_are_an_error_that_names_the_file_or_another_number(folder, replace, kind):
    path = replace(kind)
    content = path.read_bytes()
    places = np.random.default_rng(0).integers(0, min(len(content), 12_000), 60)
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(place) % 8
        path.write_bytes(damaged)
        _, message = attempt(folder)
        assert message is None or str(folder) in message


def test_the_safest_is_taken(folder):
    for kind, file in FILES.items():
        shutil.copy(DATA / "weight_files" / kind, folder / file)
    for name in SAFEST_FIRST:
        assert load_checkpoint(folder).format == f"Hugging Face folder ({name})"
        (folder / name).unlink()


@pytest.mark.parametrize("name", SAFEST_FIRST)
def test_no_other_is_taken_where_the_safest_is_damaged(folder, name):
    for kind, file in FILES.items():
        shutil.copy(DATA / "weight_files" / kind, folder / file)
    for safer in SAFEST_FIRST[: SAFEST_FIRST.index(name)]:
        (folder / safer).unlink()
    os.truncate(folder / name, 1000)
    with pytest.raises(ValueError, match=f"{folder / name} can't be read: "):
        load_checkpoint(folder)


def sharded(folder, tensors, suffix=".bin"):
    (folder / "model.safetensors").unlink(missing_ok=True)
    place = {}
    for number in (1, 2):
        part = dict(list(tensors.items())[number - 1 :: 2])
        file = f"pytorch_model-0000{number}-of-00002{suffix}"
        write_state_dict(folder / file, part, before_zip=number == 2)
        place |= dict.fromkeys(part, file)
    index = folder / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": place}))
    return index


def test_shards_of_torch(folder, raw, data):
    index = sharded(folder, raw)
    checkpoint = load_checkpoint(folder)
    assert checkpoint.format == f"Hugging Face folder ({index.name})"
    for name, weight in load_checkpoint(data / "tiny_original").weights.items():
        np.testing.assert_array_equal(checkpoint.weights[name], weight, err_msg=name)


def test_a_shard_that_is_missing_damaged_or_of_another_kind(folder, raw):
    index = sharded(folder, raw)
    second = folder / "pytorch_model-00002-of-00002.bin"
    os.truncate(second, second.stat().st_size - 1)
    with pytest.raises(ValueError, match=f"{second} can't be read"):
        load_checkpoint(folder)
    second.unlink()
    with pytest.raises(ValueError, match=f"{index} names '{second.name}', which is not a file"):
        load_checkpoint(folder)
    index = sharded(folder, raw, ".h5")
    with pytest.raises(ValueError, match=rf"{index} names 'pytorch_model-00001-of-00002\.h5'"):
        load_checkpoint(folder)


def test_a_tensor_in_two_shards(folder, raw):
    sharded(folder, raw)
    write_state_dict(folder / "pytorch_model-00002-of-00002.bin", dict(list(raw.items())[:3]))
    with pytest.raises(ValueError, match=r"contains .*, which another file already contains"):
        load_checkpoint(folder)


@KINDS
def test_a_tensor_that_does_not_fit_is_named(folder, replace, edit, kind):
    path = replace(kind)
    edit(intermediate_size=129)
    with pytest.raises(ValueError, match=f"{path} does not contain the BERT") as caught:
        load_checkpoint(folder)
    shape = "[32, 128], expected [32, 129]" if "torch" not in kind else "[128, 32], expected [129,"
    assert f"bert.encoder.layer.0.intermediate.dense.weight is {shape}" in str(caught.value)


def test_weights_converted_where_their_checkpoint_lies(tmp_path):
    """As many Chinese models came to be, often without a config.json."""
    folder = shutil.copytree(DATA / "tiny_original", tmp_path / "model")
    shutil.copy(DATA / "weight_files" / "pytorch_model.bin", folder)
    assert load_checkpoint(folder).format == "google-research/bert checkpoint"


@KINDS
def test_what_was_read_is_written_as_safetensors(folder, replace, raw, tmp_path, kind):
    replace(kind)
    save_checkpoint(load_checkpoint(folder), tmp_path / "written")
    written = load_file(tmp_path / "written" / "model.safetensors")
    assert written.keys() == raw.keys()
    assert all(np.array_equal(written[name], raw[name]) for name in raw)
