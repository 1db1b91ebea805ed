import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import (
    BertEncoder,
    SentenceEncoder,
    SpanReader,
    TextClassifier,
    TokenTagger,
    batch_packed,
)
from keras_bert_zh.data.packed_batches import fill_rows
from tests.data.few_tokens import CONFIG
from tests.data.test_batching import SLICES


def texts_of(inputs):
    """Yields row, slot and, for each text, its ids and segments."""
    arrays = {name: value.numpy() for name, value in inputs.items()}
    for row, starts in enumerate(arrays["text_starts"]):
        length = len(arrays["input_ids"][row])
        used = arrays["input_mask"][row].sum()
        ends = [*starts[1:], length]
        for slot, (start, end) in enumerate(zip(starts, ends, strict=True)):
            if start < length:
                place = slice(start, min(end, used))
                yield row, slot, [arrays[name][row, place] for name in ("input_ids", "segment_ids")]


def test_every_text_once_with_its_tokens_label_and_weight(preprocess, texts):
    labels = np.arange(300)
    expected = preprocess(texts)
    data = SLICES((texts, {"label": labels, "vector": np.eye(300)}, labels / 7 + 1))
    seen = []
    for inputs, label, weight in batch_packed(data, preprocess, 8):
        assert {name: tuple(x.shape) for name, x in inputs.items()} == {
            **dict.fromkeys(("input_ids", "input_mask", "segment_ids"), (8, 64)),
            "text_starts": (8, 4),
        }
        assert weight.shape == label["label"].shape == (8, 4)
        assert label["vector"].shape == (8, 4, 300)
        there = inputs["text_starts"].numpy() < 64
        assert not weight.numpy()[~there].any()
        for row, slot, (ids, segments) in texts_of(inputs):
            index = int(label["label"][row, slot])
            assert weight[row, slot] == index / 7 + 1
            assert np.argmax(label["vector"][row, slot]) == index
            count = int(expected["input_mask"][index].numpy().sum())
            assert ids.tolist() == expected["input_ids"][index, :count].numpy().tolist()
            assert segments.tolist() == [0] * count
            seen.append(index)
    assert sorted(seen) == labels.tolist()


def test_pairs_and_texts_alone(preprocess):
    first, second = ["今天", "好", "去"] * 2, ["气很好", "我", "公园"] * 2
    (inputs,) = batch_packed(SLICES((first, second)), preprocess, 3)
    segments = sorted(tuple(found[1].tolist()) for _, _, found in texts_of(inputs))
    assert segments == sorted([(0,) * 4 + (1,) * 4, (0,) * 3 + (1,) * 2, (0,) * 3 + (1,) * 3] * 2)
    (inputs,) = batch_packed(SLICES(first), preprocess, 2)
    assert len([*texts_of(inputs)]) == 6
    assert inputs["text_starts"].numpy().tolist() == [[0, 4, 7, 10], [0, 3, 64, 64]]


def test_rows_are_full_and_all_batches_alike(preprocess, texts):
    batches = batch_packed(SLICES((texts, range(300))), preprocess, 8, texts_per_row=16)
    for spec in tf.nest.flatten(batches.element_spec):
        assert spec.shape[1:].is_fully_defined()
    *whole, last = (inputs["input_mask"].numpy() for inputs, *_ in batches)
    assert len(whole) > 5
    assert np.mean(whole) > 0.97
    assert last.shape == (8, 64)


def test_fill_rows():
    places, numbers, starts = fill_rows(np.array([3, 10, 4, 2, 10, 3]), 10, 2)
    assert numbers.tolist() == [[0, 2], [1, -1], [3, 5], [4, -1]]
    assert starts.tolist() == [[0, 3], [0, 10], [0, 2], [0, 10]]
    assert places[0].tolist() == [0, 1, 2, 20, 21, 22, 23, -1, -1, -1]
    assert places[1].tolist() == [*range(10, 20)]


@pytest.mark.slow
def test_a_classifier_learns_the_same(preprocess, texts):
    """Of batches of the same texts, by weights, since its logits have no Keras mask."""
    losses = []
    data = SLICES((texts[:40], np.arange(40) % 2))
    rows = len([*batch_packed(data, preprocess, 1)])
    for batches in (batch_packed(data, preprocess, rows), data.batch(40)):
        keras.utils.set_random_seed(3)
        encoder = BertEncoder(None, config=CONFIG, dropout=0.0)
        model = TextClassifier(encoder, ["a", "b"], preprocess=preprocess)
        loss = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        )
        model.compile(keras.optimizers.SGD(0.5), loss, weighted_metrics=["accuracy"])
        history = model.fit(batches.repeat(3), shuffle=False, verbose=0).history
        losses.append(history["loss"] + history["accuracy"])
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_models_of_one_text_a_row_refuse_them(preprocess, texts):
    batches = batch_packed(SLICES(texts[:40]), preprocess, 2)
    encoder, texts_to = BertEncoder(None, config=CONFIG), {"preprocess": preprocess}
    for model in (
        SentenceEncoder(encoder, "mean", **texts_to),
        SpanReader(encoder, **texts_to),
        TokenTagger(encoder, ["O"], **texts_to),
    ):
        with pytest.raises(ValueError, match="takes one text in each row, got text_starts"):
            model.predict(batches, verbose=0)


def test_what_it_takes(preprocess, texts):
    with pytest.raises(TypeError, match=r"must be a tf\.data\.Dataset, got list"):
        batch_packed(texts, preprocess, 8)
    with pytest.raises(ValueError, match="must be single strings"):
        batch_packed(SLICES(texts).batch(2), preprocess, 8)
    with pytest.raises(ValueError, match="texts_per_row must be an int of at least 1, got 0"):
        batch_packed(SLICES(texts), preprocess, 8, texts_per_row=0)
