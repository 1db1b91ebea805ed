"""What is suggested for a path that does not exist."""

import pathlib

import pytest

from keras_bert_zh import BertEncoder, BertPreprocess
from keras_bert_zh.checkpoints import load_checkpoint
from keras_bert_zh.checkpoints.sources import default, published, tfhub_url
from keras_bert_zh.checkpoints.sources.resolve import resolve

GOOGLE = "hf://google-bert/bert-base-chinese"
SMALL = '"small", the checkpoint that comes with the package'


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("Small", SMALL),
        ("base", GOOGLE),
        ("bert-base-chinese", GOOGLE),
        ("bert_base_chinese", GOOGLE),
        ("google-bert/bert-base-chinese", GOOGLE),
        ("chinese-RoBERTa-wwm-ext", "hf://hfl/chinese-roberta-wwm-ext"),
        ("hfl/chinese-roberta-wwm-ext", "hf://hfl/chinese-roberta-wwm-ext"),
        ("ernie-3.0-base-zh", "hf://nghuyong/ernie-3.0-base-zh"),
        ("ernie_3.0_nano_zh", "hf://nghuyong/ernie-3.0-nano-zh"),
        ("bge-small-zh-v1.5", "hf://BAAI/bge-small-zh-v1.5"),
        ("chinese_L-12_H-768_A-12", published.URL),
        ("google/bert_chinese_L-12_H-768_A-12/1", tfhub_url.MODULE),
        ("Default", default.FORM),
        ("hf:hfl/rbt3", 'the URL "hf://hfl/rbt3", passed as a str'),
    ],
)
def test_known_names(monkeypatch, tmp_path, source, meant):
    monkeypatch.chdir(tmp_path)
    for door in (load_checkpoint, BertEncoder, BertPreprocess):
        with pytest.raises(FileNotFoundError) as caught:
            door(source)
        assert str(caught.value) == f"{source} does not exist. Did you mean {meant}?"


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("data/Tiny_orignal", "data/tiny_original"),
        ("date/tiny_original", "data/tiny_original"),
        ("data/tiny_original/bert_modle.ckpt", "data/tiny_original/bert_model.ckpt"),
        ("dat/tiny_original/bert_model.ckpt", "data/tiny_original/bert_model.ckpt"),
    ],
)
def test_a_path_that_is_near(monkeypatch, tmp_path, data, source, meant):
    (tmp_path / "data").symlink_to(data)
    monkeypatch.chdir(tmp_path)
    for place in (pathlib.Path(), tmp_path):
        with pytest.raises(FileNotFoundError) as caught:
            load_checkpoint(place / source)
        assert str(caught.value).endswith(f" does not exist. Did you mean {place / meant}?")


def test_a_near_path_comes_before_a_known_name(monkeypatch, tmp_path):
    (tmp_path / "bert-base-chinese2").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"mean bert-base-chinese2 or {GOOGLE}\?"):
        load_checkpoint("bert-base-chinese")


@pytest.mark.parametrize("source", ["reviews", "/nowhere/at/all", "a.txt/b"])
def test_nothing_is_near(monkeypatch, tmp_path, source):
    (tmp_path / "a.txt").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        load_checkpoint(source)
    assert str(caught.value) == (
        f"{source} does not exist. Pass a path that exists, a URL such as {GOOGLE}, or {SMALL}."
    )


def test_another_repository():
    with pytest.raises(
        FileNotFoundError, match=r"It may be on the Hugging Face Hub: try hf://me/mine\.$"
    ):
        load_checkpoint("me/mine")


@pytest.mark.parametrize("host", ["huggingface.co", "hf-mirror.com"])
def test_the_page_of_a_repository(host):
    with pytest.raises(
        ValueError, match="is the web page of a repository: load hf://hfl/rbt3 inst"
    ):
        resolve(f"https://{host}/hfl/rbt3")
