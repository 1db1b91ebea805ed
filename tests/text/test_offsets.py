"""Offsets against the original's rules with the place of each character carried along."""

import pytest
import tensorflow as tf

from keras_bert_zh.text.offsets import OffsetTokenizer
from keras_bert_zh.text.tokenizer import BertTokenizer
from keras_bert_zh.vocabulary import chinese_vocabulary
from tests.text import every_code_point
from tests.text.located_reference import byte_places, located_reference
from tests.text.random_text import INVALID, random_texts
from tests.text.test_tokenizer import SPECIAL, UNKNOWN

TEXTS = [text.encode() for text in SPECIAL]
TEXTS += [b"\xef\xbb\xbfa\xffb", b"\xef\xbb\xbfab", b"\xffa", "ΑΣ\ufeff中\ufeff".encode()]
TEXTS += [bytes + "中文 ab".encode() + bytes for bytes in INVALID]


@pytest.fixture(scope="module", params=[True, False], ids=["lowercase", "cased"])
def lowercase(request):
    return request.param


@pytest.fixture(scope="module")
def tokenizer(lowercase):
    return BertTokenizer(chinese_vocabulary(), lowercase)


@pytest.fixture(scope="module")
def locate(tokenizer):
    offsets = OffsetTokenizer(tokenizer, chinese_vocabulary())

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def locate(texts):
        return offsets.tokenize(texts, "characters"), offsets.tokenize(texts, "bytes")

    return locate


def rows(located):
    columns = (column.to_list() for column in located)
    return [list(zip(*row, strict=True)) for row in zip(*columns, strict=True)]


def mismatches(locate, lowercase, texts):
    expected = located_reference(chinese_vocabulary(), lowercase)
    characters, of_bytes = map(rows, locate(tf.constant(texts)))
    found = [
        (text, row, expected.tokens(text))
        for text, row in zip(texts, characters, strict=True)
        if row != expected.tokens(text)
    ]
    found += [
        (text, row, expected.tokens(text, "bytes"))
        for text, row in zip(texts, of_bytes, strict=True)
        if row != expected.tokens(text, "bytes")
    ]
    print(f"{len(found)} mismatches in {len(texts)} texts, lowercase={lowercase}")
    return found


def test_special_texts(locate, lowercase):
    assert mismatches(locate, lowercase, TEXTS) == []


def test_random_texts(locate, lowercase):
    texts = list(random_texts(3_000, chinese_vocabulary(), seed=11 + lowercase))
    texts = [text for text in texts if UNKNOWN.isdisjoint(map(ord, text.decode(errors="ignore")))]
    assert mismatches(locate, lowercase, texts) == []
