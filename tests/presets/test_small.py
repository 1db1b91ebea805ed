"""The checkpoint that comes with the package: it is what its card says, and knows Chinese."""

import pathlib
import warnings

import numpy as np
import pytest
from keras import ops
from safetensors.numpy import load_file
from setuptools import Distribution

import keras_bert_zh
from keras_bert_zh import BertEncoder, BertPreprocess, MaskedLM, load_checkpoint
from keras_bert_zh.vocabulary import chinese_vocabulary

FOLDER = pathlib.Path(keras_bert_zh.__file__).parent / "presets" / "small"


@pytest.fixture(scope="module")
def small():
    return load_checkpoint("small")


def test_what_it_is(small):
    config = small.config
    assert (config.num_hidden_layers, config.hidden_size) == (6, 384)
    assert (config.num_attention_heads, config.intermediate_size) == (12, 1536)
    assert config.max_position_embeddings == 512
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0
    assert small.vocabulary == chinese_vocabulary()
    assert small.lowercase is True
    assert small.format == "Hugging Face folder (model.safetensors)"
    assert small.missing == ("next_sentence",)
    assert small.leftovers == ()


def test_its_files(small):
    sizes = {file.name: file.stat().st_size for file in FOLDER.iterdir()}
    assert set(sizes) == {
        "README.md",
        "config.json",
        "curve.png",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    }
    assert sum(sizes.values()) < 40e6
    assert {array.dtype.name for array in load_file(FOLDER / "model.safetensors").values()} == {
        "float16"
    }


def test_weights_are_float32_once_loaded(small):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MaskedLM(BertEncoder(small), small)
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert all(np.isfinite(weight.numpy()).all() for weight in model.weights)


@pytest.mark.parametrize(
    ("text", "place", "answer"),
    [
        ("她在医院当医生。", 6, "医"),
        ("中国的首都是北京。", 7, "北"),
        ("这本书很有意思，我看了两遍。", 7, "思"),
    ],
)
def test_it_fills_masks(small, text, place, answer):
    preprocess = BertPreprocess(small, max_length=32)
    ids = preprocess([text])["input_ids"].numpy()
    assert preprocess.vocabulary[ids[0, place]] == answer
    ids[0, place] = preprocess.special_ids["[MASK]"]
    model = MaskedLM(BertEncoder(small), small)
    inputs = {"input_ids": ids, "input_mask": (ids != 0).astype("int32")}
    logits = model({**inputs, "mlm_positions": np.array([[place]])})
    assert preprocess.vocabulary[int(ops.argmax(logits))] == answer


def test_its_pooled_output_tells_what_texts_are_about(small):
    """Untrained, the nearest neighbour of a text is the one that says the same."""
    pairs = [
        ("酒店房间很干净，服务也好", "宾馆的卫生不错，服务员热情"),
        ("法院依法作出判决", "人民法院判处被告人有期徒刑"),
        ("用命令行安装这个软件包", "在终端里运行安装程序"),
        ("皇帝派大军攻打敌国", "将军率领士兵出征"),
        ("这部电影的导演是谁", "他主演过哪些影片"),
    ]
    texts = [text for pair in pairs for text in pair]
    pooled = ops.convert_to_numpy(BertEncoder(small)(BertPreprocess(small, max_length=32)(texts)))
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    nearest = (pooled @ pooled.T - 2 * np.eye(len(texts))).argmax(axis=1)
    assert np.mean(nearest == np.arange(len(texts)) ^ 1) >= 0.8


def test_a_wheel_has_all_of_its_files(monkeypatch):
    """Data that is forgotten there is missing for those who don't install from a clone."""
    monkeypatch.chdir(FOLDER.parents[2])
    distribution = Distribution()
    distribution.parse_config_files(["setup.cfg"])
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    packed = {file for *_, files in build.data_files for file in files}
    assert {f"presets/small/{file.name}" for file in FOLDER.iterdir()} <= packed
