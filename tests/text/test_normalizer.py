import pytest
import tensorflow as tf

from keras_bert_zh.text.normalizer import build_normalizer


def test_replaces_what_the_table_says_and_nothing_else():
    table = {
        0: "",
        ord("A"): "a",
        ord("中"): "<zhong>",
        0x1F600: ":)",
        ord("é"): "e",
        0x10FFFF: "!",
    }
    normalizer = build_normalizer(table)
    texts = ["A\0B", "中文é，ÀＡ", "😀😁\U0010ffff", ""]
    expected = ["".join(table.get(ord(char), char) for char in text) for text in texts]
    assert [text.decode() for text in normalizer.normalize(tf.constant(texts)).numpy()] == expected


def test_empty_table_keeps_everything():
    text = "Aé中，①\u3000"
    assert build_normalizer({}).normalize(tf.constant([text])).numpy()[0].decode() == text


def test_too_long_replacement_is_refused():
    with pytest.raises(ValueError, match=r"U\+0041 is too long"):
        build_normalizer({ord("A"): "中" * 22})
