"""Presets that Keras Hub wrote, and what it computes from them."""

import json
import os
import shutil
import warnings

import h5py
import numpy as np
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess, MaskedLM, load_checkpoint
from keras_bert_zh.heads.masked_lm_head import MaskedLMHead
from tests.encoder.common import difference

pytestmark = pytest.mark.filterwarnings("ignore:.*BertMaskedLM of Keras Hub computes")

BLOCK = "layers/transformer_encoder_1/_self_attention_layer"


@pytest.fixture
def folder(tmp_path, data):
    return shutil.copytree(data / "keras_hub_preset", tmp_path / "preset")


@pytest.fixture(scope="module")
def checkpoint(data):
    with warnings.catch_warnings(action="ignore"):
        return load_checkpoint(data / "keras_hub_preset")


@pytest.fixture(scope="module")
def golden(data):
    with np.load(data / "keras_hub_preset_golden.npz") as arrays:
        return dict(arrays)


@pytest.fixture
def inputs(golden):
    return {
        "input_ids": golden["token_ids"],
        "input_mask": golden["padding_mask"].astype("int32"),
        "segment_ids": golden["segment_ids"],
    }


def edit(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def edit_config(path, **fields):
    edit(path, config=json.loads(path.read_text())["config"] | fields)


def test_what_is_read(checkpoint):
    assert checkpoint.format == "Keras Hub preset"
    config = checkpoint.config
    sizes = (config.vocab_size, config.hidden_size, config.num_hidden_layers)
    assert sizes == (26, 32, 2)
    assert (config.num_attention_heads, config.intermediate_size) == (4, 48)
    assert (config.max_position_embeddings, config.type_vocab_size) == (20, 3)
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.2, 0.2)
    assert (config.hidden_act, config.layer_norm_eps) == ("gelu_tanh", 1e-12)
    assert (checkpoint.lowercase, len(checkpoint.vocabulary)) == (True, 26)
    assert checkpoint.missing == ("next_sentence",)
    assert checkpoint.leftovers == ("task/optimizer/vars/0", "task/optimizer/vars/1")


def test_outputs_are_those_of_keras_hub(checkpoint, golden, inputs):
    outputs = BertEncoder(checkpoint)(inputs, as_dict=True)
    real = golden["padding_mask"]
    found = {
        "sequence_output": difference(
            np.asarray(outputs["sequence_output"])[real], golden["sequence_output"][real]
        ),
        "pooled_output": difference(outputs["pooled_output"], golden["pooled_output"]),
    }
    print(found)
    assert max(found.values()) < 1e-5


def test_the_head_is_that_of_keras_hub(checkpoint, golden, inputs):
    """With the activation and the epsilon that are fixed there; nearly, with the encoder's."""
    tokens = {**inputs, "mlm_positions": golden["mask_positions"]}
    model = MaskedLM(BertEncoder(checkpoint), checkpoint)
    print("as MaskedLM", difference(model(tokens), golden["logits"]))
    assert 1e-4 < difference(model(tokens), golden["logits"]) < 1e-2
    theirs = MaskedLMHead(vocab_size=26, hidden_size=32, activation="gelu_erf", epsilon=1e-5)
    theirs.build(None)
    for variable, value in zip(theirs.weights, model.masked_lm.weights, strict=True):
        variable.assign(value)
    sequence = model.encoder(inputs, output_key="sequence_output")
    logits = theirs(sequence, golden["mask_positions"], model.encoder.embeddings.word.embeddings)
    print("as theirs", difference(logits, golden["logits"]))
    assert difference(logits, golden["logits"]) < 1e-5


def test_tokens_are_those_of_the_original(checkpoint, golden):
    """Keras Hub folds the comma to another, which this vocabulary lacks."""
    tokens = BertPreprocess(checkpoint, max_length=16)(golden["texts"].tolist())["input_ids"]
    comma = checkpoint.vocabulary.index("，")
    differ = np.asarray(tokens) != golden["token_ids"]
    assert np.asarray(tokens)[differ].tolist() == [comma]
    assert golden["token_ids"][differ].tolist() == [checkpoint.vocabulary.index("[UNK]")]


def test_a_head_with_other_computations_is_told_of(folder):
    with pytest.warns(UserWarning, match="with the exact GELU and an epsilon of 1e-05") as caught:
        load_checkpoint(folder)
    assert len(caught) == 1


def test_a_text_classifier(folder):
    edit(folder / "task.json", class_name="BertTextClassifier")
    with h5py.File(folder / "task.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.ones((32, 3), "float32")
        file["layers/dense/vars/1"] = np.ones(3, "float32")
    message = r"task\.weights\.h5: the head of BertTextClassifier is not read"
    with pytest.warns(UserWarning, match=message) as caught:
        checkpoint = load_checkpoint(folder)
    assert len(caught) == 1
    assert checkpoint.leftovers == ("task/layers/dense/vars/0", "task/layers/dense/vars/1")
    assert checkpoint.missing == ("masked_lm", "next_sentence")


def test_a_backbone_as_older_releases_wrote_it(folder, checkpoint):
    """KerasNLP 0.9 under Keras 3.1, and the name of a group under Keras 2."""
    path = folder / "config.json"
    fields = json.loads(path.read_text())
    del fields["config"]["dtype"]
    fields |= {"registered_name": "keras_nlp>BertBackbone", "assets": [], "weights": "x"}
    path.write_text(json.dumps(fields))
    edit_config(folder / "tokenizer.json", dtype="int32")
    for name in ("task.json", "task.weights.h5", "preprocessor.json", "metadata.json"):
        (folder / name).unlink()
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        file.move("layers", "_layer_checkpoint_dependencies")
    found = load_checkpoint(folder)
    assert found.config == checkpoint.config
    for name, weight in found.weights.items():
        np.testing.assert_array_equal(weight, checkpoint.weights[name], err_msg=name)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_other_floats(folder, checkpoint, dtype):
    import ml_dtypes

    with h5py.File(folder / "model.weights.h5", "r+") as file:
        group = file["layers/dense/vars"]
        value = group["0"][()]
        del group["0"]
        if dtype == "bfloat16":  # As Keras writes it.
            value = value.astype(ml_dtypes.bfloat16)
        group.create_dataset("0", data=value if dtype == "bfloat16" else value.astype(dtype))
        if dtype == "bfloat16":
            group["0"].attrs["dtype"] = "bfloat16"
    found = load_checkpoint(folder).weights["pooler.dense.kernel"]
    assert found.dtype.name == dtype
    assert difference(found, checkpoint.weights["pooler.dense.kernel"]) < 4e-3


@pytest.mark.parametrize(
    ("file", "fields", "message"),
    [
        ("config.json", {"class_name": "RobertaBackbone"}, "this preset is not a BERT model"),
        ("config.json", {"config": [1]}, r"config must be a JSON object, got \[1\]"),
        ("config.json", {"config": {"num_layers": 2}}, r"config must have vocabulary_size, hid"),
        ("config.json", {"keras_bert_zh": 1}, r"keras_bert_zh must be a JSON object, got 1"),
        ("config.json", {"keras_bert_zh": {"config": {}}}, "parts must be a JSON array, got None"),
        ("tokenizer.json", {"config": {"lowercase": "yes"}}, "lowercase must be true or false"),
    ],
)
def test_files_that_say_something_else(folder, file, fields, message):
    edit(folder / file, **fields)
    with pytest.raises(ValueError, match=rf"{folder / file}: .*{message}"):
        load_checkpoint(folder)


def test_sizes_that_do_not_fit(folder):
    edit_config(folder / "config.json", num_heads=2, intermediate_dim=64)
    with pytest.raises(ValueError, match=r"does not contain the BERT that config\.json") as caught:
        load_checkpoint(folder)
    assert f"misshapen: {BLOCK}/query_dense/vars/0 is [32, 4, 8], expe" in str(caught.value)
    assert "_feedforward_intermediate_dense/vars/0 is [32, 48], expected [32, 64]" in str(
        caught.value
    )


def test_a_head_that_is_not_there(folder):
    (folder / "task.weights.h5").unlink()
    with pytest.raises(ValueError, match=r"5 found:\n  missing: task/layers/masked_lm_head/_int"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"oov_token": "[OOV]"}, r"oov_token='\[OOV\]', which BertPreprocess does not support"),
        ({"split": False}, "split=False"),
        ({"special_tokens_in_strings": True}, "special_tokens_in_strings=True"),
    ],
)
def test_another_tokeniser_is_told_of(folder, settings, message):
    edit_config(folder / "tokenizer.json", **settings)
    with pytest.warns(UserWarning, match=message):
        load_checkpoint(folder)


def test_without_a_tokeniser(folder):
    shutil.rmtree(folder / "assets")
    (folder / "tokenizer.json").unlink()
    assert load_checkpoint(folder).missing == ("vocabulary", "lowercase", "next_sentence")


@pytest.mark.parametrize("name", ["model.weights.h5", "task.weights.h5"])
def test_a_file_that_was_cut_off(folder, name):
    """Also where what is missing is only the optimiser's, or padding."""
    path = folder / name
    size = path.stat().st_size
    for length in (size - 1, size - 8, size // 2, 100, 8, 0):
        os.truncate(path, length)
        with pytest.raises(ValueError, match=rf"{path} can't be read: .*"):
            load_checkpoint(folder)


def test_values_in_other_files(folder, tmp_path):
    """They could be any file of this machine."""
    (tmp_path / "secret").write_bytes(bytes(4096))
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        del file["layers/dense/vars/1"]
        file["layers/dense/vars"].create_dataset(
            "1", (32,), "float32", external=[(str(tmp_path / "secret"), 0, 128)]
        )
    with pytest.raises(
        ValueError, match="its layers/dense/vars/1 is compressed, chunked, stored in another"
    ):
        load_checkpoint(folder)
    for link in (h5py.ExternalLink("other.h5", "/x"), h5py.SoftLink("/layers/dense/vars/0")):
        with h5py.File(folder / "model.weights.h5", "r+") as file:
            del file["layers/dense/vars/1"]
            file["layers/dense/vars/1"] = link
        with pytest.raises(ValueError, match=r"1 found:\n  missing: layers/dense/vars/1"):
            load_checkpoint(folder)


def test_numbers_that_are_not_finite(folder):
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        file["layers/dense/vars/1"][3] = np.nan
    with pytest.raises(ValueError, match="layers/dense/vars/1 has NaN or infinite values"):
        load_checkpoint(folder)


def test_a_file_that_changes_later(folder):
    checkpoint = load_checkpoint(folder)
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        file["layers/dense/vars/1"][3] = 1
    os.utime(folder / "model.weights.h5", ns=(1, 1))
    with pytest.raises(ValueError, match="has changed since the checkpoint was opened"):
        checkpoint.weights["pooler.dense.bias"]


def test_what_else_may_have_been_meant(folder):
    for name in ("model.weights.h5", "task.weights.h5"):
        with pytest.raises(NotADirectoryError, match=rf"Did you mean {folder}\?"):
            load_checkpoint(folder / name)
    (folder / "model.weights.h5").rename(folder / "model_00000.weights.h5")
    (folder / "model.weights.json").write_text("{}")
    with pytest.raises(ValueError, match=r"The shards of a Keras Hub preset .*max_shard_size=None"):
        load_checkpoint(folder)
