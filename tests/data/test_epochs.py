import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import shuffled_batches

TEXTS = ["天", "地", "人", "你", "我", "他", "她"]
NUMBERS = np.arange(7)


def taken(count, data=NUMBERS, size=3, **options):
    return list(shuffled_batches(data, size, **options).take(count))


def test_each_row_once_an_epoch_and_the_order_changes():
    rows = np.concatenate([batch.numpy() for batch in taken(14)])
    epochs = rows.reshape(6, 7)
    assert [sorted(epoch) for epoch in epochs.tolist()] == [list(range(7))] * 6
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 6
    other = np.concatenate([batch.numpy() for batch in taken(14, seed=1)])
    assert (rows != other).any()


@pytest.mark.parametrize("start", [1, 2, 5])
def test_it_goes_on_in_the_middle(start):
    whole, rest = taken(9), taken(9 - start, start=start)
    for one, other in zip(whole[start:], rest, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_belongs_together_stays_together():
    words = [[text] * (1 + row % 3) for row, text in enumerate(TEXTS)]
    ids = {"input_ids": NUMBERS[:, None] + [0, 10], "input_mask": tf.ones((7, 2), tf.int32)}
    pair = (TEXTS, np.array(TEXTS, dtype=object))
    tags = [[row] * len(parts) for row, parts in enumerate(words)]
    data = (pair, words, ids), {"label": list(range(7)), "tags": tags}, NUMBERS / 2
    batches = shuffled_batches(data, 3)
    # Batches are whole, and XLA is told so.
    assert batches.element_spec[0][0][0] == tf.TensorSpec([3], tf.string)
    for (pair, words, ids), labels, weights in batches.take(4):
        for index, row in enumerate(labels["label"].numpy()):
            assert [part[index].numpy().decode() for part in pair] == [TEXTS[row]] * 2
            assert words[index].numpy().tolist() == [TEXTS[row].encode()] * (1 + row % 3)
            assert labels["tags"][index].numpy().tolist() == [row] * (1 + row % 3)
            assert ids["input_ids"][index].numpy().tolist() == [row, row + 10]
            assert weights[index] == row / 2


def test_a_batch_may_be_larger_than_the_data():
    (batch,) = taken(1, size=16)
    assert sorted(np.bincount(batch)) == [2, 2, 2, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "data has no rows"),
        ((TEXTS, []), "data has no rows"),
        ("天", "data has no rows"),
        ((TEXTS, [0, 1]), r"one row for each text, got \[7, 2\] rows"),
    ],
)
def test_bad_data(data, message):
    with pytest.raises(ValueError, match=message):
        shuffled_batches(data, 2)
