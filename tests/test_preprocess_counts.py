"""What BertPreprocess counts: texts that are cut, of which it warns; the tokens of each word."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import (
    BertConfig,
    BertEncoder,
    BertPreprocess,
    SentenceEncoder,
    TextClassifier,
    TruncationWarning,
)
from keras_bert_zh.checkpoints.pooling import Pooling
from tests.export.models import exported


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(None, max_length=12)


def test_count_truncated(preprocess):
    fits, too_long = "好" * 10, "好" * 11
    for texts, counts in [
        (too_long, (1, 1)),
        (fits, (0, 0)),
        ([], (0, 0)),
        (np.array([too_long, fits, "好" * 30], dtype=object), (2, 21)),
        ([["好" * 6, "好" * 4], ["好" * 6, "好" * 5], []], (1, 1)),
        ((["好" * 4] * 3, ["好" * 5, "好" * 6, ""]), (1, 1)),
        (([too_long, fits], ["", "好"]), (2, 3)),
        ({"text_a": [too_long]}, (1, 1)),
    ]:
        counted = preprocess.count_truncated(texts)
        assert counted == (counted.texts, counted.tokens) == counts
        assert {type(count) for count in counted} == {int}


LONG = ["好" * 12, "好", "好" * 15]
SAYS = "max_length=12 cuts 2 of 3 checked texts: 7 of their tokens are left out"


@pytest.fixture
def fresh():
    return BertPreprocess(None, max_length=12)


@pytest.fixture
def encoder():
    config = BertConfig(
        hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4
    )
    return BertEncoder(None, config=config)


def small_model(encoder, preprocess):
    model = TextClassifier(encoder, ["a", "b"], preprocess=preprocess)
    model.compile(loss="sparse_categorical_crossentropy")
    return model


def warned(call):
    """Calls it twice, and returns the messages and where they point."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TruncationWarning)
        for _ in range(2):
            call()
    ours = [found for found in caught if found.category is TruncationWarning]
    return [str(found.message) for found in ours], {found.filename for found in ours}


def test_cuts_are_told_once_where_texts_are_given(fresh):
    messages, files = warned(lambda: fresh(LONG))
    assert len(messages) == 1
    assert messages[0].startswith(SAYS)
    assert files == {__file__}
    pair = BertPreprocess(None, max_length=12)
    (message,), _ = warned(lambda: pair((["好" * 8], ["好" * 7])))
    assert message.startswith("max_length=12 cuts 1 of 1 checked texts: 6 of")
    question = BertPreprocess(None, max_length=12)
    (message,), _ = warned(lambda: question.windows((["好" * 6, "好"], ["好" * 90] * 2)))
    assert message.startswith("max_length=12 cuts 1 of 2 checked texts: 2 of")


def test_nothing_is_told_of_texts_that_fit_in_graphs_or_where_it_is_not_wanted(fresh):
    silent = BertPreprocess(None, max_length=12, warn_of_cuts=False)
    dataset = tf.data.Dataset.from_tensors(LONG)
    assert warned(lambda: fresh(["好" * 10, ""])) == ([], set())
    assert warned(lambda: list(dataset.map(fresh))) == ([], set())
    assert warned(lambda: silent(LONG)) == warned(lambda: silent.look_for_cuts(LONG)) == ([], set())
    assert BertPreprocess.from_config(silent.get_config()).warn_of_cuts is False


@pytest.mark.slow
@pytest.mark.parametrize("route", ["fit", "predict", "exported", "pairs"])
def test_models_of_texts_tell(encoder, fresh, route, tmp_path):
    model = small_model(encoder, fresh)
    short, labels = ["好"] * 3, [0, 1, 0]
    elsewhere = exported(model, tmp_path / "model") if route == "exported" else None
    call = {
        "fit": lambda: model.fit(short, labels, validation_data=(LONG, labels), verbose=0),
        "predict": lambda: model.predict(np.array(LONG, dtype=object), verbose=0),
        "exported": lambda: elsewhere(LONG),
        "pairs": lambda: model.predict((["好" * 9, "", "好" * 12], ["好" * 5, "", ""]), verbose=0),
    }[route]
    (message,), files = warned(call)
    assert message.startswith(SAYS)
    assert files == {__file__}


def test_a_prompt_counts(encoder, fresh):
    pooling = Pooling("mean", max_length=12, prompts={"ask": "好好"}, default_prompt="ask")
    model = SentenceEncoder(encoder, pooling, preprocess=fresh)
    assert warned(lambda: model.predict(["好" * 8], verbose=0)) == ([], set())
    (message,), _ = warned(lambda: model.predict(["好" * 9, "好"], verbose=0))
    assert "cuts 1 of 2 checked texts: 1 of" in message


def test_of_many_texts_some_are_looked_at(fresh):
    texts = np.array(["好" * 11] * 25_000, dtype=object)
    (message,), _ = warned(lambda: fresh.look_for_cuts(texts))
    assert message.startswith("max_length=12 cuts 8,334 of 8,334 checked texts")
    words = tf.ragged.constant([["好", "好" * 10]] * 3)
    # In all, as often as it is called.
    looked_at = BertPreprocess(None, max_length=12)
    looked_at.look_for_cuts(["好"] * 9_999)
    assert warned(lambda: looked_at.look_for_cuts(["好" * 10])) == ([], set())
    assert warned(lambda: looked_at(LONG)) == ([], set())
    split = BertPreprocess(None, max_length=12, word_ids=True)
    assert split.count_truncated(tf.constant([["好", "好" * 10]])) == (1, 1)
    other = BertPreprocess(None, max_length=12)
    (message,), _ = warned(lambda: other.look_for_cuts(words))
    assert "3 of 3 checked texts" in message


def test_words_without_tokens_shift_no_labels(preprocess):
    """As the README says: the tokens of each word alone are those it has in its text."""
    words = ["中", "\u200b", "国", "", "Keras", " ", "unaffable", "\0", "\ufeff", "好天"]
    counts = preprocess.tokenize(words).row_lengths().numpy()
    assert counts.tolist() == [1, 0, 1, 0, 3, 0, 4, 0, 0, 2]
    (tokens,) = preprocess.tokenize([words]).to_list()
    of_words = np.repeat(np.arange(len(words)), counts)
    assert len(of_words) == len(tokens)
    for index, word in enumerate(words):
        own = [token for token, of_word in zip(tokens, of_words, strict=True) if of_word == index]
        assert own == preprocess.tokenize(word).numpy().tolist()
