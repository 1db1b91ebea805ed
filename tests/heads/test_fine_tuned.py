"""Models of texts: those that were fine-tuned elsewhere, and those with fresh heads."""

import dataclasses
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import (
    BertEncoder,
    SpanReader,
    TextClassifier,
    TokenTagger,
    load_checkpoint,
)
from tests.conformance.cases import INPUTS
from tests.encoder.common import difference, report
from tests.heads.text_models import MODELS, TASKS, by_output, fresh, golden_of, text_model


@pytest.mark.filterwarnings("error")
@TASKS
def test_parity_with_transformers(fine_tuned, task):
    inputs, golden = golden_of(task)
    model = MODELS[task](fine_tuned[task])
    outputs = by_output(model(inputs))
    assert outputs.keys() == golden.keys()
    for key, expected in golden.items():
        assert (outputs[key].shape, outputs[key].dtype) == (expected.shape, "float32")
        # What is in padding has no meaning.
        real = np.ones(len(expected), bool) if expected.shape == (3, 3) else inputs["input_mask"]
        where = np.asarray(real, bool)
        largest = difference(np.asarray(outputs[key])[where], expected[where])
        report(f"tensorflow float32, {task}", key, largest)
        assert largest < 1e-5
        assert np.abs(expected[where]).max() > 0.1


def test_labels(fine_tuned):
    classifier = TextClassifier(fine_tuned["sequence_classification"])
    assert classifier.labels == ("体育", "财经", "科技")
    assert classifier.head.problem_type is None
    assert TokenTagger(fine_tuned["token_classification"]).labels[:2] == ("O", "B-PER")
    assert SpanReader(fine_tuned["question_answering"]).labels is None


@TASKS
def test_texts_are_as_their_ids(fine_tuned, task):
    model = MODELS[task](fine_tuned[task], max_length=12)
    first, second = ["a b c", "d", "e f"], ["g", "h", "a d e c b a e d c b"]
    expected = by_output(model(model.preprocess(first)))
    single = (first, tf.constant(first), np.array(first, object), {"text_a": first})
    for texts in () if model.takes_pairs else single:
        for key, value in by_output(model(texts)).items():
            assert value.shape[:1] == (3,)
            assert difference(value, expected[key]) == 0
    pairs = by_output(model(model.preprocess((first, second))))
    for texts in ((first, second), {"text_a": first, "text_b": second}):
        for key, value in by_output(model(texts)).items():
            assert value.shape[:1] == (3,)
            assert difference(value, pairs[key]) == 0 < difference(value, expected[key])


@pytest.mark.usefixtures("eagerly")
def test_keras_takes_texts(tiny_block):
    model = text_model(tiny_block)
    texts, others, labels = ["a b", "c"], ["d", "a"], [0, 1]
    expected = model(texts)
    dataset = tf.data.Dataset.from_tensor_slices(texts).batch(2)
    for batch in (texts, np.array(texts), np.array(texts, object), tf.constant(texts), dataset):
        assert difference(model.predict(batch, verbose=0), expected) < 1e-6
    for pair in ((texts, others), (tf.constant(texts), tf.constant(others))):
        assert difference(model.predict(pair, verbose=0), model((texts, others))) < 1e-6
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(texts, labels, validation_data=(texts, labels), verbose=0).history
    loss = model.evaluate((texts, others), labels, verbose=0)
    assert np.isfinite([history["loss"][0], history["val_loss"][0], loss]).all()
    assert loss != history["val_loss"][0]


@pytest.mark.slow
def test_fit_as_users_call_it(tiny_block):
    model = text_model(tiny_block)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-2), loss)
    with warnings.catch_warnings(action="error"):
        history = model.fit(["a b", "c d"], np.array([0, 1]), epochs=6, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 2
    assert [model.labels[i] for i in np.argmax(model.predict(["a b", "c d"], verbose=0), -1)] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize("cls", [TokenTagger, SpanReader])
def test_the_pooler_is_not_trained(cls):
    model = fresh(cls)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    keys = ("start_logits", "end_logits")
    names = dict.fromkeys(keys, np.array([0, 2, 1]))
    labels = names if cls is SpanReader else np.ones((3, 7))
    model.compile("sgd", dict.fromkeys(keys, loss) if cls is SpanReader else loss, run_eagerly=True)
    before = {name: np.asarray(v) for name, v in model.named_variables().items()}
    pooler = np.asarray(model.encoder.pooler.dense.kernel)
    with warnings.catch_warnings(action="error"):
        model.fit(INPUTS, labels, verbose=0)
    assert not any(name.startswith("pooler") for name in before)
    still = {n for n, v in model.named_variables().items() if difference(v, before[n]) == 0}
    # Softmax over one text's keys is the same whatever is added to all of them.
    assert all("attention.key.bias" in name or name == "span.bias" for name in still)
    assert difference(model.encoder.pooler.dense.kernel, pooler) == 0
    model = keras.models.clone_model(keras.Model(symbolic := _symbolic(), model(symbolic)))
    assert model.layers[-1].encoder.pooler.rests


def _symbolic():
    return {name: keras.Input((None,), dtype="int32", name=name) for name in INPUTS}


@pytest.mark.usefixtures("eagerly")
def test_padding_counts_for_nothing_in_a_tagger():
    model = fresh(TokenTagger)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, weighted_metrics=["accuracy"])
    mask, losses = INPUTS["input_mask"], []
    for real, padding in ((0, 0), (0, 2), (1, 0)):
        labels = np.where(mask, real, padding)
        losses.append(model.evaluate(INPUTS, labels, verbose=0))
    assert losses[0] == losses[1] != losses[2]
    logits = np.asarray(model(INPUTS), "float64")
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert losses[0][0] == pytest.approx(-np.log(chances[..., 0])[mask == 1].mean(), abs=1e-5)


def test_the_answer_is_never_in_padding():
    model = fresh(SpanReader)
    model.span.bias.assign([-3.0, -3.0])
    for logits in model(INPUTS).values():
        assert np.all(np.asarray(logits)[INPUTS["input_mask"] == 0] == -10_000)
        assert np.all(INPUTS["input_mask"][np.arange(3), np.argmax(logits, -1)] == 1)


@TASKS
def test_rates_of_dropout(fine_tuned, tiny, task):
    cls, source = MODELS[task], load_checkpoint(fine_tuned[task])
    model = cls(source, dropout=0.4)
    assert model.encoder.config.hidden_dropout_prob == 0.4
    inputs = golden_of(task)[0]
    alike = [by_output(model(inputs, training=training)) for training in (False, True)]
    assert all(difference(alike[0][key], alike[1][key]) > 0.01 for key in alike[0])
    if cls is SpanReader:
        assert not hasattr(model, "dropout")
        return
    assert (model.dropout.rate, cls(source).dropout.rate) == (0.4, 0.1)
    said = dataclasses.replace(source, head=dataclasses.replace(source.head, dropout=0.3))
    model = cls(said)
    assert (model.dropout.rate, model.encoder.config.hidden_dropout_prob) == (0.3, 0.1)
    assert model.checkpoint_fields() == {"head": said.head}
    model = cls(BertEncoder(tiny), ["a"], dropout=0.5)
    assert (model.dropout.rate, model.encoder.config.hidden_dropout_prob) == (0.5, 0.1)


@TASKS
@pytest.mark.parametrize(
    ("dtype", "expected", "tolerance"),
    [
        ("mixed_bfloat16", "float32", 0.2),
        ("bfloat16", "float32", 0.4),
        ("float64", "float64", 1e-5),
    ],
)
def test_dtypes(fine_tuned, task, dtype, expected, tolerance):
    inputs, golden = golden_of(task)
    model = MODELS[task](fine_tuned[task], dtype=dtype)
    real = {(3, 3): np.ones(3)}
    for key, value in by_output(model(inputs)).items():
        where = np.asarray(real.get(value.shape, inputs["input_mask"]), bool)
        assert value.dtype == expected
        assert difference(np.asarray(value)[where], golden[key][where]) < tolerance
