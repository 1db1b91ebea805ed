import pytest
import tensorflow as tf

from keras_bert_zh.text.packing import Beside, left_out, pack

IDS = {"cls_id": 101, "sep_id": 102, "pad_id": 0}


def original(first, second, max_length):
    """`convert_single_example` of google-research/bert, one token at a time."""
    first, second = list(first), list(second)
    if second:
        while len(first) + len(second) > max_length - 3:
            (first if len(first) > len(second) else second).pop()
    else:
        first = first[: max_length - 2]
    ids, segments = [101, *first, 102], [0] * (len(first) + 2)
    if second:
        ids += [*second, 102]
        segments += [1] * (len(second) + 1)
    padding = [0] * (max_length - len(ids))
    return ids + padding, [1] * len(ids) + padding, segments + padding


def packed_rows(first, second, max_length):
    def ragged(rows):
        return tf.ragged.constant(rows, tf.int32, ragged_rank=1)

    packed = pack(
        ragged(first), None if second is None else ragged(second), max_length=max_length, **IDS
    )
    assert all(value.dtype == tf.int32 for value in packed.values())
    arrays = [packed[key].numpy().tolist() for key in ("input_ids", "input_mask", "segment_ids")]
    return list(zip(*arrays, strict=True))


@pytest.mark.parametrize("max_length", [3, 4, 5, 6, 7, 8, 13, 32])
def test_all_pairs_of_lengths(max_length):
    lengths = [(a, b) for a in range(max_length + 3) for b in range(max_length + 3)]
    first = [list(range(1000, 1000 + a)) for a, _ in lengths]
    second = [list(range(2000, 2000 + b)) for _, b in lengths]
    assert packed_rows(first, second, max_length) == [
        original(a, b, max_length) for a, b in zip(first, second, strict=True)
    ]
    assert packed_rows(first, None, max_length) == [original(a, [], max_length) for a in first]


@pytest.mark.parametrize("max_length", [3, 4, 7, 13])
def test_values_beside_the_tokens_are_laid_out_with_them(max_length):
    lengths = [(a, b) for a in range(max_length + 3) for b in range(max_length + 3)]
    first, second = (
        tf.RaggedTensor.from_row_lengths(tf.range(1000, 1000 + sum(column)), column)
        for column in zip(*lengths, strict=True)
    )
    for one, two in ((first, second), (first, None)):
        beside = {
            "same": Beside(one, two, -1),
            "negative": Beside(-one, None if two is None else -two, 7),
        }
        packed = pack(one, two, max_length=max_length, **IDS, beside=beside)
        same, negative = packed["same"], packed["negative"]
        is_token = packed["input_ids"] >= 1000
        tf.debugging.assert_equal(same, tf.where(is_token, packed["input_ids"], -1))
        tf.debugging.assert_equal(negative, tf.where(is_token, -packed["input_ids"], 7))


@pytest.mark.parametrize("max_length", [3, 4, 5, 8])
def test_rows_that_are_cut_miss_tokens(max_length):
    lengths = [(a, b) for a in range(max_length + 3) for b in range(max_length + 3)]
    first, second = (
        tf.RaggedTensor.from_row_lengths(tf.zeros([sum(column)], tf.int32), column)
        for column in zip(*lengths, strict=True)
    )
    for other, expected in (
        (second, [max(0, a + b + (3 if b else 2) - max_length) for a, b in lengths]),
        (None, [max(0, a + 2 - max_length) for a, _ in lengths]),
    ):
        assert left_out(first, other, max_length=max_length).numpy().tolist() == expected


def test_empty_batch():
    packed = pack(tf.ragged.constant([], tf.int32, ragged_rank=1), None, max_length=5, **IDS)
    assert [value.shape for value in packed.values()] == [(0, 5)] * 3
