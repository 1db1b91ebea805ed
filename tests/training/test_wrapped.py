"""R-Drop and FGM: their losses and gradients by hand."""

import random

import keras
import numpy as np
import pytest

from keras_bert_zh import (
    FGM,
    BertEncoder,
    BertPreprocess,
    RDrop,
    SpanReader,
    TextClassifier,
    TokenTagger,
)
from tests.conformance.cases import ONE_BLOCK
from tests.process import run_python

IDS = np.array([[2, 7, 9, 3], [2, 7, 7, 3], [2, 11, 3, 0]], "int32")
INPUTS = {"input_ids": IDS, "input_mask": (IDS > 0).astype("int32")}
LABELS = np.array([0, 1, 1])
WEIGHTS = np.array([1.0, 2.0, 0.5], "float32")
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def encoder(dropout=0.0):
    random.seed(3)  # As Keras does, whose `set_random_seed` imports TensorFlow on any backend.
    return BertEncoder(None, config=ONE_BLOCK, dropout=dropout)


class Recorder(keras.Model):
    """Gives logits that are known in advance, other ones at each call."""

    def __init__(self, *outputs):
        super().__init__()
        self.outputs_in_turn = list(map(np.float32, outputs))
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        self.calls = 0

    def call(self, inputs, training=None):
        self.calls += 1
        return self.scale * self.outputs_in_turn[(self.calls - 1) % len(self.outputs_in_turn)]


def softmax(x):
    exponents = np.exp(x - x.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def both_ways(p, q):
    return (p * np.log(p / q) + q * np.log(q / p)) / 2


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_loss_of_r_drop(activation, weights):
    one, other = np.random.default_rng(0).normal(size=(2, 3, 2))
    if activation == "softmax":
        loss, labels = LOSS, LABELS
        p, q = softmax(one), softmax(other)
        losses = [-np.log(each[range(3), LABELS]) for each in (p, q)]
        apart = both_ways(p, q).sum(-1)
    else:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        labels = np.array([[0, 1], [1, 1], [0, 0]], "float32")
        p, q = sigmoid(one), sigmoid(other)
        losses = [-np.log(np.where(labels == 1, each, 1 - each)).mean(-1) for each in (p, q)]
        apart = (both_ways(p, q) + both_ways(1 - p, 1 - q)).sum(-1)
    expected = np.mean((np.mean(losses, 0) + 4 * apart) * (1 if weights is None else weights))
    trainer = RDrop(Recorder(one, other), alpha=4, activation=activation)
    trainer.compile("sgd", loss, run_eagerly=True)
    found = trainer.train_on_batch(INPUTS, labels, sample_weight=weights)
    assert found == pytest.approx(expected, rel=1e-5)


def test_r_drop_counts_what_the_loss_counts():
    """Padding has no divergence, and a weight of 0 none either."""
    model = TokenTagger(encoder(0.3), ["a", "b", "c"])
    trainer = RDrop(model, alpha=1.0)
    one, other = (model(INPUTS, training=True) for _ in range(2))
    p, q = softmax(np.array(one)), softmax(np.array(other))
    real = INPUTS["input_mask"]
    apart = (both_ways(p, q).sum(-1) * real).sum() / real.sum()
    assert float(trainer._divergence(one, other, None)) == pytest.approx(apart, rel=1e-4)
    weights = real * [1.0, 0.0, 0.0, 0.0]
    apart = (both_ways(p, q).sum(-1) * weights).sum() / real.sum()
    assert float(trainer._divergence(one, other, weights)) == pytest.approx(apart, rel=1e-4)


def test_r_drop_of_several_outputs():
    model = SpanReader(encoder(0.3))
    trainer = RDrop(model, alpha=2.0)
    trainer.compile("sgd", {"start_logits": LOSS, "end_logits": LOSS}, run_eagerly=True)
    labels = {"start_logits": np.array([1, 2, 1]), "end_logits": np.array([2, 2, 1])}
    keras.utils.set_random_seed(5)
    one = trainer(INPUTS, training=True)
    found = float(trainer.compute_loss(INPUTS, labels, one, None, training=True))
    keras.utils.set_random_seed(5)
    assert np.isfinite(found)
    plain = float(model.compute_loss(x=INPUTS, y=labels, y_pred=one))
    assert float(trainer.compute_loss(INPUTS, labels, one, None, training=False)) == plain


@pytest.mark.parametrize("cls", [RDrop, FGM])
def test_a_model_with_a_loss_and_metrics_of_its_own(cls):
    model = TokenTagger(encoder(), ["O", "B-X", "I-X"], crf=True, dropout=0.0)
    inputs = INPUTS | {"segment_ids": np.zeros_like(IDS)}
    labels = np.array([[0, 1, 2, 0], [0, 0, 1, 0], [0, 1, 0, 0]])
    model.compile("sgd", metrics=["accuracy"], run_eagerly=True)
    expected = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    trainer = cls(model)
    trainer.compile("sgd", metrics=["accuracy"], run_eagerly=True)
    found = trainer.train_on_batch(inputs, labels, return_dict=True)
    assert found == pytest.approx(expected, rel=1e-4)
    assert model.optimizer is trainer.optimizer


@pytest.mark.parametrize("cls", [RDrop, FGM])
def test_a_head_is_compiled_and_fitted_by_its_own_defaults(cls):
    """Labels by name, weights of classes, a loss and metrics."""
    model = TextClassifier(encoder(), ["no", "yes"], dropout=0.0)
    given = (INPUTS, ["no", "yes", "yes"])
    weights = {"class_weight": {"yes": 3.0, "no": 1.0}, "verbose": 0, "batch_size": 3}
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    expected = model.fit(*given, **weights).history
    trainer = cls(model)
    trainer.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    found = trainer.fit(*given, **weights).history
    assert set(found) == {"loss", "accuracy"}
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, rel=1e-4)


def test_several_labels_are_compared_one_by_one():
    several = {"problem_type": "multi_label_classification"}
    assert RDrop(TextClassifier(encoder(), ["a", "b"], **several)).activation == "sigmoid"
    assert RDrop(TextClassifier(encoder(), ["a", "b"])).activation == "softmax"


def test_without_dropout_r_drop_is_the_plain_loss():
    model = TextClassifier(encoder(), ["a", "b"], dropout=0.0)
    model.compile("sgd", LOSS, run_eagerly=True)
    plain = model.test_on_batch(INPUTS, LABELS)
    trainer = RDrop(model, alpha=5)
    trainer.compile("sgd", LOSS, run_eagerly=True)
    assert trainer.train_on_batch(INPUTS, LABELS) == pytest.approx(plain, rel=1e-5)


def gradients_by_hand(model, epsilon):
    """What FGM is to add up, with the table moved and put back here."""
    import tensorflow as tf

    def slopes():
        with tf.GradientTape() as tape:
            loss = LOSS(LABELS, model(INPUTS, training=True))
        return [
            None if slope is None else np.array(tf.convert_to_tensor(slope))
            for slope in tape.gradient(loss, model.trainable_variables)
        ]

    table = model.layers[0].embeddings.word.embeddings
    place = [id(v) for v in model.trainable_variables].index(id(table))
    first, before = slopes(), np.array(table)
    table.assign(before + epsilon * first[place] / np.linalg.norm(first[place]))
    second = slopes()
    table.assign(before)
    return first, second


class Spy(keras.optimizers.SGD):
    """Keeps the gradients and the weights at the step, and changes nothing."""

    def apply(self, grads, trainable_variables=None):
        self.seen = list(map(np.array, grads))
        self.weights_seen = [np.array(v) for v in trainable_variables]


def small_classifier(dropout=0.0):
    dense = keras.layers.Dense(2)
    dense.build((None, ONE_BLOCK.hidden_size))  # Sooner done than a call.
    model = keras.Sequential([encoder(dropout), dense])
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


def test_the_gradients_of_fgm():
    model = small_classifier()
    first, second = gradients_by_hand(model, 2.0)
    weights = model.get_weights()
    trainer = FGM(model, epsilon=2.0)
    trainer.compile(Spy(), LOSS, run_eagerly=True)
    trainer.train_on_batch(INPUTS, LABELS)
    largest = 0.0
    for one, other, found in zip(first, second, trainer.optimizer.seen, strict=True):
        np.testing.assert_allclose(found, one + other, atol=1e-5)
        largest = max(largest, np.abs(one - other).max())
    assert largest > 0.01  # The second gradients are other ones.
    for before, at_the_step in zip(
        model.trainable_weights, trainer.optimizer.weights_seen, strict=True
    ):
        np.testing.assert_array_equal(before, at_the_step)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def step(cls, weights, loss=LOSS):
    """Returns the weights after a step of SGD at a rate of 1, under jit where it is JAX."""
    model = small_classifier()
    model.set_weights(weights)
    trainer = cls(model)
    trainer.compile(keras.optimizers.SGD(1.0), loss, run_eagerly=keras.backend.backend() != "jax")
    trainer.fit(INPUTS, LABELS, batch_size=3, verbose=0)
    return model.get_weights()


@pytest.mark.slow
def test_jax_backend(tmp_path):
    """The same step of FGM as on TensorFlow; and R-Drop drops twice."""
    pytest.importorskip("jax")
    before = small_classifier().get_weights()
    file = tmp_path / "weights.npz"
    np.savez(file, *before, *step(FGM, before))
    run_python(
        """
import sys
import keras, numpy as np
from keras_bert_zh import FGM, RDrop
from tests.training import test_wrapped
arrays = list(np.load(sys.argv[1]).values())
before, after = arrays[: len(arrays) // 2], arrays[len(arrays) // 2 :]
for ours, theirs in zip(test_wrapped.step(FGM, before), after, strict=True):
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
model = test_wrapped.small_classifier(0.3)
trainer = RDrop(model, alpha=1e4)
trainer.compile(keras.optimizers.SGD(0.0), test_wrapped.LOSS)
loss = float(trainer.train_on_batch(test_wrapped.INPUTS, test_wrapped.LABELS))
assert 100 < loss < 1e5, loss
""",
        file,
        KERAS_BACKEND="jax",
    )


def test_fgm_takes_models_with_trained_word_embeddings():
    model = small_classifier()
    model.layers[0].freeze_layers(0)
    trainer = FGM(model)
    trainer.compile("sgd", LOSS, run_eagerly=True)
    with pytest.raises(
        ValueError, match="FGM changes the word embeddings of a BertEncoder, but none"
    ):
        trainer.train_on_batch(INPUTS, LABELS)


@pytest.mark.parametrize("cls", [RDrop, FGM])
@pytest.mark.usefixtures("eagerly")
def test_a_model_of_texts_is_fitted_and_saved_alone(cls, tmp_path):
    preprocess = BertPreprocess(None, max_length=6)
    config = type(ONE_BLOCK)(**ONE_BLOCK.to_dict() | {"vocab_size": 21128})
    model = TextClassifier(
        BertEncoder(None, config=config), ["a", "b"], preprocess=preprocess, dropout=0.2
    )
    trainer = cls(model)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5))
    trainer.compile(optimizer, LOSS, metrics=["accuracy"], jit_compile=False)
    before = model.get_weights()
    texts = ["天", "地", "人", "你"]
    history = trainer.fit(texts, [0, 1, 1, 0], batch_size=4, verbose=0).history
    assert set(history) == {"loss", "accuracy"}
    assert np.isfinite(history["loss"]).all()
    changes = [np.abs(a - b).max() for a, b in zip(before, model.get_weights(), strict=True)]
    assert max(changes) > 1e-3
    trainer.save(tmp_path / "trainer.keras")
    trained_on = keras.saving.load_model(tmp_path / "trainer.keras")
    assert trained_on.optimizer.iterations == 1
    trained_on.fit(texts, [0, 1, 1, 0], batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is TextClassifier
    np.testing.assert_array_equal(again(texts), trainer(texts))


def test_bad_arguments():
    model = keras.Sequential([keras.layers.Dense(1)])
    for bad, message in (
        ({"alpha": -1}, "alpha must be a number of at least 0, got -1"),
        ({"activation": "tanh"}, "activation must be 'softmax' or 'sigmoid', got 'tanh'"),
    ):
        with pytest.raises(ValueError, match=message):
            RDrop(model, **bad)
    with pytest.raises(ValueError, match="epsilon must be a positive number, got 0"):
        FGM(model, epsilon=0)
    with pytest.raises(TypeError, match=r"RDrop takes a keras\.Model, got 'small'"):
        RDrop("small")
    trainer = RDrop(model)
    trainer.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(ValueError, match="has one output: pass activation="):
        trainer.train_on_batch(np.ones((2, 3), "float32"), np.ones((2, 1)))
