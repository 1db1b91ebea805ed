"""Token for token against google-research/bert's own tokeniser."""

import json
import unicodedata

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh.text.tokenizer import BertTokenizer
from keras_bert_zh.text.unicode_tables import ASSIGNED_LATER
from keras_bert_zh.vocabulary import chinese_vocabulary
from tests.text import every_code_point
from tests.text.random_text import random_texts
from tests.text.reference import reference

SPECIAL = [
    *("", " ", "\t\n\r ", "\u3000", "\u2028\u2029", "\0", "\0\0", "\x0b\x0c", "\ufffd"),
    *("[CLS]", "[MASK]", "[cls]", "a[MASK]b", "中[MASK]国", "[SEP] [PAD] [UNK]", "[unused1]"),
    *("##a", "##", "#", "a##b", "a ##b", "unk", "[ MASK ]", "[CLS]\0[SEP]"),
    *("a\u0301", "\u0301", "\u0301\u0301 a", "İstanbul", "≠≮≯", "\u1fef\u037e\u0387", "KÅΩ"),
    *("ΑΣ", "ΑΣ ΑΣΑ Σ ΣΣ ΑΣ.", "ΑΣ'Α", "ΑΣ\0", "Α\u0301Σ\u0301", "ΑΣ中Α", "\x0bΑ\x0bΣ\x0bΑ", "ʰΣ"),
    *("x" * 200, "x" * 201, "é" * 200, "é" * 201, "中" * 300, "가" * 67, "e\u0301" * 200),
    *("👨‍👩‍👧‍👦", "①②Ⅳⅳ㎏ﬁ½", "ａｂｃ１２３，．！", "don't $5.00 e-mail@x.com", "，！？：；（）…①"),
]
# The reference asks this Python's Unicode, which may know more characters than version 14.
UNKNOWN = (
    set()
    if unicodedata.unidata_version == "14.0.0"
    else {code for first, last in ASSIGNED_LATER for code in range(first, last + 1)}
)


@pytest.fixture(scope="module", params=[True, False], ids=["lowercase", "cased"])
def lowercase(request):
    return request.param


@pytest.fixture(scope="module")
def tokenize(lowercase):
    return tf.function(
        BertTokenizer(chinese_vocabulary(), lowercase).tokenize,
        input_signature=[tf.TensorSpec([None], tf.string)],
    )


def mismatches(tokenize, lowercase, texts):
    expected = reference(chinese_vocabulary(), lowercase)
    found = []
    for start in range(0, len(texts), 16_384):
        batch = texts[start : start + 16_384]
        rows = zip(
            batch, tokenize(tf.constant(batch)).to_list(), expected.ids_of_all(batch), strict=True
        )
        found += [row for row in rows if row[1] != row[2]]
    # Shown by `pytest -rP`.
    print(f"{len(found)} mismatches in {len(texts)} texts, lowercase={lowercase}")
    return found


@pytest.mark.parametrize("pattern", every_code_point.PATTERNS)
def test_every_code_point(tokenize, lowercase, pattern):
    """By the digest of what the original made of them all."""
    texts = every_code_point.texts(pattern)
    assert len(texts) >= 1_106_000
    ids = [tokenize(tf.constant(batch)) for batch in every_code_point.batches_of(texts)]
    found = every_code_point.digest(
        (batch.values.numpy(), batch.row_lengths().numpy()) for batch in ids
    )
    stored = json.loads(every_code_point.FILE.read_text(encoding="utf-8"))
    assert stored["code"]["reference"] == every_code_point.codes()["reference"]
    if found != stored["digests"][every_code_point.key(pattern, lowercase)]:
        known = [code for code in every_code_point.CODES if code not in UNKNOWN]
        assert mismatches(tokenize, lowercase, every_code_point.texts(pattern, known)) == []
        raise AssertionError("The digest was made by other code, or with another Unicode.")


@pytest.mark.parametrize("pattern", every_code_point.PATTERNS)
def test_code_points_one_by_one(tokenize, lowercase, pattern):
    """Those of scripts, and some of the others, against the original itself."""
    codes = [*range(0x3400), *range(0xA000, 0x20000, 7), *range(0x3400, 0x110000, 101)]
    codes = sorted({code for code in codes if not 0xD800 <= code < 0xE000} - UNKNOWN)
    assert mismatches(tokenize, lowercase, every_code_point.texts(pattern, codes)) == []


def test_a_wrong_id_is_found(tokenize, lowercase):
    """The comparison of all at once sees one code point."""
    right = chinese_vocabulary()
    place = right.index("Ω".lower())
    wrong = (*right[:place], "[other]", *right[place + 1 :])
    texts = every_code_point.texts("中{}国", range(0x370, 0x3FF))
    rows = zip(
        reference(right, True).ids_of_all(texts),
        reference(wrong, True).ids_of_all(texts),
        strict=True,
    )
    differing = [text.decode() for text, (a, b) in zip(texts, rows, strict=True) if a != b]
    assert differing == ["中Ώ国", "中Ω国", "中ω国", "中ώ国"]
    assert reference(right, lowercase).ids_of_all(texts) == [
        reference(right, lowercase).ids(text) for text in texts
    ]


def test_texts_in_one_are_as_one_by_one(lowercase):
    """What all comparisons with the original here rely on."""
    texts = [text.encode() for text in SPECIAL]
    texts += random_texts(2000, chinese_vocabulary(), seed=3)
    original = reference(chinese_vocabulary(), lowercase)
    assert original.ids_of_all(texts) == [original.ids(text) for text in texts]


@pytest.mark.slow
def test_random_texts(tokenize, lowercase):
    texts = list(random_texts(100_000, chinese_vocabulary(), seed=1 + lowercase))
    texts = [text for text in texts if UNKNOWN.isdisjoint(map(ord, text.decode(errors="ignore")))]
    assert mismatches(tokenize, lowercase, texts) == []
    assert len(set(texts)) > 70_000


def test_special_texts(tokenize, lowercase):
    assert mismatches(tokenize, lowercase, [text.encode() for text in SPECIAL]) == []


def test_one_odd_row_does_not_touch_the_others(tokenize, lowercase):
    texts = ["很好".encode(), b"\xff" + "很好".encode(), b"x" * 300, "ΑΣ".encode(), b""] * 3
    assert mismatches(tokenize, lowercase, texts) == []


@pytest.mark.parametrize("lowercase", [True, False])
def test_vocabulary_with_what_only_the_kernel_splits_at(lowercase):
    """U+11F43 is punctuation since Unicode 15, so that the kernel alone splits there."""
    vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a\U00011f43b", "a", "b", "##b", "c")
    texts = ["a\U00011f43b c", "a\uf8ffb c", "a\uf8feb", "ab \U00011f43"]
    ids = BertTokenizer(vocabulary, lowercase).tokenize(tf.constant(texts)).to_list()
    if unicodedata.unidata_version == "14.0.0":
        assert ids == [reference(vocabulary, lowercase).ids(text) for text in texts]
    assert ids == [[4, 8], [1, 8], [1], [5, 7, 1]]


def test_repeated_and_empty_lines():
    vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "", "b", "a", "##b", "", "##", "[5]")
    texts = ["a b ab", "[5]", "[\n5]", "## a##", ""]
    ids = BertTokenizer(vocabulary, True).tokenize(tf.constant(texts)).to_list()
    assert ids == [reference(vocabulary, True).ids(text) for text in texts]
    assert ids[0] == [7, 6, 7, 8]


@pytest.mark.parametrize(
    ("unit", "tokens"),
    [("今天 hello，", 4), ("x", 0), ("é", 0), ("αΣ", 0), ("的", 1), ("a\u200b", 0), ("x\xff", 0)],
    ids=["text", "word", "accents", "sigma", "ideographs", "invisible", "latin1"],
)
def test_huge_texts(tokenize, unit, tokens):
    """Quadratic time or memory would not end; `benchmarks.preprocess` shows that it is linear."""
    count = 10_000_000 // len(unit.encode())
    lengths = tokenize(tf.constant([unit.encode() * count, b"a"])).row_lengths().numpy()
    assert lengths.tolist() == [tokens * count if tokens else 1, 1]


def test_ids_are_int32(tokenize):
    tokens = tokenize(tf.constant(["很好", ""]))
    assert tokens.dtype == tf.int32
    assert tokens.row_lengths().numpy().tolist() == [2, 0]
    np.testing.assert_array_equal(tokens.values, [2523, 1962])
