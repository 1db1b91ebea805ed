import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess, MaskTokens, PackedText
from tests.data.packed_text.common import LENGTH, VOCABULARY, batches_of, in_file, same


class TestBatches:
    def test_what_they_hold(self, packed):
        inputs, step = next(iter(packed.batches(6)))
        assert list(inputs) == ["input_ids", "input_mask", "segment_ids"]
        assert {(value.dtype, tuple(value.shape)) for value in inputs.values()} == {
            (tf.int32, (6, LENGTH))
        }
        assert inputs["input_mask"].numpy().all()
        assert not inputs["segment_ids"].numpy().any()
        assert (step.dtype, int(step)) == (tf.int64, 0)

    def test_element_spec(self, packed):
        inputs, step = packed.batches(6).element_spec
        assert {tuple(spec.shape) for spec in inputs.values()} == {(6, LENGTH)}
        assert step == tf.TensorSpec([], tf.int64)
        assert packed.batches(6).cardinality() == tf.data.INFINITE_CARDINALITY
        assert packed.batches(6, count=5).cardinality() == 5
        held_out = packed.batches(4, part="held_out")
        assert held_out.element_spec[0]["input_ids"].shape.as_list() == [None, LENGTH]
        assert held_out.cardinality() == -(-packed.rows("held_out") // 4)
        (whole,) = packed.batches(packed.rows("held_out"), part="held_out").element_spec[:1]
        assert whole["input_ids"].shape.as_list() == [packed.rows("held_out"), LENGTH]

    def test_every_row_once_an_epoch_in_another_order(self, packed):
        """Rows are told apart by their place in the file; some have the same tokens."""
        rows = in_file(packed)
        kept = np.delete(rows, np.s_[99::100], axis=0).tolist()
        count = packed.rows("train")
        found = [
            inputs["input_ids"][0].tolist()
            for inputs, _ in batches_of(packed.batches(1, count=2 * count))
        ]
        first, second = found[:count], found[count:]
        assert sorted(first) == sorted(second) == sorted(kept)
        assert sum(a == b for a, b in zip(first, second, strict=True)) < 20
        assert sum(a == b for a, b in zip(first, kept, strict=True)) < 20

    def test_batches_go_on_over_the_end_of_an_epoch(self, packed):
        single = [row["input_ids"][0] for row, _ in batches_of(packed.batches(1, count=2100))]
        batches = [rows["input_ids"] for rows, _ in batches_of(packed.batches(7, count=300))]
        assert packed.rows("train") % 7
        np.testing.assert_array_equal(np.concatenate(batches), single)

    def test_a_batch_of_more_rows_than_there_are(self, write):
        packed = write("今天气很好我们去公园吧", sequence_length=5)
        assert packed.rows() == 3
        (inputs, _) = next(iter(packed.batches(8)))
        counts = [
            inputs["input_ids"].numpy().tolist().count(row) for row in in_file(packed).tolist()
        ]
        assert sorted(counts) in ([2, 3, 3],)

    def test_start_goes_on_where_a_run_stopped(self, packed):
        whole = batches_of(packed.batches(16, count=200))
        assert [step for _, step in whole] == list(range(200))
        assert same(batches_of(packed.batches(16, start=150, count=50)), whole[150:])
        assert same(batches_of(packed.batches(16).skip(150).take(50)), whole[150:])
        held_out = batches_of(packed.batches(4, part="held_out"))
        assert len(held_out) > 2
        assert same(batches_of(packed.batches(4, part="held_out", start=1)), held_out[1:])

    def test_start_does_not_read_what_comes_before(self, packed):
        far = batches_of(packed.batches(4, start=2**52, count=2))
        assert [step for _, step in far] == [2**52, 2**52 + 1]
        assert not same(far[:1], far[1:])

    def test_the_seed_is_the_order(self, packed):
        one, again, other = (
            batches_of(packed.batches(16, seed=seed, count=10)) for seed in (1, 1, 2)
        )
        assert same(one, again)
        assert not any(same([a], [b]) for a, b in zip(one, other, strict=True))

    def test_held_out_rows_come_in_order_and_are_not_trained_on(self, packed):
        rows = in_file(packed)
        expected = rows[99::100]
        assert len(expected) == packed.rows("held_out") == len(rows) // 100 >= 10
        for seed in (0, 1):
            held_out = batches_of(packed.batches(4, part="held_out", seed=seed))
            found = np.concatenate([inputs["input_ids"] for inputs, _ in held_out])
            np.testing.assert_array_equal(found, expected)
        assert [step for _, step in held_out] == list(range(len(held_out)))
        train = batches_of(packed.batches(50, count=3 * len(rows) // 50))
        seen = {tuple(row) for inputs, _ in train for row in inputs["input_ids"].tolist()}
        assert len(set(map(tuple, rows.tolist()))) > 0.99 * len(rows)
        only = set(map(tuple, expected.tolist())) - set(
            map(tuple, np.delete(rows, np.s_[99::100], axis=0).tolist())
        )
        assert len(only) > 8
        assert not only & seen

    def test_a_hundred_rows(self, write):
        packed = write("今天" * 100)
        assert (packed.rows("train"), packed.rows("held_out")) == (99, 1)
        fewer = PackedText.write(
            packed._folder.parent / "0.txt",
            packed._folder.parent / "fewer",
            BertPreprocess(vocabulary=VOCABULARY),
            sequence_length=5,
        )
        assert (fewer.rows("train"), fewer.rows("held_out")) == (66, 0)
        message = r"fewer has no held-out row: it has 66 rows, and one in 100 .*Pack more text"
        with pytest.raises(ValueError, match=message):
            fewer.batches(1, part="held_out")

    def test_count(self, packed):
        assert batches_of(packed.batches(4, count=0)) == []
        assert len(batches_of(packed.batches(1, part="held_out", count=3))) == 3
        assert len(batches_of(packed.batches(10**6, part="held_out", count=3))) == 1
        assert batches_of(packed.batches(4, part="held_out", start=99)) == []

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"batch_size": 0}, "batch_size must be an int of at least 1, got 0"),
            ({"part": "validation"}, "part must be 'train' or 'held_out', got 'validation'"),
            ({"seed": None}, "seed must be a 64-bit int, got None"),
            ({"start": -1}, "start must be an int of at least 0, got -1"),
            ({"count": 1.5}, "count must be an int of at least 0, got 1.5"),
        ],
    )
    def test_bad_arguments(self, packed, arguments, message):
        with pytest.raises(ValueError, match=message):
            packed.batches(**{"batch_size": 4} | arguments)


def test_with_masks_it_goes_on_where_it_stopped(packed, preprocess):
    mask = MaskTokens(preprocess, max_predictions=2)
    whole = list(packed.batches(16, count=30).map(mask))
    again = list(packed.batches(16, start=20, count=10).map(mask))
    for one, other in zip(tf.nest.flatten(whole[20:]), tf.nest.flatten(again), strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole[0][0]["mlm_positions"].shape == (16, 2)
    assert set(whole[0][0]) == {"input_ids", "input_mask", "segment_ids", "mlm_positions"}
