import hashlib
from importlib import resources

import pytest

from keras_bert_zh.vocabulary import (
    check_vocabulary,
    chinese_vocabulary,
    decode_vocabulary,
    encode_vocabulary,
    later_pieces,
    read_vocabulary,
    special_ids,
    without_blank_end,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def test_chinese_vocabulary_is_googles():
    content = resources.files("keras_bert_zh.text").joinpath("chinese_vocab.txt").read_bytes()
    assert hashlib.sha256(content).hexdigest() == (
        "45bbac6b341c319adc98a532532882e91a9cefc0329aa57bac9ae761c27b291c"
    )
    vocabulary = chinese_vocabulary()
    assert len(vocabulary) == 21128
    assert vocabulary.index("中") == 704
    assert special_ids(vocabulary) == {
        "[PAD]": 0,
        "[UNK]": 100,
        "[CLS]": 101,
        "[SEP]": 102,
        "[MASK]": 103,
    }


def test_later_pieces():
    assert later_pieces(["##a", "##", "a##", "#", "###"]) == [True, False, False, False, True]


def test_encoded_and_decoded():
    assert len(encode_vocabulary(chinese_vocabulary())) < 20
    assert tuple(decode_vocabulary(encode_vocabulary(chinese_vocabulary()))) == chinese_vocabulary()
    others = (*SPECIAL, "a\nb", "\u2028", "𠀀", "")
    assert tuple(decode_vocabulary(encode_vocabulary(others))) == others
    longer = (*chinese_vocabulary(), "new")
    assert len(encode_vocabulary(longer)) < 36_000
    assert tuple(decode_vocabulary(encode_vocabulary(longer))) == longer


@pytest.mark.parametrize("encoded", [None, 7, "", "vocab.txt", "AAAA", "chinese"])
def test_what_can_not_be_decoded(encoded):
    with pytest.raises(ValueError, match="vocabulary in this configuration can't be decoded"):
        decode_vocabulary(encoded)


def test_lines_end_at_newlines_only(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("\n".join([*SPECIAL, "a\u2028b", " c\r", "\u2028"]).encode())
    assert read_vocabulary(path) == (*SPECIAL, "a\u2028b", "c", "")


def test_a_byte_order_mark_is_no_token(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("\n".join([*SPECIAL, "\ufeff"]).encode("utf-8-sig"))
    assert read_vocabulary(path) == (*SPECIAL, "\ufeff")


def test_blank_lines_at_the_end_that_have_no_row():
    tokens = ("a", "", "b", "", "")
    expected = {2: tokens[:3], 3: tokens[:3], 4: tokens[:4], 5: tokens, 9: tokens}
    assert {rows: without_blank_end(tokens, rows) for rows in expected} == expected


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        ([], r"list of tokens or the path of a vocab.txt, got \[\]"),
        ([""], "list of tokens or the path"),
        ("abc", "list of tokens or the path of a vocab.txt, got 'abc'"),
        (5, "list of tokens or the path of a vocab.txt, got 5"),
        ({*SPECIAL, "a"}, "vocabulary must be a list of tokens"),
        ([*SPECIAL, 7], "must contain only str that UTF-8 can encode, got 7 at index 4"),
        ([*SPECIAL, "a", "\ud800"], r"got '\\ud800' at index 5"),
        (SPECIAL, "more than the special tokens"),
        ([*SPECIAL[:2], "[SEP]", "a"], r"\[CLS\] missing from 4 tokens"),
    ],
)
def test_unusable(vocabulary, message):
    with pytest.raises(ValueError, match=message):
        check_vocabulary(vocabulary)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "vocab.txt: vocabulary must be"),
        (b"[PAD]\n\xff\xfe", "vocab.txt: A vocabulary must be UTF-8"),
    ],
)
def test_unusable_files_are_named(tmp_path, content, message):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_vocabulary(path)
