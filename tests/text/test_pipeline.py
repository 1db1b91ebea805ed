"""Layers of one vocabulary share what is made of it, and of another one they do not."""

from keras_bert_zh import BertPreprocess
from keras_bert_zh.text.pipeline import text_pipeline

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]


def test_what_is_made_of_a_vocabulary_is_made_once():
    before = text_pipeline.cache_info().misses
    layers = [BertPreprocess(vocabulary=WORDS, max_length=length) for length in (4, 8)]
    assert text_pipeline.cache_info().misses == before + 1
    assert [layer(["a b"])["input_ids"].shape[1] for layer in layers] == [4, 8]


def test_what_differs_is_not_shared():
    found = [
        BertPreprocess(vocabulary=words, lowercase=lowercase).tokenize(["A a"]).to_list()
        for words in (WORDS, [*WORDS, "A"])
        for lowercase in (True, False)
    ]
    assert found == [[[5, 5]], [[1, 5]], [[5, 5]], [[7, 5]]]
    marked = BertPreprocess(vocabulary=WORDS, special_tokens_in_text=True)
    assert marked.tokenize(["[MASK]"]).to_list() == [[4]]
    assert BertPreprocess(vocabulary=WORDS).tokenize(["[MASK]"]).to_list() == [[1, 1, 1]]
