import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess, batch_windows

TEXTS = ["好" * (number % 30) for number in range(70)]


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(None, max_length=9)


def test_every_window_has_the_label_of_its_text(preprocess):
    """Texts are counted through the dataset, whatever is cut at once."""
    labels = np.arange(70) * 3
    data = tf.data.Dataset.from_tensor_slices((TEXTS, labels, labels * 0.5))
    batches = list(batch_windows(data, preprocess, 16, stride=3))
    expected = preprocess.windows(TEXTS, 3)
    for key, value in expected.items():
        assert np.array_equal(np.concatenate([inputs[key] for inputs, *_ in batches]), value)
    found = np.concatenate([label for _, label, _ in batches])
    assert found.tolist() == (expected["text_ids"].numpy() * 3).tolist()
    assert np.array_equal(np.concatenate([weight for *_, weight in batches]), found * 0.5)
    assert {len(label) for _, label, _ in batches[:-1]} == {16}


def test_pairs_and_words(preprocess):
    pairs = tf.data.Dataset.from_tensor_slices((["谁"] * 3, TEXTS[:3]))
    (inputs,) = batch_windows(pairs, preprocess, 8)
    tf.debugging.assert_equal(inputs["input_ids"], preprocess((["谁"] * 3, TEXTS[:3]))["input_ids"])
    words = tf.data.Dataset.from_tensor_slices(tf.ragged.constant([["好"] * 9, ["很", "好"]]))
    (inputs,) = batch_windows(words, preprocess, 8)
    assert inputs["text_ids"].numpy().tolist() == [0, 0, 1]


def test_what_is_refused(preprocess):
    with pytest.raises(TypeError, match=r"dataset must be a tf\.data\.Dataset, got list"):
        batch_windows(TEXTS, preprocess, 2)
    with pytest.raises(ValueError, match=r"pass dataset\.unbatch"):
        batch_windows(tf.data.Dataset.from_tensors(TEXTS), preprocess, 2)
