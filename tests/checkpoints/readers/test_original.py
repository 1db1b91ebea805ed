import json
import shutil

import numpy as np
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess
from keras_bert_zh.checkpoints import load_checkpoint
from tests.encoder.common import difference
from tests.tensors import read_tensors, write_tensors

WORDS = "bert/embeddings/word_embeddings"


@pytest.fixture
def folder(tmp_path, data):
    return shutil.copytree(data / "tiny_original", tmp_path / "original")


@pytest.fixture
def raw(data):
    return read_tensors(data / "tiny_original" / "bert_model.ckpt")


@pytest.mark.parametrize("name", ["", "bert_model.ckpt"])
def test_parity_with_the_original_graph(data, inputs, golden, name):
    outputs = BertEncoder(data / "tiny_original" / name, padding_free=False)(inputs, as_dict=True)
    for key in outputs:
        assert difference(outputs[key], golden[key]) < 1e-5


def test_what_the_format_has(data, raw):
    checkpoint = load_checkpoint(data / "tiny_original")
    assert checkpoint.missing == ("lowercase",)
    assert checkpoint.leftovers == ()
    kernel = raw["cls/seq_relationship/output_weights"]
    assert kernel.shape == (2, 32)
    np.testing.assert_array_equal(checkpoint.weights["next_sentence.kernel"], kernel.T)
    for ours, theirs in {
        "next_sentence.bias": "cls/seq_relationship/output_bias",
        "masked_lm.dense.kernel": "cls/predictions/transform/dense/kernel",
        "masked_lm.dense.bias": "cls/predictions/transform/dense/bias",
        "masked_lm.norm.gamma": "cls/predictions/transform/LayerNorm/gamma",
        "masked_lm.norm.beta": "cls/predictions/transform/LayerNorm/beta",
        "masked_lm.bias": "cls/predictions/output_bias",
    }.items():
        np.testing.assert_array_equal(checkpoint.weights[ours], raw[theirs])


def test_lower_case_is_told_from_the_vocabulary(folder):
    assert BertPreprocess(folder).lowercase is True
    lines = (folder / "vocab.txt").read_text().splitlines()
    lines[lines.index("google")] = "Google"
    (folder / "vocab.txt").write_text("\n".join(lines))
    assert BertPreprocess(folder).lowercase is False
    assert BertPreprocess(folder, lowercase=True).lowercase is True


def test_a_folder_of_training_holds_several(folder):
    for suffix in ("index", "data-00000-of-00001"):
        shutil.copy(folder / f"bert_model.ckpt.{suffix}", folder / f"model.ckpt-1000.{suffix}")
    with pytest.raises(ValueError, match=r"bert_model\.ckpt and .* model\.ckpt-1000\. .* prefix"):
        load_checkpoint(folder)
    assert load_checkpoint(folder / "model.ckpt-1000").config.vocab_size == 718


def test_what_training_leaves_is_declared(folder, raw):
    slots = {f"{WORDS}/adam_m": raw[WORDS], f"{WORDS}/adam_v": raw[WORDS]}
    write_tensors(folder / "bert_model.ckpt", raw | slots | {"global_step": np.int64(9)})
    assert set(load_checkpoint(folder).leftovers) == {*slots, "global_step"}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({WORDS: None}, f"missing: {WORDS}"),
        ({"bert/encoder/layer_2/output/dense/bias": np.zeros(32, "float32")}, "unexpected: bert/e"),
        (
            {WORDS: np.zeros((717, 32), "float32")},
            f"misshapen: {WORDS} is [717, 32]",
        ),
        ({WORDS: np.zeros((718, 32), "int32")}, f"not float32: {WORDS} is int32"),
        ({"cls/predictions/output_bias": None}, "missing: cls/predictions/output_bias"),
        ({"bert/pooler/dense/bias": None}, "missing: bert/pooler/dense/bias"),
        (
            {"bert/pooler/dense/bias": None, "bert/pooler/dense/kernel": None},
            "missing: bert/pooler/dense/kernel",
        ),
    ],
)
def test_tensors_that_do_not_fit(folder, raw, change, line):
    tensors = {name: tensor for name, tensor in (raw | change).items() if tensor is not None}
    write_tensors(folder / "bert_model.ckpt", tensors)
    with pytest.raises(
        ValueError, match=r"does not contain the BERT that bert_config.json"
    ) as caught:
        load_checkpoint(folder)
    assert str(folder / "bert_model.ckpt.index") in str(caught.value)
    assert line in str(caught.value)


def test_no_configuration(folder):
    (folder / "bert_config.json").unlink()
    with pytest.raises(ValueError, match=rf"{folder}/bert_config.json is not a file"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not valid JSON"),
        (b"\xff\xfe", "is not valid JSON"),
        (b"[1]", "must contain a JSON object, got list"),
        (b"[" * 100000, "is not valid JSON"),
        (b'{"vocab_size": 718}', "has no hidden_act, hidden_size"),
    ],
)
def test_a_damaged_configuration(folder, content, message):
    (folder / "bert_config.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"{folder}/bert_config.json.*{message}"):
        load_checkpoint(folder)


def test_a_configuration_of_another_model(folder):
    fields = json.loads((folder / "bert_config.json").read_text())
    (folder / "bert_config.json").write_text(json.dumps(fields | {"num_hidden_layers": 3}))
    with pytest.raises(ValueError, match="16 found:\n  missing: bert/encoder/layer_2/attention"):
        load_checkpoint(folder)


def test_no_vocabulary(folder):
    (folder / "vocab.txt").unlink()
    checkpoint = load_checkpoint(folder)
    assert checkpoint.missing == ("vocabulary", "lowercase")
    assert BertEncoder(checkpoint).config.vocab_size == 718
    with pytest.raises(ValueError, match=r"has no vocabulary: neither vocab.txt nor tok"):
        BertPreprocess(checkpoint)


def test_files_that_change_after_they_were_opened(folder, raw):
    checkpoint = load_checkpoint(folder)
    write_tensors(folder / "bert_model.ckpt", raw)
    with pytest.raises(ValueError, match=r"has changed since the checkpoint was opened"):
        checkpoint.weights["pooler.dense.bias"]
    (folder / "bert_model.ckpt.index").unlink()
    with pytest.raises(ValueError, match=r"bert_model.ckpt.index has changed"):
        BertEncoder(checkpoint)


@pytest.mark.parametrize("name", ["output_weights", "cls/squad/output_weights"])
def test_a_fine_tuned_head_is_told_of(folder, raw, name):
    head = {name: np.zeros((3, 32), "float32"), f"{name}/adam_m": np.zeros((3, 32), "float32")}
    write_tensors(folder / "bert_model.ckpt", raw | head)
    with pytest.warns(UserWarning, match=rf"bert_model.ckpt: the head is not read \({name}\)\. T"):
        load_checkpoint(folder)
