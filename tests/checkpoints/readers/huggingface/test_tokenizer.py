import json
import re
import warnings

import numpy as np
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess
from keras_bert_zh.checkpoints import load_checkpoint
from tests.encoder.common import difference


@pytest.mark.parametrize("lowercase", [True, False])
def test_the_tokenizer_settings(folder, lowercase):
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase}))
    assert load_checkpoint(folder).lowercase is lowercase
    assert BertPreprocess(folder).lowercase is lowercase


@pytest.mark.parametrize(
    ("name", "value"),
    [("strip_accents", False), ("do_basic_tokenize", False), ("never_split", ["[品牌]"])],
)
def test_a_tokenizer_that_does_other_things_is_told(folder, name, value):
    settings = {"do_lower_case": True, name: value}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.warns(UserWarning, match=re.escape(f"its tokenizer has {name}={value}, which")):
        load_checkpoint(folder)


@pytest.mark.parametrize("never_split", [None, [], ["[CLS]", "[MASK]"]])
def test_a_tokenizer_that_does_the_same_is_not_told_of(folder, never_split):
    settings = {"do_lower_case": True, "do_basic_tokenize": True, "never_split": never_split}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with warnings.catch_warnings(action="error"):
        load_checkpoint(folder)


def fast_tokenizer(tokens, kind="WordPiece"):
    ids = {token: index for index, token in enumerate(tokens)}
    return {
        "normalizer": {"type": "BertNormalizer", "lowercase": True, "strip_accents": None},
        "model": {"type": kind, "vocab": ids},
    }


def test_a_vocabulary_in_tokenizer_json_alone(folder, tiny):
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_text(json.dumps(fast_tokenizer(tiny.vocabulary)))
    checkpoint = load_checkpoint(folder)
    assert checkpoint.vocabulary == tiny.vocabulary
    assert checkpoint.lowercase is True


def test_a_normalizer_among_others(folder):
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": None}))
    normalizers = [{"type": "NFC"}, {"type": "BertNormalizer", "lowercase": False}]
    tokenizer = {"normalizer": {"type": "Sequence", "normalizers": normalizers}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert load_checkpoint(folder).lowercase is False


def test_a_flag_that_is_no_flag(folder):
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": 1}))
    with pytest.raises(ValueError, match="do_lower_case must be true or false, got 1"):
        load_checkpoint(folder)


@pytest.mark.parametrize("file", ["added_tokens.json", "tokenizer.json"])
def test_added_tokens(folder, pad, file):
    pad(720)
    tokens = {"[品牌]": 718, "[型号]": 719}
    entries = [{"id": index, "content": token} for token, index in tokens.items()]
    content = tokens if file == "added_tokens.json" else {"added_tokens": entries}
    (folder / file).write_text(json.dumps(content))
    assert load_checkpoint(folder).vocabulary[-2:] == ("[品牌]", "[型号]")


def test_added_tokens_in_place_of_blank_lines(folder, pad):
    pad(721)
    with (folder / "vocab.txt").open("a") as file:
        file.write("\n\n\n\n")
    (folder / "added_tokens.json").write_text(json.dumps({"[品牌]": 718, "[型号]": 720}))
    assert load_checkpoint(folder).vocabulary[718:] == ("[品牌]", "", "[型号]")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (fast_tokenizer(["[PAD]"], "BPE"), "does not contain a WordPiece vocabulary"),
        ({"model": {"vocab": {"a": 0, "b": 2}}}, "the ids of the tokens must be 0, 1, 2"),
        ({"model": {"vocab": {"a": "0"}}}, "the ids of the tokens must be 0, 1, 2"),
        (fast_tokenizer(["[PAD]", "a"]), "has 2 lines, expected one for each of the 718 rows"),
        ({}, "does not contain a WordPiece vocabulary"),
    ],
)
def test_an_unusable_tokenizer_json(folder, content, message):
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"tokenizer.json.* {message}"):
        load_checkpoint(folder)


def test_without_a_vocabulary_there_is_still_an_encoder(folder, inputs, golden):
    (folder / "vocab.txt").unlink()
    assert load_checkpoint(folder).missing == ("vocabulary", "lowercase")
    assert difference(BertEncoder(folder)(inputs), golden["pooled_output"]) < 1e-5
    with pytest.raises(ValueError, match=rf"{folder} has no vocabulary: .* Add its vocab"):
        BertPreprocess(folder)


@pytest.fixture
def pad(edit, raw, save):
    """A function that gives the word embeddings another number of rows."""

    def pad(rows):
        words = "bert.embeddings.word_embeddings.weight"
        bias = {"cls.predictions.bias": np.zeros(rows, "float32")}
        save(raw | bias | {words: np.resize(raw[words], (rows, 32))})
        edit(vocab_size=rows)

    return pad


def test_rows_may_be_padded(folder, pad):
    pad(768)
    assert len(load_checkpoint(folder).vocabulary) == 718


@pytest.mark.parametrize("rows", [717, 720, 896])
def test_other_numbers_of_rows_mean_damage(folder, pad, rows):
    pad(rows)
    with pytest.raises(ValueError, match=f"718 lines, expected one for each of the {rows} rows"):
        load_checkpoint(folder)


def test_the_padding_token_of_the_configuration(folder, edit):
    edit(pad_token_id=1)
    with pytest.raises(ValueError, match=r"pad_token_id is 1, but \[PAD\] is line 1 of the vocab"):
        load_checkpoint(folder)
