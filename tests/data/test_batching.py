import collections
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder, BertPreprocess, batch_by_length
from tests.data.few_tokens import CONFIG, VOCABULARY
from tests.process import run_python

SLICES = tf.data.Dataset.from_tensor_slices


@pytest.fixture(scope="module")
def tokens(preprocess, texts):
    """The ids that `preprocess` gives each text, without padding."""
    return tokens_of(preprocess(texts))


def tokens_of(inputs):
    ids, mask = inputs["input_ids"].numpy(), inputs["input_mask"].numpy()
    return [row[:count].tolist() for row, count in zip(ids, mask.sum(1), strict=True)]


def shapes_of(batches):
    return [tuple(inputs["input_ids"].shape) for inputs, *_ in batches]


def test_every_text_once_with_its_tokens_label_and_weight(preprocess, texts, tokens):
    labels = np.arange(len(texts))
    data = SLICES((texts, {"label": labels}, labels / 7))
    seen = []
    for inputs, label, weight in batch_by_length(data, preprocess, 8):
        np.testing.assert_array_equal(weight, label["label"].numpy() / 7)
        for row, index in zip(tokens_of(inputs), label["label"].numpy(), strict=True):
            assert row == tokens[index]
            seen.append(index)
    assert sorted(seen) == labels.tolist()


def test_all_three_inputs_are_those_of_preprocess(preprocess, texts):
    for inputs, index in batch_by_length(SLICES((texts, range(300))), preprocess, 8):
        whole = preprocess([texts[i] for i in index.numpy()])
        length = inputs["input_ids"].shape[1]
        assert list(inputs) == list(whole)
        for name, value in inputs.items():
            assert value.dtype == "int32"
            np.testing.assert_array_equal(value, whole[name][:, :length])


def test_a_text_is_in_the_shortest_length_that_holds_it_and_keeps_its_place(
    preprocess, texts, tokens
):
    lengths = (10, 25, 64)
    data = SLICES((texts, range(300)))
    placed = collections.defaultdict(list)
    for inputs, index in batch_by_length(data, preprocess, 8, lengths=lengths):
        placed[inputs["input_ids"].shape[1]] += index.numpy().tolist()
    for shorter, length in zip((0, *lengths), lengths, strict=False):
        fitting = [i for i, row in enumerate(tokens) if shorter < len(row) <= length]
        assert placed[length] == fitting
    assert {10, 25} <= set(map(len, tokens))  # The bounds themselves were tried.


@pytest.mark.parametrize(("max_length", "lengths"), [(64, {16, 32, 64}), (40, {16, 32, 40})])
def test_lengths_by_default(texts, max_length, lengths):
    batches = batch_by_length(
        SLICES((texts,)), BertPreprocess(vocabulary=VOCABULARY, max_length=max_length), 8
    )
    assert {length for _, length in shapes_of(batches)} == lengths


def test_at_most_two_shapes_a_length(preprocess, texts):
    data = SLICES((texts, range(300)))
    shapes = shapes_of(batch_by_length(data, preprocess, 8))
    for length in (16, 32, 64):
        rows = [rows for rows, columns in shapes if columns == length]
        assert len(rows) > 1
        assert set(rows[:-1]) == {8}
        assert rows[-1] <= 8
    assert min(shapes)[0] < 8
    whole = shapes_of(batch_by_length(data, preprocess, 8, drop_remainder=True))
    assert set(whole) == {(8, 16), (8, 32), (8, 64)}
    assert len(whole) == shapes.count((8, 16)) + shapes.count((8, 32)) + shapes.count((8, 64))


def test_a_repeated_dataset_leaves_no_text_out(preprocess, texts):
    data = SLICES((texts, range(300))).shuffle(300, seed=0).repeat()
    batches = batch_by_length(data, preprocess, 8, drop_remainder=True)
    seen = collections.Counter(i for _, index in batches.take(150) for i in index.numpy())
    assert len(seen) == 300
    assert max(seen.values()) <= 6


def test_element_spec(preprocess, texts):
    data = SLICES((texts, range(300)))
    for drop_remainder, rows in ((False, None), (True, 8)):
        batches = batch_by_length(data, preprocess, 8, drop_remainder=drop_remainder)
        inputs, labels = batches.element_spec
        assert [spec.shape.as_list() for spec in inputs.values()] == [[rows, None]] * 3
        assert labels.shape.as_list() == [rows]


def test_texts_are_read_as_they_are_needed(preprocess):
    read = []

    def generate():
        while True:
            read.append("好" * (len(read) % 60))
            yield read[-1]

    data = tf.data.Dataset.from_generator(generate, output_signature=tf.TensorSpec([], tf.string))
    assert len(list(batch_by_length(data, preprocess, 4).take(20))) == 20
    assert len(read) < 10_000


def test_every_form_of_text(preprocess, texts):
    words, others = texts[:40], texts[40:80]
    split = tf.ragged.constant([[text[:3], text[3:]] for text in words])
    forms = [
        (SLICES(words), words),
        (SLICES({"text_a": words}), words),
        (SLICES((words, others)), (words, others)),
        (SLICES({"text_b": others, "text_a": words}), (words, others)),
        (SLICES(split), split),
        (SLICES((split, others)), (split, tf.constant(others))),
    ]
    for dataset, whole in forms:
        expected = tokens_of(preprocess(whole))
        rows = [
            row for inputs in batch_by_length(dataset, preprocess, 4) for row in tokens_of(inputs)
        ]
        assert sorted(rows) == sorted(expected)
        labelled = tf.data.Dataset.zip(dataset, tf.data.Dataset.range(40))
        for inputs, index in batch_by_length(labelled, preprocess, 4):
            assert tokens_of(inputs) == [expected[i] for i in index.numpy()]


def test_segments_of_pairs(preprocess):
    pair = ["几点开门？"], ["早上九点"]
    (inputs,) = batch_by_length(SLICES(pair), preprocess, 4)
    assert inputs["segment_ids"].numpy().tolist() == [[0] * 7 + [1] * 5 + [0] * 4]


def test_far_less_padding(preprocess, texts):
    masks = [inputs["input_mask"] for (inputs,) in batch_by_length(SLICES((texts,)), preprocess, 8)]
    tokens = sum(int(tf.reduce_sum(mask)) for mask in masks)
    by_length = 1 - tokens / sum(int(tf.size(mask)) for mask in masks)
    to_max_length = 1 - tokens / (300 * 64)
    print(f"padding: {to_max_length:.1%} to max_length, {by_length:.1%} by length")
    assert to_max_length > 0.65
    assert by_length < 0.35


def test_xla_traces_each_shape_once(preprocess, texts):
    encoder = BertEncoder(None, config=CONFIG, dropout=0.0)
    traced = []

    @tf.function(jit_compile=True)
    def encode(inputs):
        traced.append(tuple(inputs["input_ids"].shape))
        return encoder(inputs)

    batches = batch_by_length(SLICES((texts,)), preprocess, 8, drop_remainder=True)
    for _ in range(2):
        for (inputs,) in batches:
            outputs = encode(inputs)
    assert sorted(traced) == [(8, 16), (8, 32), (8, 64)]
    np.testing.assert_allclose(outputs, encoder(inputs), atol=1e-5)


def classifier(**how):
    ids = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("input_ids", "input_mask", "segment_ids")
    }
    encoder = BertEncoder(None, config=CONFIG, dropout=0.0)
    model = keras.Model(ids, keras.layers.Dense(2)(encoder(ids)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss, **how)
    return model


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Your input ran out of data", "ignore:.shuffle=True. was")
def test_fit_and_predict_compiled_by_xla(preprocess, texts):
    labels = np.int32(["好" in text for text in texts])
    batches = batch_by_length(
        SLICES((texts, labels)), preprocess, 16, lengths=[16, 64], drop_remainder=True
    )
    model, plain = classifier(jit_compile=True), classifier(run_eagerly=True)
    history = model.fit(batches, epochs=4, verbose=0)
    assert int(model.optimizer.iterations) == 4 * len(list(batches))
    assert history.history["loss"][-1] < history.history["loss"][0]
    predicted = model.predict(batches, verbose=0)
    assert predicted.shape == (16 * len(list(batches)), 2)
    plain.set_weights(model.get_weights())
    np.testing.assert_allclose(plain.predict(batches, verbose=0), predicted, atol=1e-4)


@pytest.mark.slow
def test_jax_compiles_each_shape_once():
    pytest.importorskip("jax")
    run_python(
        """
import keras, numpy as np, tensorflow as tf
from keras_bert_zh import BertEncoder, BertPreprocess, batch_by_length
from tests.data.test_batching import VOCABULARY, classifier

encode, traced = BertEncoder.call, []
def call(self, inputs, **kwargs):
    traced.append(tuple(inputs["input_ids"].shape))
    return encode(self, inputs, **kwargs)
BertEncoder.call = call

assert keras.backend.backend() == "jax"
texts = ["好" * (index % 60) for index in range(150)]
data = tf.data.Dataset.from_tensor_slices((texts, np.arange(150) % 60 > 30))
preprocess = BertPreprocess(vocabulary=VOCABULARY, max_length=64)
batches = batch_by_length(data, preprocess, 8, lengths=[32, 64], drop_remainder=True)
shapes = {tuple(inputs["input_ids"].shape) for inputs, _ in batches}
assert shapes == {(8, 32), (8, 64)}
model = classifier(jit_compile=True)
traced.clear()
model.fit(batches, epochs=1, verbose=0)
# Keras builds the optimiser on the first batch, beside compiling for it.
assert set(traced) == shapes and len(traced) <= 3, traced
traced.clear()
losses = model.fit(batches, epochs=3, verbose=0).history["loss"]
assert traced == [] and losses[-1] < losses[0], (traced, losses)
predicted = model.predict(batches, verbose=0)
assert sorted(traced) == sorted(shapes) and predicted.shape == (18 * 8, 2), traced
""",
        KERAS_BACKEND="jax",
    )


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (SLICES(["好"]).batch(2), r"got TensorSpec\(shape=\(None,\).*pass dataset.unbatch\(\)"),
        (SLICES((["好"], [1])).batch(2), r"single strings or ragged words.*shape=\(None,\)"),
        (SLICES(tf.ragged.constant([["好"]])).batch(2), r"got RaggedTensorSpec\(.*unbatch"),
        (SLICES({"text": ["好"], "label": [1]}), r"\(text, label, weight\), got .*int32"),
        (SLICES((["好"], ["不好"], [1])), r"can't be a string.*\(\(text_a, text_b\), label\)"),
        (SLICES({"text": ["好"]}), r"must have the keys 'text_a' and, for pairs, 'text_b'"),
        (SLICES(((["好"],) * 3, [1])), r"A pair of texts must be a tuple of two, got a tuple of 3"),
    ],
)
def test_bad_elements(preprocess, dataset, message):
    with pytest.raises(ValueError, match=message):
        batch_by_length(dataset, preprocess, 2)


def test_no_dataset(preprocess):
    message = r"got list. Make one .* with tf.data.Dataset.from_tensor_slices\(\(texts, labels\)\)"
    with pytest.raises(TypeError, match=message):
        batch_by_length(["好"], preprocess, 2)


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, None])
def test_bad_batch_size(preprocess, batch_size):
    with pytest.raises(ValueError, match=f"an int of at least 1, got {batch_size}"):
        batch_by_length(SLICES(["好"]), preprocess, batch_size)


@pytest.mark.parametrize("lengths", [[], [16], [32, 16, 64], [16, 16, 64], [0, 64], [16.0, 64]])
def test_bad_lengths(preprocess, lengths):
    message = f"increasing ints from at least 1 to 64, the max_length of preprocess, got {lengths}"
    with pytest.raises(ValueError, match=re.escape(message)):
        batch_by_length(SLICES(["好"]), preprocess, 2, lengths=lengths)


def test_lengths_of_numpy(preprocess):
    batches = batch_by_length(SLICES((["好"],)), preprocess, 2, lengths=np.array([3, 64]))
    assert shapes_of(batches) == [(1, 3)]
