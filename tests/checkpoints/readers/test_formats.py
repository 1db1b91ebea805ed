"""Which format a folder holds, and what is said of a folder that holds none."""

import shutil

import keras
import pytest

from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess, export_model
from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.checkpoints.readers import formats
from tests.process import DATA

ALL = {
    "tiny_tf1_hub": "TF1 Hub module",
    "tiny_tf2_hub": "TF2 Hub SavedModel",
    "tiny_original": "google-research/bert checkpoint",
    "tiny_huggingface": "Hugging Face folder (model.safetensors)",
}


@pytest.mark.parametrize(("folder", "name"), ALL.items())
def test_the_format_is_told_from_the_files(tmp_path, folder, name):
    copy = shutil.copytree(DATA / folder, tmp_path / "model.safetensors.zip")
    assert load_checkpoint(copy).format == name


@pytest.mark.parametrize("folder", ALL)
def test_every_format_holds_the_same_weights(tiny, folder):
    checkpoint = load_checkpoint(DATA / folder)
    assert checkpoint.config == tiny.config
    assert checkpoint.vocabulary == tiny.vocabulary
    for name, weight in tiny.weights.items():
        assert (checkpoint.weights[name] == weight).all(), name


def test_a_path_that_does_not_exist(tmp_path):
    missing = tmp_path / "google" / "bert"
    with pytest.raises(FileNotFoundError, match=rf"{missing} does not exist\. Pass a path that"):
        load_checkpoint(missing)


def test_a_file(tiny_module):
    with pytest.raises(NotADirectoryError, match=r"vocab\.txt is a file, not the folder"):
        load_checkpoint(tiny_module / "assets" / "vocab.txt")


def test_an_empty_folder(tmp_path):
    with pytest.raises(
        ValueError, match=rf"{tmp_path} does not contain a checkpoint: it is empty\.\nSupp"
    ):
        load_checkpoint(tmp_path)


def test_a_folder_with_something_else(tmp_path):
    (tmp_path / "0").mkdir()
    for i in range(1, 10):
        (tmp_path / f"{i}.txt").touch()
    with pytest.raises(
        ValueError, match=r"it contains 0/, 1.txt, .*, 7.txt and 2 more\.\nSupported"
    ):
        load_checkpoint(tmp_path)


def test_a_damaged_folder_of_the_user_is_not_to_be_deleted(module):
    (module / "saved_model.pb").unlink()
    with pytest.raises(ValueError, match=r"but no saved_model.pb\.") as caught:
        load_checkpoint(module)
    assert "elete" not in str(caught.value)


def test_the_error_lists_every_format(tmp_path):
    with pytest.raises(ValueError, match="does not contain a checkpoint") as caught:
        load_checkpoint(tmp_path)
    assert all(name.partition(" (")[0] in str(caught.value) for name in ALL.values())
    assert formats.READABLE in str(caught.value)


def test_a_checkpoint_one_folder_further_down(tmp_path):
    inner = shutil.copytree(DATA / "tiny_original", tmp_path / "chinese_L-12_H-768_A-12")
    with pytest.raises(ValueError, match=rf"Did you mean {inner}\?"):
        load_checkpoint(tmp_path)


def test_two_formats_in_one_folder(tmp_path):
    shutil.copytree(DATA / "tiny_huggingface", tmp_path, dirs_exist_ok=True)
    shutil.copytree(DATA / "tiny_original", tmp_path, dirs_exist_ok=True)
    with pytest.raises(ValueError, match=r"more than one .* folder and google-.* bert_model"):
        load_checkpoint(tmp_path)
    prefix = tmp_path / "bert_model.ckpt"
    assert load_checkpoint(prefix).format == "google-research/bert checkpoint"


def test_what_keras_wrote_says_what_it_is(tmp_path):
    config = BertConfig(vocab_size=21, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    encoder = BertEncoder(None, config=config)
    inputs = {"input_ids": keras.Input((None,), dtype="int32", name="input_ids")}
    model = keras.Model(inputs, encoder(inputs))
    model.export(tmp_path / "exported", verbose=False)
    export_model(encoder, tmp_path / "constant", "savedmodel")
    (tmp_path / "out").mkdir()
    model.save(tmp_path / "out" / "model.keras")
    model.save_weights(tmp_path / "out" / "own.weights.h5")
    expected = {
        "exported": r"exported is a SavedModel from Keras's model\.export\. .* not contain a ch",
        "constant": r"constant is a SavedModel from export_model\. .* not contain a checkpoint",
        "out/model.keras": r"it is a saved Keras model, not a .*keras\.saving\.load_model",
        "out/own.weights.h5": r"own.weights.h5 is an HDF5 file, .* load_weights\. Then save_",
        "out": r"not contain a checkpoint: .*\. model.keras is a saved Keras model, .*load_model",
    }
    for name, message in expected.items():
        for door in (load_checkpoint, BertEncoder, BertPreprocess):
            with pytest.raises((ValueError, NotADirectoryError), match=message) as caught:
                door(tmp_path / name)
            assert "transformer/layer_0" not in str(caught.value)


def test_files_of_other_programs_do_not_count(tmp_path):
    folder = shutil.copytree(DATA / "tiny_huggingface", tmp_path / "model")
    (folder / "passages.index").write_bytes(b"of another program")
    assert load_checkpoint(folder).format == "Hugging Face folder (model.safetensors)"


@pytest.mark.parametrize(
    ("file", "meant"),
    [
        ("tiny_original/bert_model.ckpt.index", "the prefix .*tiny_original/bert_model.ckpt"),
        ("tiny_original/bert_model.ckpt.data-00000-of-00001", "the prefix .*/bert_model.ckpt"),
        ("tiny_huggingface/model.safetensors", ".*tiny_huggingface"),
        ("tiny_tf2_hub/saved_model.pb", ".*tiny_tf2_hub"),
    ],
)
def test_a_file_of_a_checkpoint(file, meant):
    with pytest.raises(NotADirectoryError, match=rf"Did you mean {meant}\?"):
        load_checkpoint(DATA / file)


@pytest.mark.parametrize("name", ["tf_model.h5", "flax_model.msgpack", "pytorch_model.bin"])
def test_a_file_of_weights(tmp_path, name):
    folder = shutil.copytree(DATA / "tiny_huggingface", tmp_path / "model")
    shutil.copy(DATA / "weight_files" / name, folder)
    with pytest.raises((NotADirectoryError, ValueError), match=f"{folder / name}") as caught:
        load_checkpoint(folder / name)
    advice = (
        "pass the folder that contains this file" if "torch" in name else f"Did you mean {folder}?"
    )
    assert advice in str(caught.value)


def test_nothing_at_all():
    with pytest.raises(ValueError, match="got an empty string"):
        load_checkpoint("")


def test_safetensors_beside_a_pickle_are_read(tmp_path):
    folder = shutil.copytree(DATA / "tiny_huggingface", tmp_path / "model")
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch opened'\ntR.")
    assert load_checkpoint(folder).config.vocab_size == 718
