"""Offsets against the original's rules with the place of each character carried along."""

import json

import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess
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
def offsets(tokenizer):
    return OffsetTokenizer(tokenizer, chinese_vocabulary())


@pytest.fixture(scope="module")
def locate(offsets):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def locate(texts):
        return offsets.tokenize(texts, "characters"), offsets.tokenize(texts, "bytes")

    return locate


def rows(located):
    columns = (column.to_list() for column in located)
    return [list(zip(*row, strict=True)) for row in zip(*columns, strict=True)]


def mismatches(locate, lowercase, texts):
    expected = located_reference(chinese_vocabulary(), lowercase)
    found = []
    for unit, located in zip(("characters", "bytes"), locate(tf.constant(texts)), strict=True):
        for text, row in zip(texts, rows(located), strict=True):
            right = expected.tokens(text, unit)
            if row != right:
                found.append((text, row, right))
    # Shown by `pytest -rP`.
    print(f"{len(found)} mismatches in {len(texts)} texts, lowercase={lowercase}")
    return found


@pytest.mark.parametrize("pattern", every_code_point.PATTERNS)
def test_every_code_point(offsets, locate, lowercase, pattern):
    """By the digest of what the transcription made of them all."""
    batches = every_code_point.batches_of(every_code_point.texts(pattern))
    located = [offsets.tokenize(tf.constant(batch), "characters") for batch in batches]
    found = every_code_point.digest(
        (*(column.values.numpy() for column in batch), batch.ids.row_lengths().numpy())
        for batch in located
    )
    stored = json.loads(every_code_point.FILE.read_text(encoding="utf-8"))
    assert stored["code"] == every_code_point.codes()
    if found != stored["places"][every_code_point.key(pattern, lowercase)]:
        known = [code for code in every_code_point.CODES if code not in UNKNOWN]
        assert mismatches(locate, lowercase, every_code_point.texts(pattern, known)) == []
        raise AssertionError("The digest was made by other code, or with another Unicode.")


def test_code_points_one_by_one(locate, lowercase):
    codes = [*range(0x20, 0x3400, 7), *range(0x3400, 0x110000, 1009)]
    codes = [code for code in codes if not 0xD800 <= code < 0xE000 and code not in UNKNOWN]
    assert mismatches(locate, lowercase, every_code_point.texts("a{}b", codes)) == []


def test_special_texts(locate, lowercase):
    assert mismatches(locate, lowercase, TEXTS) == []


def test_random_texts(locate, lowercase):
    texts = list(random_texts(3_000, chinese_vocabulary(), seed=11 + lowercase))
    texts = [text for text in texts if UNKNOWN.isdisjoint(map(ord, text.decode(errors="ignore")))]
    assert mismatches(locate, lowercase, texts) == []
    # Bytes are counted in another way where the whole batch is valid.
    valid = [text for text in (*TEXTS, *texts) if text.decode(errors="ignore").encode() == text]
    assert mismatches(locate, lowercase, valid[:1_000]) == []


def test_ids_are_those_without_offsets(tokenizer, locate):
    texts = tf.constant([*TEXTS, *random_texts(500, chinese_vocabulary(), seed=5)])
    for located in locate(texts):
        assert located.ids.to_list() == tokenizer.tokenize(texts).to_list()
        assert {column.dtype for column in located} == {tf.int32}
    assert [column.shape[0] for column in locate(tf.constant([], tf.string))[0]] == [0] * 3


def test_a_wrong_place_is_found(lowercase):
    """The transcription tells one place from the next."""
    expected = located_reference(chinese_vocabulary(), lowercase)
    text = "我\u200b用 Kéras\u0301！".encode()
    places = [(start, end) for _, start, end in expected.tokens(text)]
    assert places[:2] == [(0, 1), (2, 3)]
    assert places[-1] == (10, 11)
    assert byte_places(b"a\xff\xe4\xb8\xad\xe4\xb8b") == ([0, 2, 7], [1, 5, 8])


@pytest.mark.parametrize("lowercase", [True, False])
def test_words_of_more_than_200_characters(lowercase):
    vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##a", "##aa", "b")
    offsets = OffsetTokenizer(BertTokenizer(vocabulary, lowercase), vocabulary)
    texts = [b"a" * 200 + b" b", b"a" * 201 + b" b", b"b  " + "aé".encode() * 300 + b" b"]
    expected = located_reference(vocabulary, lowercase)
    located = rows(offsets.tokenize(tf.constant(texts), "characters"))
    assert located == [expected.tokens(text) for text in texts]
    assert located[1] == [(1, 0, 201), (7, 202, 203)]


@pytest.mark.parametrize("unit", ["今天 hello，", "x", "a\u200b", "\xff"])
def test_huge_texts(offsets, unit):
    """Time and memory grow with the text, and no faster."""
    count = 5_000_000 // len(unit.encode())
    located = offsets.tokenize(tf.constant([unit.encode() * count, b"a"]), "characters")
    assert located.ends.values[-2:].numpy().max() == count * len(unit) - (unit[-1] == "\u200b")
    assert located.starts.values[-1] == 0


def test_offsets_of_pairs_that_are_cut_of_words_and_of_one_text():
    preprocess = BertPreprocess(None, max_length=8, offsets=True, warn_of_cuts=False)

    def places(texts):
        outputs = preprocess(texts)
        return outputs["starts"].numpy().tolist(), outputs["ends"].numpy().tolist()

    assert places((["今天 好"], ["Ｋ很好吗"])) == (
        [[0, 0, 1, 3, 0, 0, 1, 0]],
        [[0, 1, 2, 4, 0, 1, 2, 0]],
    )
    # Within each word.
    assert places([["今天", "\u200b", " 好\u0301"], []]) == (
        [[0, 0, 1, 1, 0, 0, 0, 0], [0] * 8],
        [[0, 1, 2, 2, 0, 0, 0, 0], [0] * 8],
    )
    assert places("é好") == ([0, 0, 1, 0, 0, 0, 0, 0], [0, 1, 2, 0, 0, 0, 0, 0])
    assert BertPreprocess.from_config(preprocess.get_config()).offsets == "characters"
    _, starts, ends = preprocess.tokenize(["é好"], offsets="bytes")
    assert (starts.to_list(), ends.to_list()) == ([[0, 2]], [[2, 5]])
