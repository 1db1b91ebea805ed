import json
import shutil
import warnings

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import load_checkpoint, save_checkpoint
from tests.checkpoints.writers.variants import assert_same, variant
from tests.encoder.common import difference
from tests.folders import contents
from tests.tensors import read_tensors

PREFIX = "bert_model.ckpt"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


@pytest.fixture(scope="module")
def full(data):
    """A checkpoint with every head."""
    return load_checkpoint(data / "tiny_original")


def save(checkpoint, folder):
    """Saves it; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return save_checkpoint(checkpoint, folder, "original")


def change(folder, **fields):
    path = folder / "bert_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("lowercase", [True, False, None])
@pytest.mark.parametrize(
    "heads", [("pooler",), ("pooler", "masked_lm"), ("pooler", "masked_lm", "next_sentence")]
)
def test_what_is_read_back_is_what_was_written(full, folder, heads, lowercase):
    checkpoint = variant(
        full, heads=heads, lowercase=lowercase, hidden_act="relu", hidden_dropout_prob=0.3
    )
    assert_same(load_checkpoint(save(checkpoint, folder)), checkpoint)


def test_the_files_are_those_of_the_original(full, folder, data):
    save(full, folder)
    original = data / "tiny_original"
    assert list(contents(folder)) == [
        "bert_config.json",
        f"{PREFIX}.data-00000-of-00001",
        f"{PREFIX}.index",
        "checkpoint",
        "vocab.txt",
    ]
    for name in ("checkpoint", "vocab.txt"):
        assert (folder / name).read_bytes() == (original / name).read_bytes()
    assert tf.train.latest_checkpoint(folder) == str(folder / PREFIX)
    tensors, originals = read_tensors(folder / PREFIX), read_tensors(original / PREFIX)
    assert tensors.keys() == originals.keys()
    for name, tensor in originals.items():
        assert tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(tensors[name], tensor, err_msg=name)


def test_the_configuration_has_the_original_fields_alone(full, folder, data):
    save(full, folder)
    fields = json.loads((folder / "bert_config.json").read_text())
    originals = json.loads((data / "tiny_original" / "bert_config.json").read_text())
    # Google's files hold these, too, which nothing ever read.
    unused = {name for name in originals if name.startswith("pooler_")} | {"directionality"}
    assert fields == {name: value for name, value in originals.items() if name not in unused}


def test_what_the_original_can_not_express_is_kept_and_warned_of(full, folder):
    checkpoint = variant(full, heads=("masked_lm",), hidden_act="gelu_erf", layer_norm_eps=1e-7)
    with pytest.warns(UserWarning, match="google-research/bert") as caught:
        save_checkpoint(checkpoint, folder, "original")
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == 3
    assert "no exact GELU: its code will use the tanh approx" in messages[0]
    assert (
        "always uses layer_norm_eps=1e-12: its code will ignore layer_norm_eps=1e-07" in messages[1]
    )
    assert "no pooler, but the model of google-research/bert needs one" in messages[2]
    assert {warning.filename for warning in caught} == {__file__}
    fields = json.loads((folder / "bert_config.json").read_text())
    assert fields["hidden_act"] == "gelu"
    added = {"gelu": "erf", "layer_norm_eps": 1e-7, "pooler": False}
    assert {name: fields[name] for name in added} == added
    assert_same(load_checkpoint(folder), checkpoint)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"gelu": "sigmoid"}, r"gelu must be one of \('tanh', 'erf'\), got 'sigmoid'"),
        ({"gelu": ["erf"]}, r"gelu must be one of .*, got \['erf'\]"),
        ({"do_lower_case": "yes"}, r"do_lower_case must be one of .*, got 'yes'"),
        ({"pooler": None}, r"pooler must be one of \(True, False\), got None"),
        ({"layer_norm_eps": 0}, r"layer_norm_eps must be a positive number, got 0"),
    ],
)
def test_added_fields_that_make_no_sense(full, folder, fields, message):
    change(save(full, folder), **fields)
    with pytest.raises(ValueError, match=rf"{folder}/bert_config\.json: {message}"):
        load_checkpoint(folder)


def test_a_pooler_is_missed_unless_the_file_says_that_there_is_none(full, folder):
    with pytest.warns(UserWarning, match="no pooler"):
        save_checkpoint(variant(full, heads=()), folder, "original")
    assert load_checkpoint(folder).missing == ("lowercase", "pooler", "masked_lm", "next_sentence")
    change(folder, pooler=True)
    with pytest.raises(ValueError, match=r"2 found:\n  missing: bert/pooler/dense/kernel"):
        load_checkpoint(folder)


def test_no_vocabulary(full, folder):
    checkpoint = variant(full, vocabulary=None)
    with pytest.warns(UserWarning, match="was written without a vocabulary"):
        save_checkpoint(checkpoint, folder, "original")
    assert_same(load_checkpoint(folder), checkpoint)
    assert not (folder / "vocab.txt").exists()


def test_rows_without_a_token(full, folder):
    name = "embeddings.word.embeddings"
    checkpoint = variant(
        full,
        heads=(),
        vocabulary=full.vocabulary[:700],
        weights={name: full.weights[name][:704]},
        vocab_size=704,
    )
    with pytest.raises(
        ValueError, match=r"has 700 tokens, but the word embeddings have 704 rows: this f"
    ):
        save(checkpoint, folder)
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["bert[zh]", "a*", "b?/model"])
def test_a_path_that_tensorflow_takes_for_a_pattern(full, tmp_path, name):
    with pytest.raises(ValueError, match=r"path of a checkpoint as wildcards\. Choose another p"):
        save(full, tmp_path / name)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["gelu_tanh", "gelu_erf"])
@pytest.mark.filterwarnings("ignore:google-research/bert has no exact GELU")
def test_the_original_code_computes_the_same(full, tmp_path, data, golden, activation):
    """From a checkpoint with the other GELU too, as the warning says."""
    pytest.importorskip("bert", reason="needs bert-tensorflow, google-research/bert's code")
    from tests.google_research import LOADERS, compute

    folder = save_checkpoint(variant(full, hidden_act=activation), tmp_path / "model", "original")
    arrays = shutil.copy(data / "tiny_golden.npz", tmp_path / "arrays.npz")
    follows = golden["pooled_output"] @ full.weights["next_sentence.kernel"]
    expected = {
        "sequence_output": golden["sequence_output"],
        "pooled_output": golden["pooled_output"],
        "mlm_log_probs": log_softmax(golden["mlm_logits"]),
        "next_sentence_log_probs": log_softmax(follows + full.weights["next_sentence.bias"]),
    }
    outputs = compute(folder, arrays)
    assert len(outputs) == len(LOADERS) * len(expected)
    for loader in LOADERS:
        for name, value in expected.items():
            assert difference(outputs[f"{loader}/{name}"], value) < 1e-5, (loader, name)
