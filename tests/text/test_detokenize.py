import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(None, max_length=32)


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("今天天气很好。", "今天天气很好。"),
        ("我用 Keras 写代码，对吧？", "我用 keras 写代码，对吧？"),
        ("Hello, world! It's 3.5元 (unaffable)", "hello, world! it's 3.5 元(unaffable)"),
        ("https://example.com/a-b", "https://example.com/a-b"),
        ("ひらかな と 漢字", "ひらかなと漢字"),
        ("", ""),
    ],
)
def test_readable(preprocess, text, readable):
    assert preprocess.detokenize(preprocess.tokenize(text)).numpy().decode() == readable
    assert preprocess.detokenize(preprocess(text)["input_ids"]).numpy().decode() == readable


def test_rows_do_not_touch_each_other(preprocess):
    texts = ["很好", "", "hello world", "", "好"]
    rows = preprocess.detokenize(preprocess.tokenize(texts)).numpy()
    assert [row.decode() for row in rows] == texts


def test_special_tokens(preprocess):
    ids = preprocess.special_ids
    row = [ids["[CLS]"], 791, ids["[MASK]"], 1921, ids["[UNK]"], ids["[SEP]"], ids["[PAD]"]]
    assert preprocess.detokenize([row]).numpy()[0].decode() == "今[MASK]天[UNK]"


@pytest.mark.parametrize("bad", [-1, 21128, 2**31 - 1])
def test_id_outside_the_vocabulary(preprocess, bad):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"ids must be in \[0, 21128\)"):
        preprocess.detokenize([[101, bad]])


@pytest.mark.parametrize("ids", [[[0.5]], 3, [[[1]]]])
def test_other_than_ids(preprocess, ids):
    with pytest.raises((TypeError, ValueError), match="ids must"):
        preprocess.detokenize(ids)
