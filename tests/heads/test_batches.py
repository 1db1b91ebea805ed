"""Lists, of which Keras makes no batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import SpanReader
from keras_bert_zh.heads.batches import as_arrays, has_strings
from tests.encoder.common import difference
from tests.heads.text_models import fresh, text_model

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def test_lists_become_arrays():
    found = as_arrays((["a"], {"x": [0, 1], "y": [[0.5], [1]]}))
    assert [array.dtype for array in (found[0], *found[1].values())] == [object, int, float]
    assert found[1]["y"].tolist() == [[0.5], [1.0]]
    words = as_arrays([["a", "b"], ["c"]])
    assert words.to_list() == [[b"a", b"b"], [b"c"]]
    for encoded in ([b"a"], np.array([b"a"])):
        assert has_strings(encoded)
        assert as_arrays(encoded).numpy().tolist() == [b"a"]
    same = [np.zeros(2), np.ones(2)]
    assert as_arrays(same) is same
    assert as_arrays(None) is None


@pytest.mark.usefixtures("eagerly")
def test_labels_and_weights_in_lists(tiny_block):
    model = text_model(tiny_block, SpanReader)
    model.compile("sgd", dict.fromkeys(("start_logits", "end_logits"), LOSS))
    pairs, labels = (["a b", "c"], ["d", "a"]), {"start_logits": [0, 1], "end_logits": [1, 2]}
    held_out = [pairs, labels]
    history = model.fit(pairs, labels, validation_data=held_out, verbose=0).history
    assert np.isfinite(history["val_loss"]).all()
    model = text_model(tiny_block)
    model.compile("sgd", LOSS)
    given = {"x": ["a b", "c"], "y": [0, 1]}
    losses = [model.evaluate(**given, sample_weight=w, verbose=0) for w in ([1, 0], [1, 1])]
    assert losses[0] != losses[1]


@pytest.mark.usefixtures("eagerly")
def test_one_batch(tiny_block):
    model = text_model(tiny_block)
    model.compile("sgd", LOSS)
    texts = ["a b", "c"]
    assert difference(model.predict_on_batch(texts), model(texts)) < 1e-6
    loss = model.test_on_batch(texts, [0, 1])
    assert model.train_on_batch(texts, [0, 1]) == pytest.approx(loss)
    assert model.test_on_batch(texts, [0, 1]) < loss


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("今天", ValueError, r"^TextClassifier takes a batch. For a single text, pass \[text\]\.$"),
        (tf.constant("今天"), ValueError, r"For a single text, pass \[text\]\.$"),
        (("a", "b"), ValueError, r"For a single pair, pass \(\[text\], \[other\]\)\.$"),
        ([], ValueError, r"^TextClassifier got no texts: pass at least one\.$"),
        (([], []), ValueError, "got no texts"),
        ([("a", "b"), ("c", "d")], TypeError, r"^texts: expected str, .* got \('a', 'b'\) \(tuple"),
    ],
)
def test_what_is_no_batch_of_texts(tiny_block, texts, error, message):
    model = text_model(tiny_block)
    for method in (model.predict, model.predict_on_batch):
        with pytest.raises(error, match=message):
            method(texts)


@pytest.mark.usefixtures("eagerly")
def test_batches_of_bytes_and_words(tiny_block):
    model = text_model(tiny_block)
    for texts in ([b"a b", b"c"], np.array([b"a b", b"c"]), [["a", "b"], ["c"]]):
        assert difference(model.predict(texts, verbose=0), model(["a b", "c"])) < 1e-6


def test_what_a_model_is_made_for(tiny_block):
    model = text_model(tiny_block)
    assert (model.signature().name, model.signature().dtype) == ("text", "string")
    pair = text_model(tiny_block, SpanReader).signature()
    assert [spec.name for spec in pair] == ["text_a", "text_b"]
    assert fresh(SpanReader).signature().keys() == {"input_ids", "input_mask", "segment_ids"}


@pytest.mark.usefixtures("eagerly")
def test_a_sequential_that_begins_with_a_model_of_texts(tiny_block, tmp_path):
    first = text_model(tiny_block)
    model = keras.Sequential([first, keras.layers.Dense(1)])
    texts = tf.constant(["a b", "c"])
    expected = model(texts)
    assert difference(expected, model.layers[1](first(texts))) < 1e-6
    model.compile("sgd", "mse")
    model.evaluate(texts, np.zeros((2, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert difference(loaded.predict(texts, verbose=0), expected) < 1e-6
    assert model((texts, texts)).shape == (2, 1)
    with pytest.raises(TypeError, match="got a tensor of dtype float32"):
        model(tf.zeros((2, 1)))
    with pytest.raises(NotImplementedError, match=r'pass keras.Input\(\(\), dtype="string"\)'):
        first(keras.Input(()))
