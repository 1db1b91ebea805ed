"""What `fit` moves, and what it leaves alone."""

import pickle

import keras
import numpy as np
import pytest

from keras_bert_zh import BertEncoder, MaskedLM
from tests.conformance.cases import CONFIG, INPUTS
from tests.heads.small_masked_lm import (
    LABELS,
    MODEL_INPUTS,
    NEXT,
    WEIGHTS,
    compiled,
    cross_entropy,
    fit,
    made,
    moved,
)


@pytest.mark.parametrize(
    ("dtype", "scaled"), [("mixed_float16", True), ("mixed_bfloat16", False), ("float32", False)]
)
def test_the_loss_is_scaled_where_gradients_might_vanish(dtype, scaled):
    model = made(dtype=dtype)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # In a graph where the optimiser has to choose whether it steps.
    model.compile(keras.optimizers.SGD(0.5), loss, run_eagerly=not scaled)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == scaled
    labels = np.full(MODEL_INPUTS["mlm_positions"].shape, 7)
    losses = model.fit(MODEL_INPUTS, labels, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 1


def test_fit_learns_and_leaves_the_pooler_alone():
    """It decays what it trains, which shows in weights without gradients, too."""
    optimizer = keras.optimizers.AdamW(0.03, weight_decay=0.5)
    model, history = compiled(made(), optimizer, run_eagerly=True), {}
    names = moved(model, lambda: history.update(fit(model, epochs=10)))
    assert history["loss"][-1] < history["loss"][0] / 3
    assert history["accuracy"][-1] == 1
    assert names == {n for n in model.named_variables() if not n.startswith("pooler.")}
    pooler = model.encoder.pooler
    assert pooler.rests
    assert pooler.trainable_variables == []
    assert len(model.trainable_weights) + len(model.non_trainable_weights) == len(model.weights)
    assert len(model.optimizer.variables) == 2 + 2 * len(model.trainable_variables)
    # Another model of this encoder still trains it.
    symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in INPUTS}
    classifier = keras.Model(symbolic, keras.layers.Dense(2)(model.encoder(symbolic)))
    classifier.compile("sgd", cross_entropy(), run_eagerly=True)
    assert len(pooler.trainable_variables) == 2
    names = moved(model, lambda: classifier.fit(INPUTS, NEXT, verbose=0))
    assert {"pooler.dense.kernel", "pooler.dense.bias"} < names


def test_positions_of_weight_0_count_for_nothing():
    model, losses = compiled(made(), run_eagerly=True), []
    for first, second in ((1, 1), (1, 40), (40, 1)):
        labels = np.concatenate([LABELS[:2], [[first, second]]])
        losses.append(model.evaluate(MODEL_INPUTS, labels, sample_weight=WEIGHTS, verbose=0)[0])
    assert losses[0] == losses[1] != losses[2]


def test_fit_of_both_heads():
    model = made(next_sentence=True)
    keys = ("mlm_logits", "next_sentence_logits")
    losses = {key: cross_entropy() for key in keys}
    model.compile(keras.optimizers.Adam(0.03), losses, run_eagerly=True)
    labels = dict(zip(keys, (LABELS, NEXT), strict=True))
    weights = dict(zip(keys, (WEIGHTS, np.ones(3)), strict=True))
    history = {}

    def train():
        fitted = model.fit(MODEL_INPUTS, labels, sample_weight=weights, epochs=8, verbose=0)
        history.update(fitted.history)

    assert moved(model, train) == set(model.named_variables())
    for key in keys:
        assert history[f"{key}_loss"][-1] < history[f"{key}_loss"][0] / 2


def test_fit_compiled_by_xla():
    model = compiled(made(), keras.optimizers.SGD(0.1), jit_compile=True)
    plain = compiled(made(), keras.optimizers.SGD(0.1), run_eagerly=True)
    plain.set_weights(model.get_weights())
    for one, other in zip(fit(model, epochs=2)["loss"], fit(plain, epochs=2)["loss"], strict=True):
        assert one == pytest.approx(other, rel=1e-3)


def through_file(model, path):
    model.save(path)
    return keras.saving.load_model(path)


@pytest.mark.parametrize("route", ["as it is", "clone", "JSON", "pickle", "file"])
def test_frozen_weights_stay_frozen(tmp_path, route):
    copy = {
        "as it is": lambda model: model,
        "clone": keras.models.clone_model,
        "JSON": lambda model: keras.models.model_from_json(model.to_json()),
        "pickle": lambda model: pickle.loads(pickle.dumps(model)),
        "file": lambda model: through_file(model, tmp_path / "model.keras"),
    }[route]

    def trains(model):
        model = copy(model)
        trainable = set(map(id, model.trainable_variables))
        named = model.named_variables().items()
        return {name.split(".")[0] for name, v in named if id(v) in trainable}

    model = made()
    model.masked_lm.trainable = False
    assert trains(model) == {"embeddings", "blocks"}
    model.masked_lm.trainable = True
    model.encoder.trainable = False
    assert trains(model) == {"masked_lm"}
    model.trainable = False
    assert trains(model) == set()
    assert not any(variable.trainable for variable in copy(model).variables)
    model.trainable = True
    assert trains(model) == {"embeddings", "blocks", "masked_lm"}


def test_made_frozen():
    """Also where another model asks each weight by itself."""
    model = MaskedLM(BertEncoder(None, config=CONFIG), next_sentence=True, trainable=False)
    assert not any(variable.trainable for variable in model.variables)
