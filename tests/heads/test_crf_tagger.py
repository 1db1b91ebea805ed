"""TokenTagger with a CRF: its chain, its loss, how it learns and is saved."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder, TokenTagger, adamw
from keras_bert_zh.heads.chain import tokens_of_text
from tests.conformance.cases import CONFIG, INPUTS, ONE_BLOCK
from tests.encoder.common import randomized
from tests.process import run_python

LABELS = ["O", "B-X", "I-X"]
TEXTS = ["a b c", "d", ""]
Y = np.array([[0, 1, 2, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0], [0] * 8])


def tagger(source, **kwargs):
    model = TokenTagger(source, LABELS, crf=True, max_length=8, dropout=0.0, **kwargs)
    return with_weights(model)


def with_weights(model):
    for index, weight in enumerate(model.crf.weights):
        weight.assign(np.random.default_rng(index).normal(size=weight.shape))
    return model


def test_the_chain_is_the_tokens_of_the_text(tiny_block):
    model = tagger(tiny_block)
    expected = [[0, 1, 1, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0], [0] * 8]
    np.testing.assert_array_equal(model(TEXTS)._keras_mask, expected)
    pairs = model.preprocess((["a b", "a"], ["c", ""]))
    expected = [[0, 1, 1, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(tokens_of_text(pairs), expected)
    holes = {"input_ids": np.ones((1, 7), "int32"), "input_mask": np.array([[0, 1, 1, 0, 1, 1, 0]])}
    np.testing.assert_array_equal(tokens_of_text(holes), [[0, 0, 1, 0, 1, 0, 0]])
    np.testing.assert_array_equal(
        tokens_of_text({"input_ids": holes["input_ids"]})[0], [0, *[1] * 5, 0]
    )


@pytest.mark.usefixtures("eagerly")
def test_the_loss_is_per_token_whatever_the_padding(tiny_block):
    model = tagger(tiny_block)
    model.compile("sgd", metrics=None)
    logits, mask = model(TEXTS), np.asarray(model(TEXTS)._keras_mask)
    likelihood = np.asarray(model.crf.log_likelihood(logits, Y, mask))

    def told(x, y=Y, weights=None):
        return model.evaluate(x, y, sample_weight=weights, verbose=0)

    expected = pytest.approx(-likelihood.sum() / 4, rel=1e-5)
    assert told(TEXTS) == expected
    ids = {key: np.asarray(value) for key, value in model.preprocess(TEXTS).items()}
    assert told(ids) == expected
    longer = {key: np.pad(value, ((0, 0), (0, 2))) for key, value in ids.items()}
    assert told(longer, np.pad(Y, ((0, 0), (0, 2)))) == expected
    assert told(TEXTS, np.where(mask, Y, 2)) == expected
    of_texts = np.array([2.0, 0.5, 1.0])
    loss = told(TEXTS, Y, of_texts)
    assert loss == pytest.approx(-(likelihood * of_texts).sum() / 4, rel=1e-5)
    # The second token is taken out, and the two around it are neighbours.
    weights = mask.astype("float32")
    weights[0, 2] = 0
    alone = model.crf.log_likelihood(logits, Y, weights)
    loss = told(TEXTS, Y, weights)
    assert loss == pytest.approx(-np.sum(alone) / 3, rel=1e-5)
    assert told(TEXTS, Y, weights * 7) == loss
    assert loss != expected


def test_decoded_labels_and_their_probabilities(tiny_block):
    model = tagger(tiny_block)
    logits, mask = model(TEXTS), np.asarray(model(TEXTS)._keras_mask)
    labels, chances = (np.asarray(value) for value in model.decode(logits, mask))
    marginals = np.asarray(model.crf.marginals(logits, mask))
    for row, token in zip(*np.nonzero(mask), strict=True):
        assert chances[row, token] == marginals[row, token, labels[row, token]]
    assert not chances[~mask].any()
    plain = TokenTagger(tiny_block, LABELS, max_length=8)
    labels, chances = (np.asarray(value) for value in plain.decode(logits, mask))
    np.testing.assert_array_equal(labels, np.where(mask, np.argmax(logits, -1), 0))
    np.testing.assert_allclose(chances, np.where(mask, np.max(tf.nn.softmax(logits), -1), 0))


def test_a_batch_without_texts(tiny_block):
    model = tagger(tiny_block)
    labels, chances = model.decode(np.zeros((0, 4, 3), "float32"), np.ones((0, 4)))
    assert labels.shape == chances.shape == (0, 4)
    assert [value.to_list() for value in model.entities([]).values()] == [[]] * 5


@pytest.mark.slow
def test_it_learns_and_goes_on_from_its_file(tiny_block, tmp_path):
    """A label that the one before it tells, and no token."""
    texts, labels = ["a b b a"] * 8, np.zeros((8, 8), int)
    labels[:, 1:5] = [1, 2, 0, 1]
    weights = np.zeros((8, 8), "float32")
    weights[:, 1:5] = 1
    model = TokenTagger(tiny_block, LABELS, crf=True, max_length=8, dropout=0.0)
    model.encoder.trainable = False
    model.compile(adamw(0.02, 30, rates={"crf": 10.0}))
    history = model.fit(texts, labels, sample_weight=weights, epochs=30, verbose=0).history
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    found = model.decode(model(texts), weights)[0]
    np.testing.assert_array_equal(found, labels)
    model.save(tmp_path / "tagger.keras")
    again = keras.saving.load_model(tmp_path / "tagger.keras")
    assert again.optimizer.rates == {"crf": 10.0}
    assert again.crf.get_config() == model.crf.get_config()
    losses = [each.compute_loss(texts, labels, each(texts)) for each in (model, again)]
    assert losses[0] == losses[1]


def test_rules_by_the_names_of_labels():
    encoder = BertEncoder(None, config=ONE_BLOCK)
    rules = TokenTagger(encoder, LABELS, crf=True).crf.get_config()["allowed"]
    forbidden = np.argwhere(~np.array(rules)).tolist()
    assert forbidden == [[0, 2], [3, 2]]
    assert TokenTagger(encoder, ["x", "y"], crf=True).crf.get_config()["allowed"] is None
    assert TokenTagger(encoder, LABELS).crf is None
    with pytest.warns(UserWarning, match="^B-PER is missing from .* can't apply the rules"):
        assert TokenTagger(encoder, ["O", "I-PER"], crf=True).crf.get_config()["allowed"] is None
    with pytest.raises(ValueError, match=r"with the loss of the CRF: leave .* got 'mse'"):
        TokenTagger(encoder, LABELS, crf=True).compile("sgd", "mse")
    with pytest.raises(ValueError, match="crf must be True, False or None, got 1"):
        TokenTagger(encoder, LABELS, crf=1)


def test_padded_and_padding_free():
    """The chain is the same in both layouts, and a token of a hole is in neither."""
    models = [
        with_weights(
            TokenTagger(
                BertEncoder(None, config=CONFIG, dropout=0.0, padding_free=free), LABELS, crf=True
            )
        )
        for free in (True, False)
    ]
    randomized(models[0].encoder, scale=0.3)
    models[1].set_weights(models[0].get_weights())
    labels = np.random.default_rng(0).integers(0, 3, (3, 7))
    found = []
    for model in models:
        mask = tokens_of_text(INPUTS)
        with tf.GradientTape() as tape:
            loss = model.compute_loss(INPUTS, labels, model(INPUTS))
        gradients = tape.gradient(loss, [weight.value for weight in model.crf.weights])
        found.append([loss, *gradients, *model.decode(model(INPUTS), mask)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.slow
def test_jax_backend(tiny_block, tmp_path):
    """The same loss and labels, and a step of training in XLA."""
    pytest.importorskip("jax")
    model = tagger(tiny_block)
    model.compile("sgd", metrics=None)
    inputs = {key: np.asarray(value) for key, value in model.preprocess(TEXTS).items()}
    weights = {name: np.asarray(value) for name, value in model.named_variables().items()}
    mask = np.asarray(tokens_of_text(inputs))
    expected = [
        model.evaluate(inputs, Y, verbose=0),
        *map(np.asarray, model.decode(model(inputs), mask)),
    ]
    data = (model.encoder.config, weights, inputs, Y, mask, expected)
    (tmp_path / "data.pickle").write_bytes(pickle.dumps(data))
    run_python(
        """
import pickle, sys, keras, numpy as np
from keras_bert_zh import BertEncoder, TokenTagger
from keras_bert_zh.checkpoints import assign
assert keras.backend.backend() == "jax"
config, weights, inputs, y, mask, expected = pickle.load(open(f"{sys.argv[1]}/data.pickle", "rb"))
encoder = BertEncoder(None, config=config, dropout=0.0)
model = TokenTagger(encoder, ["O", "B-X", "I-X"], crf=True, dropout=0.0)
assign(weights, model.named_variables())
model.compile("sgd")
loss, accuracy = model.evaluate(inputs, y, verbose=0)
logits = np.asarray(model(inputs))
assert abs(accuracy - (logits.argmax(-1) == y)[mask].mean()) < 1e-6
found = [loss, *model.decode(model(inputs), mask)]
for one, other in zip(found, expected):
    assert np.abs(np.asarray(one) - other).max() < 1e-5, (one, other)
model.fit(inputs, y, sample_weight=mask.astype("float32"), verbose=0)
assert model.evaluate(inputs, y, verbose=0)[0] < loss and model.jit_compile
assert "tensorflow" not in sys.modules
""",
        tmp_path,
        KERAS_BACKEND="jax",
    )
