"""Windows of long texts against those of google-research/bert `run_squad.py`."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess, join_first, join_mean, join_tokens
from keras_bert_zh.text.packing import pack
from keras_bert_zh.text.windows import to_windows

RNG = np.random.default_rng(5)


def doc_spans(tokens, room, stride):
    """`convert_examples_to_features` of google-research/bert `run_squad.py`."""
    span = collections.namedtuple("DocSpan", ["start", "length"])
    spans, start = [], 0
    while start < tokens:
        length = min(tokens - start, room)
        spans.append(span(start, length))
        if start + length == tokens:
            break
        start += min(length, stride)
    return spans


def check_is_max_context(spans, index, position):
    """`_check_is_max_context` there, in hundredths: 0.01 is none of binary numbers."""
    best_score = best_index = None
    for number, span in enumerate(spans):
        end = span.start + span.length - 1
        if not span.start <= position <= end:
            continue
        score = 100 * min(position - span.start, end - position) + span.length
        if best_score is None or score > best_score:
            best_score, best_index = score, number
    return index == best_index


def original(question, text, max_length, stride):
    """The windows of one pair, or of one text: ids, and which of them have the most context."""
    if question is None:
        before, room = ["CLS"], max_length - 2
    else:
        question = question[: (max_length - 3) // 2]
        before, room = ["CLS", *question, "SEP"], max_length - 3 - len(question)
    spans = doc_spans(len(text), room, stride)
    for index, (start, length) in enumerate(spans):
        ids = [*before, *text[start : start + length], "SEP"]
        is_max = [
            check_is_max_context(spans, index, start + place - len(before))
            if len(before) <= place < len(ids) - 1
            else False
            for place in range(max_length)
        ]
        yield ids + ["PAD"] * (max_length - len(ids)), is_max
    if not spans:  # The original has no windows of nothing.
        ids = [*before, "SEP"][: len(before) + (question is None)]
        yield ids + ["PAD"] * (max_length - len(ids)), [False] * max_length


def ragged(lengths, first):
    values = tf.range(first, first + sum(lengths))
    return {"ids": tf.RaggedTensor.from_row_lengths(values, lengths)}


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize(("max_length", "stride"), [(4, 1), (7, 2), (12, 3), (12, 40), (260, 90)])
def test_as_in_the_original(pairs, max_length, stride):
    lengths = [*range(max_length + 2), *RNG.integers(0, 5 * max_length, 10).tolist()]
    others = RNG.integers(0, max_length, len(lengths)).tolist() if pairs else [0] * len(lengths)
    texts, questions = ragged(lengths, 1000), ragged(others, 50000)
    first, second = (questions, texts) if pairs else (texts, {})
    found = to_windows(first, second, max_length=max_length, stride=stride)
    special = {"cls_id": 1, "sep_id": 2, "pad_id": 0}
    beside = (found.second or found.first)["is_max_context"]
    expected = [
        (row, *window)
        for row, (question, text) in enumerate(
            zip(questions["ids"].to_list(), texts["ids"].to_list(), strict=True)
        )
        for window in original(question if pairs else None, text, max_length, stride)
    ]
    ids = pack(found.first["ids"], found.second.get("ids"), max_length=max_length, **special)
    names = {"CLS": 1, "SEP": 2, "PAD": 0}
    assert found.text_ids.numpy().tolist() == [row for row, _, _ in expected]
    for ours, (_, theirs, _) in zip(ids["input_ids"].numpy().tolist(), expected, strict=True):
        assert ours == [names.get(token, token) for token in theirs]
    for ours, (_, theirs, is_max) in zip(beside.to_list(), expected, strict=True):
        of_text = [place for place, token in enumerate(theirs) if isinstance(token, int)]
        of_text = [place for place in of_text if theirs[place] < 50000]
        assert ours == [int(is_max[place]) for place in of_text]


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(None, max_length=9, offsets=True)


TEXTS = [
    "今天天气很好，我们去公园吧。" * 3,
    "",
    "unaffable 很好",
    "一二三四五六七",
    "一二三四五六七八",
]


@pytest.mark.parametrize("stride", [1, 3, None, 100])
def test_no_token_is_lost_or_doubled(preprocess, stride):
    ids, starts, ends = preprocess.tokenize(TEXTS, offsets=True)
    for texts in (TEXTS, (["谁？", "很长的问题，不是吗", "", "好", "好"], TEXTS)):
        windows = preprocess.windows(texts, stride)
        for key, tokens in (("input_ids", ids), ("starts", starts), ("ends", ends)):
            assert join_tokens(windows[key], windows).to_list() == tokens.to_list()


def test_a_text_that_fits_is_what_the_layer_returns(preprocess):
    assert sorted(preprocess.windows("好")) == sorted(
        [*preprocess("好"), "text_ids", "is_max_context"]
    )
    for texts in (["很好", "", "一二三四五六七"], (["谁", "好"], ["我们", ""])):
        windows, packed = preprocess.windows(texts), preprocess(texts)
        assert windows["text_ids"].numpy().tolist() == list(range(len(windows["text_ids"])))
        for key, value in packed.items():
            tf.debugging.assert_equal(windows[key], value)


def test_joined_in_a_graph_of_unknown_sizes(preprocess):
    spec = tf.TensorSpec([None], tf.string)

    @tf.function(input_signature=[spec])
    def back(texts):
        windows = preprocess.windows(texts, stride=2)
        number = tf.range(tf.size(windows["text_ids"]), dtype=tf.float32)
        tokens = join_tokens(windows["input_ids"], windows)
        return tokens, join_mean(number, windows), join_first(number, windows)

    ids, mean, first = back(tf.constant(TEXTS))
    assert ids.to_list() == preprocess.tokenize(TEXTS).to_list()
    counts = np.bincount(preprocess.windows(TEXTS, stride=2)["text_ids"])
    begins = np.cumsum(counts) - counts
    assert first.numpy().tolist() == begins.tolist()
    np.testing.assert_allclose(mean, begins + (counts - 1) / 2)
    ids, mean, first = back(tf.constant([], tf.string))
    assert ids.to_list() == []
    assert mean.shape == first.shape == (0,)


def test_words_that_come_split():
    """They may be cut between their pieces, and keep their numbers."""
    preprocess = BertPreprocess(None, max_length=5, word_ids=True)
    texts = [["我", "unaffable", "\u200b", "很好"], []]
    windows = preprocess.windows(texts, stride=1)
    assert join_tokens(windows["word_ids"], windows).to_list() == [[0, 1, 1, 1, 1, 3, 3], []]


def test_too_short_for_pairs():
    with pytest.raises(ValueError, match="max_length=4 or more, got 3"):
        BertPreprocess(None, max_length=3).windows(("好", "好"))
