import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess, MaskTokens
from tests.data.masking.common import (
    CHARACTERS,
    CLS,
    FIRST,
    MASK,
    PAD,
    ROWS,
    SEP,
    SPECIAL,
    UNK,
    VOCABULARY,
    candidates_of,
    chosen_of,
    same,
)


def test_how_many_are_chosen(preprocess, batch):
    counts = candidates_of(batch).sum(axis=1)
    expected = [min(max(round(0.15 * count), 1), 8) if count else 0 for count in counts.tolist()]
    assert {0, 1, 8} <= set(expected)
    assert max(round(0.15 * count) for count in counts) > 8
    outputs = MaskTokens(preprocess, max_predictions=8)(batch, 0)
    assert chosen_of(outputs).sum(axis=1).tolist() == expected


@pytest.mark.parametrize("rate", [0.01, 0.15, 0.3, 1.0])
def test_the_rate_and_its_rounding(preprocess, rate):
    """Also where a half is rounded to the even number: 0.15 of 10, 30 and 50."""
    rows = np.tril(np.ones((120, 120), np.int32))
    inputs = {"input_ids": rows * FIRST, "input_mask": rows, "segment_ids": rows * 0}
    weights = MaskTokens(preprocess, rate=rate, max_predictions=120)(inputs, 0)[2]
    expected = [max(round(rate * count), 1) for count in range(1, 121)]
    assert weights.numpy().sum(axis=1).tolist() == expected


def test_positions_labels_and_weights(preprocess, batch):
    inputs, labels, weights = MaskTokens(preprocess, max_predictions=20)(batch, 5)
    positions = inputs["mlm_positions"].numpy()
    assert (positions.dtype, labels.dtype, weights.dtype) == ("int32", tf.int32, tf.float32)
    assert positions.shape == labels.shape == weights.shape == (ROWS, 20)
    used = weights.numpy() == 1
    assert not (used[:, 1:] & ~used[:, :-1]).any()
    assert set(np.unique(weights)) == {0, 1}
    assert (np.diff(positions, axis=1) > 0)[used[:, 1:]].all()
    original = np.take_along_axis(batch["input_ids"], positions, axis=1)
    np.testing.assert_array_equal(labels, np.where(used, original, 0))
    assert not positions[~used].any()
    chosen = chosen_of((inputs, labels, weights))
    changed = inputs["input_ids"].numpy() != batch["input_ids"]
    assert not (changed & ~chosen).any()
    assert not (chosen & ~candidates_of(batch)).any()
    for name in ("input_mask", "segment_ids"):
        np.testing.assert_array_equal(inputs[name], batch[name])


def test_every_candidate_is_chosen_as_often(preprocess):
    """By its place in the row, over 40,000 rows; 0.15 of 20 tokens is 3."""
    ids = np.full((40_000, 22), FIRST, np.int32)
    ids[:, 0], ids[:, -1] = CLS, SEP
    inputs = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": ids * 0}
    shares = chosen_of(MaskTokens(preprocess)(inputs, 1)).mean(axis=0)
    assert shares[[0, -1]].tolist() == [0, 0]
    deviations = (shares[1:-1] - 0.15) / np.sqrt(0.15 * 0.85 / 40_000)
    assert np.abs(deviations).max() < 4
    assert 0.5 < np.mean(deviations**2) < 1.5


@pytest.mark.parametrize("shares", [(0.8, 0.1), (0.5, 0.3), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_what_becomes_of_the_chosen(preprocess, batch, shares):
    mask = MaskTokens(
        preprocess, rate=1.0, max_predictions=64, mask_share=shares[0], random_share=shares[1]
    )
    total = masked = kept = 0
    put_in = np.zeros(len(VOCABULARY), int)
    for step in range(20):
        inputs, labels, weights = mask(batch, step)
        used = weights.numpy() == 1
        now = np.take_along_axis(
            inputs["input_ids"].numpy(), inputs["mlm_positions"].numpy(), axis=1
        )[used]
        before = labels.numpy()[used]
        total += len(now)
        masked += (now == MASK).sum()
        kept += (now == before).sum()
        put_in += np.bincount(now[(now != MASK) & (now != before)], minlength=len(VOCABULARY))
    assert total > 200_000
    # A random token is the same one now and then.
    expected = {
        "masked": shares[0],
        "random": shares[1] * (1 - 1 / len(CHARACTERS)),
        "kept": 1 - sum(shares) + shares[1] / len(CHARACTERS),
    }
    found = {"masked": masked, "random": put_in.sum(), "kept": kept}
    for name, share in expected.items():
        bound = 4 * np.sqrt(total * share * (1 - share))
        assert abs(found[name] - total * share) <= bound, name
    assert not put_in[:FIRST].any()
    if shares[1]:
        # Every other token is put in, and all alike.
        mean = put_in[FIRST:].mean()
        assert np.abs(put_in[FIRST:] - mean).max() < 4.5 * np.sqrt(mean)


def test_seed_and_step_decide(preprocess, batch):
    mask = MaskTokens(preprocess, seed=3)
    first = mask(batch, 7)
    assert same(mask(batch, np.int64(7)), first)
    assert same(MaskTokens(preprocess, seed=3)(batch, tf.constant(7, tf.int64)), first)
    others = [mask(batch, 8), MaskTokens(preprocess, seed=4)(batch, 7), mask(batch, -7)]
    others += [MaskTokens(preprocess, seed=7)(batch, 3), mask(batch, 7 + 2**40)]
    for index, other in enumerate(others):
        assert not any(same(other, one) for one in [first, *others[:index]])


def test_draws_of_two_steps_have_nothing_in_common(preprocess, batch):
    one, other = (chosen_of(MaskTokens(preprocess)(batch, step)) for step in (0, 1))
    candidates = candidates_of(batch)
    long = candidates.sum(axis=1) > 40
    share = (one & other)[long].sum() / candidates[long].sum()
    assert 0.017 < share < 0.028  # 0.15 squared is 0.0225.


def test_inputs_are_left_alone(preprocess, batch, word_starts):
    inputs = batch | {"word_starts": word_starts}
    copies = {name: value.copy() for name, value in inputs.items()}
    outputs = MaskTokens(preprocess)(inputs, 0)[0]
    assert list(outputs) == ["input_ids", "input_mask", "segment_ids", "mlm_positions"]
    assert list(inputs) == list(copies)
    assert same(list(inputs.values()), list(copies.values()))


def test_rows_without_candidates(preprocess):
    ids = np.array([[CLS, SEP, PAD], [CLS, UNK, SEP], [PAD, PAD, PAD], [CLS, FIRST, SEP]])
    inputs = {"input_ids": ids, "input_mask": np.int32(ids != PAD), "segment_ids": ids * 0}
    masked, labels, weights = MaskTokens(preprocess, mask_share=1, random_share=0)(inputs, 0)
    assert weights.numpy().sum(axis=1).tolist() == [0, 0, 0, 1]
    assert labels.numpy()[:, 0].tolist() == [0, 0, 0, FIRST]
    assert masked["input_ids"].numpy()[3].tolist() == [CLS, MASK, SEP]
    np.testing.assert_array_equal(masked["input_ids"][:3], ids[:3])


def test_no_rows(preprocess):
    empty = np.zeros((0, 5), np.int32)
    inputs = {"input_ids": empty, "input_mask": empty, "segment_ids": empty}
    masked, labels, weights = MaskTokens(preprocess, max_predictions=2)(inputs, 0)
    assert masked["input_ids"].shape == (0, 5)
    assert labels.shape == weights.shape == (0, 2)


def test_more_predictions_than_tokens(preprocess, batch):
    inputs = {name: value[:, :5] for name, value in batch.items()}
    few, many = (MaskTokens(preprocess, max_predictions=P)(inputs, 0) for P in (5, 9))
    assert many[1].shape == (ROWS, 9)
    np.testing.assert_array_equal(many[2][:, :5], few[2])
    assert not many[2].numpy()[:, 5:].any()
    assert same(few[0]["input_ids"], many[0]["input_ids"])


class TestRoutes:
    def test_in_a_dataset(self, preprocess, batch):
        mask = MaskTokens(preprocess, max_predictions=9)
        batches = tf.data.Dataset.from_tensor_slices(batch).batch(100)
        masked = batches.repeat(2).enumerate().map(lambda step, inputs: mask(inputs, step))
        inputs, labels, _ = masked.element_spec
        assert labels.shape.as_list() == [None, 9]
        assert inputs["mlm_positions"].shape.as_list() == [None, 9]
        found = list(masked)
        assert len(found) == 8
        for step, outputs in enumerate(found):
            rows = slice(step % 4 * 100, step % 4 * 100 + 100)
            assert same(outputs, mask({name: value[rows] for name, value in batch.items()}, step))
        # Another time in another epoch, and again from where a run stopped.
        assert not same(found[0], found[4])
        assert same(list(masked.skip(5)), found[5:])

    def test_shapes_that_are_not_known(self, preprocess, batch, word_starts):
        spec = tf.TensorSpec([None, None], tf.int32)
        inputs = batch | {"word_starts": word_starts}
        mask = MaskTokens(preprocess)
        traced = tf.function(
            mask, input_signature=[dict.fromkeys(inputs, spec), tf.TensorSpec([], tf.int64)]
        )
        assert same(traced(inputs, 3), mask(inputs, 3))

    def test_compiled_by_xla(self, preprocess, batch, word_starts):
        inputs = batch | {"word_starts": word_starts}
        mask = MaskTokens(preprocess)
        compiled = tf.function(mask, jit_compile=True)
        first, second = (compiled(inputs, tf.constant(step, tf.int64)) for step in (0, 1))
        assert same(compiled(inputs, tf.constant(0, tf.int64)), first)
        assert not same(first, second)
        total = sum(outputs[2].numpy().sum() for outputs in (first, second))
        expected = mask(inputs, 0)[2].numpy().sum() + mask(inputs, 1)[2].numpy().sum()
        assert abs(total / expected - 1) < 0.05

    @pytest.mark.filterwarnings("ignore:.shuffle=True. was")
    def test_fit_takes_it(self, preprocess, batch):
        """The encoder is another test's matter: here a table learns which token is which."""
        mask = MaskTokens(preprocess)
        data = tf.data.Dataset.from_tensor_slices(batch).batch(100).repeat()
        data = data.enumerate().map(lambda step, inputs: mask(inputs, step))
        inputs = {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in ("input_ids", "input_mask", "segment_ids", "mlm_positions")
        }
        logits = keras.layers.Embedding(64, len(VOCABULARY))(inputs["mlm_positions"])
        model = keras.Model(inputs, logits)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.05), loss, weighted_metrics=["accuracy"])
        losses = model.fit(data, steps_per_epoch=4, epochs=3, verbose=0).history["loss"]
        assert losses[-1] < losses[0]


def without(batch, name):
    return {key: value for key, value in batch.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda batch: without(batch, "segment_ids"), r"got keys \['input_ids', 'input_mask'\]"),
        (lambda batch: batch | {"labels": 0}, r"optionally, word_starts, each int32.*'labels'"),
        (lambda batch: batch["input_ids"], "takes a dict of input_ids, .* got ndarray"),
        (lambda batch: {k: v[0] for k, v in batch.items()}, r"got int32 of shape \(64,\)\. Mask b"),
        (lambda batch: batch | {"input_ids": batch["input_ids"] * 1.0}, "input_ids must be int32"),
        (lambda batch: batch | {"word_starts": batch["input_ids"][:, 1:]}, r"64\); got \(400, 63"),
    ],
)
def test_bad_inputs(preprocess, batch, change, message):
    with pytest.raises(ValueError, match=message):
        MaskTokens(preprocess)(change(batch), 0)


@pytest.mark.parametrize("step", [1.0, [1, 2]])
def test_bad_step(preprocess, batch, step):
    with pytest.raises(TypeError, match=r"step must be one int for the whole batch, got"):
        MaskTokens(preprocess)(batch, step)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 0}, "rate must be a number above 0 and at most 1, got 0"),
        ({"rate": 1.1}, "rate must be a number above 0 and at most 1, got 1.1"),
        ({"rate": True}, "rate must be a number .* got True"),
        ({"max_predictions": 0}, "max_predictions must be an int of at least 1, got 0"),
        ({"max_predictions": 2.0}, "max_predictions must be an int of at least 1, got 2.0"),
        ({"mask_share": -0.1}, "mask_share must be a number from 0 to 1, got -0.1"),
        ({"random_share": "0.1"}, "random_share must be a number from 0 to 1, got '0.1'"),
        ({"random_share": 0.3}, "must be at most 1, got 0.8 and 0.3"),
        ({"seed": 0.5}, "seed must be a 64-bit int, got 0.5"),
        ({"seed": 2**63}, "seed must be a 64-bit int, got 9223372036854775808"),
    ],
)
def test_bad_arguments(preprocess, arguments, message):
    with pytest.raises(ValueError, match=message):
        MaskTokens(preprocess, **arguments)


def test_a_vocabulary_without_mask():
    preprocess = BertPreprocess(vocabulary=[*SPECIAL[:4], *CHARACTERS])
    with pytest.raises(ValueError, match=r"has no \[MASK\] among its 97 tokens"):
        MaskTokens(preprocess)


def test_no_preprocess():
    with pytest.raises(TypeError, match="preprocess must be a BertPreprocess, got 'bert_chinese'"):
        MaskTokens("bert_chinese")
