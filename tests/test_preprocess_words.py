"""Which of the given words each token is a piece of."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess, batch_by_length

WORDS = [["我", "用", "\u200b", "Keras", "", "unaffable", "。"], [], ["今天", "很好"]]
RAGGED = tf.ragged.constant(WORDS)
LENGTH = 12


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(None, max_length=LENGTH, word_ids=True)


@pytest.fixture(scope="module")
def expected(preprocess):
    return preprocess(WORDS)["word_ids"].numpy()


def test_each_token_is_a_piece_of_its_word(preprocess, expected):
    """A word is what its own tokens say; one without tokens has a number all the same."""
    single = BertPreprocess(None)
    for words, row in zip(WORDS, expected.tolist(), strict=True):
        counts = [len(single.tokenize(word)) for word in words]
        ids = [index for index, count in enumerate(counts) for _ in range(count)][: LENGTH - 2]
        assert row == [-1, *ids, -1, *[-1] * (LENGTH - 2 - len(ids))]
    assert expected[0].tolist() == [-1, 0, 1, 3, 3, 3, 5, 5, 5, 5, 6, -1]


def test_the_other_outputs_are_the_same(preprocess):
    without = BertPreprocess(None, max_length=LENGTH)(WORDS)
    outputs = preprocess(WORDS)
    assert set(outputs) - set(without) == {"word_ids"}
    for name, values in without.items():
        np.testing.assert_array_equal(outputs[name], values)


def test_pairs_count_each_text_on_its_own(preprocess):
    rows = preprocess(([["好", "不好"]], [["很", "好"]]))["word_ids"].numpy().tolist()
    assert rows == [[-1, 0, 1, 1, -1, 0, 1, -1, -1, -1, -1, -1]]


def test_every_route_gives_one_answer(preprocess, expected, tmp_path):
    words = keras.Input([None], dtype="string", ragged=True)
    functional, sequential = keras.Model(words, preprocess(words)), keras.Sequential([preprocess])
    np.testing.assert_array_equal(sequential.predict(RAGGED, verbose=0)["word_ids"], expected)
    functional.save(tmp_path / "words.keras")
    archive = keras.export.ExportArchive()
    archive.track(sequential)
    spec = tf.RaggedTensorSpec([None, None], tf.string)
    archive.add_endpoint("serve", tf.function(sequential, input_signature=[spec]))
    archive.write_out(tmp_path / "words", verbose=False)
    batches = batch_by_length(tf.data.Dataset.from_tensor_slices(RAGGED), preprocess, 3)
    for outputs in (
        functional.predict(RAGGED, verbose=0),
        keras.saving.load_model(tmp_path / "words.keras").predict(RAGGED, verbose=0),
        tf.saved_model.load(tmp_path / "words").serve(RAGGED),
        next(iter(batches)),
    ):
        np.testing.assert_array_equal(outputs["word_ids"], expected)


def test_offsets_are_within_the_word(expected):
    outputs = BertPreprocess(None, max_length=LENGTH, word_ids=True, offsets=True)(WORDS)
    np.testing.assert_array_equal(outputs["word_ids"], expected)
    columns = (outputs[name].numpy()[0].tolist() for name in ("word_ids", "starts", "ends"))
    pieces = [
        (word, WORDS[0][word][start:end])
        for word, start, end in zip(*columns, strict=True)
        if word >= 0
    ]
    assert pieces[:5] == [(0, "我"), (1, "用"), (3, "K"), (3, "era"), (3, "s")]
    assert "".join(piece for word, piece in pieces if word == 5) == "unaffable"


def test_arrays_have_as_many_words_in_each_text(preprocess):
    words = [["我", "很好"], ["", "Keras"]]
    expected = preprocess(words)["word_ids"]
    for form in (np.array(words, dtype=object), np.array(words), tf.constant(words)):
        np.testing.assert_array_equal(preprocess(form)["word_ids"], expected)
    # One word each, where without word_ids it would be one text each.
    column = preprocess(np.array([["很好"], ["好"]], dtype=object))["word_ids"]
    assert column.numpy()[:, 1:4].tolist() == [[0, 0, -1], [0, -1, -1]]
    assert preprocess([])["word_ids"].shape == (0, LENGTH)


@pytest.mark.parametrize(
    "texts", [["好"], "好", np.array(["好"]), tf.constant(["好"]), keras.Input((), dtype="string")]
)
def test_texts_that_are_not_split(preprocess, texts):
    with pytest.raises(ValueError, match=r"^texts: with word_ids=True each text must be split"):
        preprocess(texts)
