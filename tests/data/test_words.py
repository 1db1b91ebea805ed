import sys

import pytest
import rjieba
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert_zh import BertPreprocess
from keras_bert_zh.data.words import tokenize_words
from keras_bert_zh.vocabulary import chinese_vocabulary
from tests.text.random_text import random_texts

MIXED = [
    *(
        "",
        " ",
        "\n",
        "很好",
        "我用Keras写代码",
        "iPhone 15手机的价格是¥5,999元。",
        "unaffable不可接近",
    ),
    *(
        "Café在北京café",
        "今天👍🏽天气👨‍👩‍👧真好",
        "很\u200b好\u3000吗",
        "ＡＢＣ全角１２３，。",
        "㐀䶵𠀀𪚥豈",
        "[MASK]天[SEP]气",
    ),
    *("ΑΣ中Σ国ΑΣ", "x" * 201 + "天气" + "é" * 201, "a\ud800天气", "テスト漢字かな", "한국어中文"),
    *(
        b"\xff\xe5\xbe\x88\xe5\xa5\xbd\xe4\xbb",
        b"\xe5\xbe\x88\xff\xe5\xa5\xbd",
        b"caf\xe9\xe5\xbe\x88",
    ),
]


@pytest.fixture(scope="module", params=[True, False], ids=["lowercase", "cased"])
def preprocess(request):
    return BertPreprocess(None, lowercase=request.param)


def words(text, preprocess):
    """The tokens of each word."""
    ids, starts = tokenize_words([text], preprocess)
    found = []
    for token, begins in zip(ids[0].numpy(), starts[0].numpy(), strict=True):
        if begins:
            found.append("")
        found[-1] += preprocess.vocabulary[token].removeprefix("##")
    return found


def check(texts, preprocess):
    """Asserts that the tokens are those of plain tokenising, and returns the starts."""
    ids, starts = tokenize_words(texts, preprocess)
    expected = preprocess.tokenize(texts)
    assert (ids.dtype, starts.dtype) == (tf.int32, tf.bool)
    assert ids.to_list() == expected.to_list()
    assert starts.row_lengths().numpy().tolist() == expected.row_lengths().numpy().tolist()
    for row, begins in zip(ids.to_list(), starts.to_list(), strict=True):
        assert begins[:1] in ([], [True])
        for token, start in zip(row, begins, strict=True):
            assert not (start and preprocess.vocabulary[token].startswith("##"))
    return starts


def test_tokens_of_mixed_texts(preprocess):
    starts = check(MIXED, preprocess)
    assert starts.row_lengths().numpy()[:3].tolist() == [0, 0, 0]


def test_tokens_of_random_texts(preprocess):
    check(list(random_texts(1500, chinese_vocabulary(), seed=11)), preprocess)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.one_of(st.text(), st.text("今天气很好 a，é#\u200b👍"), st.binary())))
def test_tokens_of_any_texts(texts):
    check(texts, PREPROCESS)


PREPROCESS = BertPreprocess(None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("南京市长江大桥", ["南京市", "长江大桥"]),
        ("我们去公园吧", ["我们", "去", "公园", "吧"]),
        ("我们，去公园。", ["我们", "，", "去", "公园", "。"]),
        ("用Keras写代码", ["用", "keras", "写", "代码"]),
        ("unaffable不可", ["unaffable", "不可"]),
        ("2019年", ["2019", "年"]),
        ("公 园", ["公", "园"]),
        ("公\n园", ["公", "园"]),
        ("公👍园", ["公", "👍", "园"]),
    ],
)
def test_words_of_known_texts(text, expected):
    assert words(text, PREPROCESS) == expected


def test_a_character_that_is_not_in_the_vocabulary_is_part_of_its_word():
    vocabulary = [token for token in chinese_vocabulary() if token != "园"]
    preprocess = BertPreprocess(vocabulary=vocabulary)
    assert words("我们去公园吧", preprocess) == ["我们", "去", "公[UNK]", "吧"]


def test_each_ideograph_is_a_word_only_where_the_segmenter_says_so():
    """A switch that is shown to switch: the words are those of rjieba."""
    text = "中国人民银行今天宣布下调存款准备金率"
    assert words(text, PREPROCESS) == rjieba.cut(text)
    assert len(rjieba.cut(text)) < len(text) - 4


def test_texts_do_not_run_together():
    apart = tokenize_words(["天", "气", "", "很"], PREPROCESS)[1]
    assert apart.to_list() == [[True], [True], [], [True]]


def test_no_texts():
    ids, starts = tokenize_words([], PREPROCESS)
    assert ids.to_list() == starts.to_list() == []


def test_a_missing_segmenter_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rjieba", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'keras-bert-zh\[words\]'"):
        tokenize_words(["很好"], PREPROCESS)
