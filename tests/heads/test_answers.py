"""Answers of a SpanReader against brute force over all spans."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess, SpanReader, span_labels
from keras_bert_zh.text.spans import best_spans

QUESTIONS = ["谁?", "哪里?", "什么时候?", "几个?"]
TEXTS = ["这本书是Lu Xun写的， 后来很多人读。", "", "在🙂北京的公园", "一"]


@pytest.fixture(scope="module")
def reader():
    keras.utils.set_random_seed(5)
    preprocess = BertPreprocess(None, max_length=13)
    config = BertConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=13,
        initializer_range=0.5,
    )
    return SpanReader(BertEncoder(None, config=config, dropout=0.0), preprocess=preprocess)


def by_brute_force(preprocess, logits, pair, stride, max_length):
    """The highest probability and its characters, by looking at each span of each window."""
    windows = preprocess.windows(([pair[0]], [pair[1]]), stride, offsets=True)
    windows = {key: value.numpy() for key, value in windows.items()}
    start_logits, end_logits = map(tf.nn.log_softmax, logits(windows))
    start_logits, end_logits = start_logits.numpy(), end_logits.numpy()
    best, span = -np.inf, (0, 0)
    sep = preprocess.special_ids["[SEP]"]
    for row, ids in enumerate(windows["input_ids"]):
        separators = np.flatnonzero(ids == sep)
        inside = range(separators[0] + 1, separators[-1])
        for first in inside:
            for last in inside:
                good = windows["is_max_context"][row, first] and 0 <= last - first < max_length
                score = start_logits[row, first] + end_logits[row, last]
                if good and score > best:
                    best = score
                    span = windows["starts"][row, first], windows["ends"][row, last]
    return np.exp(best), span, np.exp((start_logits[:, 0] + end_logits[:, 0]).min())


@pytest.mark.parametrize(("stride", "max_length"), [(1, 1), (2, 3), (None, 2**40)])
def test_the_best_span(reader, stride, max_length):
    def logits(windows):
        found = reader({key: windows[key] for key in ("input_ids", "input_mask", "segment_ids")})
        return found["start_logits"].numpy(), found["end_logits"].numpy()

    found = reader.answers(QUESTIONS, TEXTS, stride=stride, max_answer_length=max_length)
    found = {key: value.numpy() for key, value in found.items()}
    for row, pair in enumerate(zip(QUESTIONS, TEXTS, strict=True)):
        score, (start, end), null = by_brute_force(
            reader.preprocess, logits, pair, stride, max_length
        )
        assert (found["start"][row], found["end"][row]) == (start, end)
        assert found["text"][row].decode() == pair[1][start:end]
        assert abs(found["null_score"][row] - null) < 1e-6
        assert abs(found["score"][row] - score) < 1e-6 if pair[1] else found["score"][row] == 0
    assert found["text"][0] != b""
    gaps = found["null_score"] - found["score"]
    for threshold in (gaps[0] - 1e-6, gaps[0] + 1e-6):
        asked = reader.answers(
            QUESTIONS,
            TEXTS,
            stride=stride,
            max_answer_length=max_length,
            null_threshold=threshold,
        )
        kept = (gaps <= threshold) & (found["score"] > 0)
        assert asked["text"].numpy().tolist() == np.where(kept, found["text"], b"").tolist()
        assert asked["end"].numpy().tolist() == np.where(kept, found["end"], 0).tolist()


def test_of_many_windows_with_equal_scores():
    """Of few different logits many are ties: the first one wins, as in a loop."""
    rng = np.random.default_rng(1)
    preprocess = BertPreprocess(None, max_length=9)
    texts = ["一二三四五六七八九十" * 2, "一二", "一二三四五六七"]
    windows = preprocess.windows((["问"] * 3, texts), 2)
    for _ in range(20):
        logits = rng.integers(-2, 3, (2, *windows["input_ids"].shape)).astype("float32")
        spans = best_spans(*logits, windows, max_length=3)
        start, end = (tf.nn.log_softmax(scores).numpy() for scores in logits)
        for text in range(3):
            candidates = [
                (start[w, i] + end[w, j], -w, -j, -i)
                for w in np.flatnonzero(windows["text_ids"] == text)
                for j in range(3, 8)
                for i in range(max(j - 2, 3), j + 1)
                if windows["is_max_context"][w, i] and windows["input_mask"][w, j + 1]
            ]
            _, window, last, first = max(candidates)
            assert spans.window[text] == -window
            assert (spans.first[text], spans.last[text]) == (-first, -last)


def test_labels_of_spans(reader):
    """Each token of an answer is found in the windows that hold the whole of it."""
    preprocess = reader.preprocess
    text = TEXTS[0]
    for answer in ("Lu Xun", "这", "读。", "u X", text, ""):
        start = text.index(answer)
        windows, labels = span_labels(preprocess, ["谁?"], [text], [answer], [start], stride=2)
        places = preprocess.windows((["谁?"], [text]), 2, offsets=True)
        ids = preprocess.tokenize([text], offsets=True)
        wanted = [
            token
            for token, first, last in zip(*(column[0].numpy() for column in ids), strict=True)
            if last > start and first < start + len(answer)
        ]
        found = 0
        for row, ids in enumerate(windows["input_ids"].numpy()):
            first, last = (int(labels[key][row]) for key in ("start_logits", "end_logits"))
            if first:
                assert ids[first : last + 1].tolist() == wanted
                assert places["starts"][row, first] <= start
                assert places["ends"][row, last] >= start + len(answer)
                found += 1
            else:
                assert last == 0
        if not answer:
            for anywhere in (-1, 1, 500):
                _, again = span_labels(preprocess, ["谁?"], [text], [""], [anywhere], stride=2)
                assert not any(np.any(column) for column in again.values())
        longest = 13 - 3 - 2
        assert (found > 0) == (0 < len(wanted) <= longest - 1 or answer in ("这", "读。"))


def test_an_answer_that_is_elsewhere_is_refused(reader):
    for answer, start in (("鲁迅", 3), ("这", 1), ("这", 500), ("读", -1)):
        given = ["谁?"] * 2, [TEXTS[0]] * 2, ["这", answer], [0, start]
        message = f"Text 1: the answer {answer} is not at {start}, where it should be"
        with pytest.raises(ValueError, match=message):
            span_labels(reader.preprocess, *given)
    data = tf.data.Dataset.from_tensors(given)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Text 1: .* is not at -1,"):
        list(data.map(lambda *given: span_labels(reader.preprocess, *given)))
    with pytest.raises(ValueError, match="There must be as many answers as texts"):
        span_labels(reader.preprocess, *given[:2], ["这"], [0, 0])


@pytest.mark.slow
def test_a_trained_model_finds_answers_through_windows(reader):
    """Answers are in few of the windows, and longer than a token."""
    rng = np.random.default_rng(0)
    questions, texts, answers, starts = [], [], [], []
    for _ in range(24):
        words = rng.permutation(list("天地人山水火木金土日月星"))
        place = rng.integers(0, 13)
        answers.append(rng.choice(list("甲乙丙丁")) + "年")
        texts.append("".join([*words[:place], answers[-1], *words[place:]]))
        questions.append("哪年?")
        starts.append(place)
    windows, labels = span_labels(reader.preprocess, questions, texts, answers, starts, stride=4)
    assert 0 < np.count_nonzero(labels["start_logits"]) < len(labels["start_logits"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    reader.compile(keras.optimizers.Adam(1e-2), dict.fromkeys(labels, loss))
    reader.fit(windows, labels, batch_size=32, epochs=12, verbose=0)
    found = reader.answers(questions, texts, stride=4)
    assert [text.decode() for text in found["text"].numpy()] == answers
    assert found["start"].numpy().tolist() == starts


def test_what_is_refused(reader):
    with pytest.raises(ValueError, match=r"For a single question, pass \[question\] and \[text\]"):
        reader.answers("谁?", "我")
    with pytest.raises(ValueError, match="texts that are split into words"):
        reader.answers([["谁"]], [["我"]])
    with pytest.raises(
        ValueError, match="null_threshold must be a number of at least -1, got 'no'"
    ):
        reader.answers(["谁?"], ["我"], null_threshold="no")
    for texts in (["我"], tf.constant(["我"]), {"text_a": ["我"]}):
        with pytest.raises(ValueError, match=r"pass the tuple \(questions, texts\)"):
            reader(texts)
    with pytest.raises(ValueError, match=r"pass the tuple \(questions, texts\)"):
        reader.predict(["我"], verbose=0)
