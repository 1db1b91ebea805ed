"""Entities in texts, against what Python makes of the labels of their tokens."""

from random import Random

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess, TokenTagger
from keras_bert_zh.label_schemes import to_spans
from keras_bert_zh.layers import kernels
from tests.heads.rigged_tagger import LABELS, rigged_tagger
from tests.heads.text_models import fresh

PARTS = (
    *"北京天安门我在，。Ｔ１é̂ \t\u200b\u3000\ufffd\0\U0001f600\U0001f468\u200d\U0001f469",
    *("unaffable", "Tensorflow", "2026", "Ὀδυσσεύς", "Σ", "e\u0301a", "\u00ad", "ﬁne", "가"),
    "x" * 201,
)
BROKEN = (b"\xff", b"\xe5\x8c", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xc0\x80")


def random_texts(count, longest, seed=0):
    random = Random(seed)
    texts = ["".join(random.choices(PARTS, k=random.randrange(longest))) for _ in range(count)]
    return [*texts, "", "\u200b", "北京"]


def broken(text, random):
    """The text as bytes, some of which are no UTF-8."""
    parts = [char.encode() + (random.random() < 0.3) * random.choice(BROKEN) for char in text]
    return b"".join(parts)


def expected_entities(model, logits, texts):
    """The entities of texts, from their tokens and the logits of each id."""
    columns = (column.to_list() for column in model.preprocess.tokenize(texts, offsets=True))
    vocabulary = model.preprocess.vocabulary
    later = {index for index, token in enumerate(vocabulary) if token.startswith("##")}
    texts = [text if isinstance(text, str) else text.decode("utf-8", "ignore") for text in texts]
    return [
        entities_of(text, [*zip(*tokens, strict=True)], logits, later)
        for text, *tokens in zip(texts, *columns, strict=True)
    ]


def entities_of(text, tokens, logits, later):
    words = []
    for token, start, end in tokens:
        if words and token in later:
            words[-1][2] = end
        else:
            words.append([token, start, end])
    found = []
    for kind, first, last in to_spans([LABELS[logits[word[0]].argmax()] for word in words]):
        rows = np.array([logits[word[0]] for word in words[first:last]])
        scores = np.exp(rows.max(axis=1)) / np.exp(rows).sum(axis=1)
        start, end = words[first][1], words[last - 1][2]
        found.append((text[start:end], start, end, kind, scores.mean()))
    return found


def assert_entities(found, expected):
    rows = zip(
        *(found[key].to_list() for key in ("text", "start", "end", "label", "score")), strict=True
    )
    for row, entities in zip(rows, expected, strict=True):
        texts, starts, ends, labels, scores = row
        plain = [text.decode() for text in texts], starts, ends, [x.decode() for x in labels]
        assert [*zip(*plain, strict=True)] == [entity[:4] for entity in entities]
        np.testing.assert_allclose(scores, [entity[4] for entity in entities], rtol=1e-5)


@pytest.mark.parametrize("max_length", [128, 12], ids=["whole", "by windows"])
def test_entities_are_those_of_the_tokens(max_length):
    model, logits = rigged_tagger(max_length)
    texts = random_texts(100, 40)
    expected = expected_entities(model, logits, texts)
    assert sum(map(len, expected)) > 300
    assert_entities(model.entities(texts), expected)
    random = Random(0)
    texts = [broken(text, random) for text in texts]
    expected = expected_entities(model, logits, texts)
    assert_entities(model.entities(texts), expected)


def test_a_chain_is_decoded_over_windows():
    """With a CRF: the labels of all words of the text at once."""
    model, logits = rigged_tagger(12, crf=True)
    random = np.random.default_rng(0)
    for weight in model.crf.weights:
        weight.assign(random.normal(size=weight.shape))
    texts = random_texts(20, 40, seed=1)
    columns = [column.to_list() for column in model.preprocess.tokenize(texts, offsets=True)]
    vocabulary = model.preprocess.vocabulary
    expected = []
    for tokens in zip(*columns, strict=True):
        words = [row for row in zip(*tokens, strict=True) if vocabulary[row[0]][:2] != "##"]
        if not words:
            expected.append([])
            continue
        scores = logits[[token for token, _, _ in words]][None]
        labels = np.asarray(model.crf.decode(scores)[0][0])
        chances = np.asarray(model.crf.marginals(scores)[0])
        spans = to_spans([LABELS[label] for label in labels])
        expected.append(
            [
                (kind, words[first][1], chances[range(first, last), labels[first:last]].mean())
                for kind, first, last in spans
            ]
        )
    found = model.entities(texts)
    for row, entities in enumerate(expected):
        assert found["label"][row].numpy().tolist() == [kind.encode() for kind, _, _ in entities]
        assert found["start"][row].numpy().tolist() == [start for _, start, _ in entities]
        np.testing.assert_allclose(
            found["score"][row], [score for _, _, score in entities], atol=1e-5
        )
    assert found["text"].flat_values.shape[0] > 50


def test_what_entities_takes(monkeypatch):
    model, _ = rigged_tagger(16)
    expected = {key: value.to_list() for key, value in model.entities(["我在北京", ""]).items()}
    for texts in (np.array(["我在北京", ""]), tf.constant([["我在北京"], [""]])):
        found = {key: value.to_list() for key, value in model.entities(texts).items()}
        assert found == expected
    assert {value.nrows().numpy() for value in model.entities([]).values()} == {0}
    # Also where the preprocess is for training on words.
    config = {**model.preprocess.get_config(), "word_ids": True}
    words = BertPreprocess.from_config(config)
    of_words = TokenTagger(model.encoder, model.labels, preprocess=words)
    of_words.set_weights(model.get_weights())
    found = {key: value.to_list() for key, value in of_words.entities(["我在北京", ""]).items()}
    assert found == expected
    with pytest.raises(ValueError, match=r"^This TokenTagger takes words, .* without word_ids"):
        of_words.signature()
    with pytest.raises(ValueError, match=r"For a single text, pass \[text\]"):
        model.entities("我在北京")
    with pytest.raises(ValueError, match="single texts, got pairs"):
        model.entities((["我"], ["在"]))
    with pytest.raises(ValueError, match="got texts that are split into words"):
        model.entities([["我", "在"]])
    with pytest.raises(ValueError, match="takes a dict of input_ids"):
        fresh(TokenTagger).entities(["我在北京"])
    monkeypatch.setattr(kernels, "ON_TENSORFLOW", False)
    with pytest.raises(ValueError, match="entities works only on the TensorFlow backend"):
        model.entities(["我在北京"])
