"""compile of the heads: the loss that fits, its weights, and labels by their names."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, log_softmax

from keras_bert_zh import BertEncoder, SpanReader, TextClassifier, TokenTagger
from tests.conformance.cases import INPUTS, ONE_BLOCK

MASK = INPUTS["input_mask"]
TAGS = np.array([[0, 1, 2, 0, 1, 1, 2], [2, 0, 1, 0, 0, 0, 0], [1, 1, 0, 2, 2, 0, 0]])
SEVERAL = "multi_label_classification"
WEIGHTS = np.array([0.5, 2.0, 3.0])


def fresh(cls=TextClassifier, labels=("a", "b", "c"), **kwargs):
    """A model of which only the head is trained, to save time."""
    encoder = BertEncoder(None, config=ONE_BLOCK, dropout=0.0)
    encoder.trainable = False
    kwargs |= {} if cls is SpanReader else {"labels": labels}
    return cls(encoder, dropout=None if cls is SpanReader else 0.0, **kwargs)


def made(cls=TextClassifier, **kwargs):
    """A model that stays as it is in fit, whose losses are those of its outputs."""
    model = fresh(cls, **kwargs)
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    return model


def cross_entropy(model, labels):
    """Of each row, or each token."""
    logits = np.asarray(model(INPUTS), "float64")
    return -np.take_along_axis(log_softmax(logits, -1), labels[..., None], -1)[..., 0]


def fitted(model, *data, **kwargs):
    return model.fit(*data, batch_size=3, shuffle=False, verbose=0, **kwargs).history["loss"][0]


def routes(labels, weights=None):
    """Labels, and weights of them, as arrays, as lists and in tf.data."""
    weights = () if weights is None else (weights,)
    data = (labels, *weights)
    yield (INPUTS, labels), {"sample_weight": weights[0]} if weights else {}
    lists = [array.tolist() for array in data]
    yield (INPUTS, lists[0]), {"sample_weight": lists[1]} if weights else {}
    yield (tf.data.Dataset.from_tensor_slices((INPUTS, *data)).batch(3),), {}


def test_a_single_label():
    model, labels = made(), np.array([0, 2, 1])
    losses = cross_entropy(model, labels)
    right = (np.argmax(model(INPUTS), -1) == labels).mean()
    for given in ([0, 2, 1], np.array(["a", "c", "b"])):
        found = model.evaluate(INPUTS, given, verbose=0)
        assert found == pytest.approx([losses.mean(), right], abs=1e-5)
    assert model.problem_type == "single_label_classification"
    held_out = (INPUTS, ["a", "c", "b"])
    history = model.fit(*held_out, validation_data=held_out, verbose=0).history
    assert history["val_loss"][0] == pytest.approx(losses.mean(), abs=1e-5)


def test_class_weight_of_a_single_label():
    model, labels = made(), np.array([0, 2, 1])
    expected = (cross_entropy(model, labels) * WEIGHTS[labels]).mean()
    for args, _ in routes(labels):
        weights = dict(zip([0, "b", 2], WEIGHTS, strict=True))
        assert fitted(model, *args, class_weight=weights) == pytest.approx(expected, abs=1e-5)
        # Keras alone fails in tf.data, where the last labels are left out.
        expected_of_one = (cross_entropy(model, labels) * [5, 1, 1]).mean()
        assert fitted(model, *args, class_weight={0: 5}) == pytest.approx(expected_of_one, abs=1e-5)
    loss, _ = model.train_on_batch(INPUTS, labels, class_weight={"c": 3.0})
    assert loss == pytest.approx((cross_entropy(model, labels) * [1, 3, 1]).mean(), abs=1e-5)
    with pytest.raises(ValueError, match="class_weight has 'd', but the model has the 3 labels 'a"):
        fitted(model, INPUTS, labels, class_weight={"d": 1.0})


def test_several_labels():
    model = made(problem_type=SEVERAL)
    hot = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], "float32")
    chances = expit(np.asarray(model(INPUTS), "float64"))
    losses = -np.log(np.where(hot, chances, 1 - chances)).mean(-1)
    right = ((chances > 0.5) == hot).mean()
    for given in (hot.tolist(), [["a", "c"], [], ["b"]], [{"c", "a"}, (), ("b",)]):
        found = model.evaluate(INPUTS, given, verbose=0)
        assert found == pytest.approx([losses.mean(), right], abs=1e-5)
    weighted = model.evaluate(INPUTS, hot, sample_weight=[1, 2, 0], verbose=0)[0]
    assert weighted == pytest.approx((losses * [1, 2, 0]).mean(), abs=1e-5)


def test_regression():
    model, values = made(problem_type="regression"), np.array([[1, 2, 3]] * 3, "float32")
    errors = np.asarray(model(INPUTS)) - values
    found = model.evaluate(INPUTS, values, verbose=0)
    assert found == pytest.approx([(errors**2).mean(), np.abs(errors).mean()], abs=1e-5)
    model = made(labels=["score"])
    assert model.problem_type == "regression"
    errors = np.asarray(model(INPUTS))[:, 0] - [0.5, 1, 3]
    found = model.evaluate(INPUTS, [0.5, 1, 3], verbose=0)
    assert found == pytest.approx([(errors**2).mean(), np.abs(errors).mean()], abs=1e-5)


@pytest.mark.parametrize(
    "weights",
    [None, np.array([[1, 0, 2, 0, 0.5, 1, 1]] * 3, "float32"), np.array([1, 0.25, 3], "float32")],
    ids=["none", "tokens", "texts"],
)
def test_weights_of_tokens(weights):
    model = made(TokenTagger)
    losses = cross_entropy(model, TAGS)
    all_of_them = MASK * (1 if weights is None else weights.reshape(3, -1))
    right = np.argmax(model(INPUTS), -1) == TAGS
    for args, kwargs in list(routes(TAGS, weights))[1:]:
        found = model.evaluate(*args, **kwargs, verbose=0)
        expected = [(x * all_of_them).sum() / all_of_them.sum() for x in (losses, right)]
        assert found == pytest.approx(expected, abs=1e-5)
        of_classes = all_of_them * WEIGHTS[TAGS]
        expected = (losses * of_classes).sum() / of_classes.sum()
        loss = fitted(model, *args, **kwargs, class_weight=dict(enumerate(WEIGHTS)))
        assert loss == pytest.approx(expected, abs=1e-5)


def test_weights_of_held_out_tokens():
    model, weights = made(TokenTagger), np.array([1, 0, 0], "float32")
    expected = (cross_entropy(model, TAGS) * MASK)[0].sum() / MASK[0].sum()
    held_out = tf.data.Dataset.from_tensor_slices((INPUTS, TAGS, weights)).batch(3)
    for data in ((INPUTS, TAGS, weights), held_out):
        history = model.fit(INPUTS, TAGS, validation_data=data, verbose=0).history
        assert history["val_loss"][0] == pytest.approx(expected, abs=1e-5)


def test_a_crf_has_its_own_loss():
    model, weights = made(TokenTagger, crf=True), np.array([1, 0, 0], "float32")
    chain = np.asarray(model(INPUTS)._keras_mask)
    likelihood = np.asarray(model.crf.log_likelihood(model(INPUTS), TAGS, chain))
    loss, accuracy = model.evaluate(INPUTS, TAGS, sample_weight=weights, verbose=0)
    assert loss == pytest.approx(-likelihood[0] / chain.sum(), abs=1e-5)
    right = (np.argmax(model(INPUTS), -1) == TAGS)[0][chain[0]]
    assert accuracy == pytest.approx(right.mean())
    with pytest.raises(ValueError, match=r"^A CRF .* leave class_weight out"):
        model.fit(INPUTS, TAGS, class_weight={0: 2.0}, verbose=0)


def test_start_and_end():
    model = made(SpanReader)
    labels = {"start_logits": np.array([0, 2, 3]), "end_logits": np.array([1, 2, 5])}
    logits = {key: np.asarray(value, "float64") for key, value in model(INPUTS).items()}
    losses = [-log_softmax(logits[key], -1)[range(3), labels[key]].mean() for key in labels]
    right = [(logits[key].argmax(-1) == labels[key]).mean() for key in labels]
    found = model.evaluate(INPUTS, labels, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(sum(losses), abs=1e-5)
    assert [found[f"{key}_accuracy"] for key in labels] == pytest.approx(right)


@pytest.mark.parametrize(
    ("cls", "kwargs", "labels"),
    [
        (TextClassifier, {"problem_type": SEVERAL}, np.eye(3)),
        (TextClassifier, {"problem_type": "regression"}, np.eye(3)),
        (SpanReader, {}, {"start_logits": [0, 1, 2], "end_logits": [0, 1, 2]}),
    ],
)
def test_no_class_weight_where_there_are_no_classes(cls, kwargs, labels):
    """Keras would take the first of several labels, and round numbers."""
    model = made(cls, **kwargs)
    with pytest.raises(
        ValueError, match=r"^class_weight needs a model with one label .* pass sample_weight"
    ):
        model.fit(INPUTS, labels, class_weight={0: 2.0}, verbose=0)


def test_class_weight_that_is_no_dict():
    for weights in ("balanced", [1.0, 2.0, 3.0]):
        with pytest.raises(ValueError, match="class_weight must be a dict from names"):
            made().fit(INPUTS, [0, 1, 2], class_weight=weights, verbose=0)


def test_class_weight_that_is_no_number():
    with pytest.raises(ValueError, match=r"class_weight\['a'\] must be a number of at least 0"):
        made().fit(INPUTS, [0, 1, 2], class_weight={"a": None}, verbose=0)


def test_names_for_a_regression():
    with pytest.raises(ValueError, match="A regression needs numbers"):
        made(labels=["a"]).fit(INPUTS, ["a", "b", "a"], verbose=0)


def test_class_weight_of_tokens_in_a_generator():
    with pytest.raises(ValueError, match="got generator: make it yield sample_weight"):
        made(TokenTagger).fit(((INPUTS, TAGS) for _ in range(1)), class_weight={"a": 2.0})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b", "d"], r"^Row 2 has the label 'd', but the model has the 3 labels 'a', 'b', 'c"),
        (["a", 1, "b"], "^Row 1 has the label 1"),
        (["a", ["a", "b"], "b"], "^Row 1 has 2 labels.*multi_label_classification"),
        ([0, 1, 3], r"^Labels must be numbers from 0 to 2, got 3: the model has the 3 labels"),
        (np.array([0, -1, 1]), "^Labels must be numbers from 0 to 2, got -1"),
        (
            np.eye(3),
            r"^Labels must be numbers, <int32>\[B\], got the shape \[3, 3\]\. For .* np\.argmax",
        ),
    ],
)
def test_labels_that_there_are_not(labels, message):
    with pytest.raises(ValueError, match=message):
        made().fit(INPUTS, labels, verbose=0)


@pytest.mark.parametrize(
    ("kwargs", "labels", "message"),
    [
        ({"labels": ["a"]}, [[1.0, 2.0]] * 3, r"^This regression needs 1 number for.*\[3, 2\]"),
        ({"problem_type": "regression"}, [1.0, 2.0, 3.0], r"needs 3 numbers for .*\[3\]\.$"),
        ({"problem_type": "regression"}, [[1.0], [2.0], [3.0]], r"got the shape \[3, 1\]"),
        (
            {},
            [0.5, 1.0, 0.0],
            r"^Labels must be whole numbers from 0 to 2, got 0\.5\.",
        ),
        ({}, None, r"^TextClassifier needs labels, got none"),
    ],
)
def test_numbers_that_do_not_fit(kwargs, labels, message):
    for method in ("fit", "evaluate"):
        with pytest.raises(ValueError, match=message):
            getattr(made(**kwargs), method)(INPUTS, labels, verbose=0)


def test_labels_of_tokens_that_there_are_not():
    with pytest.raises(
        ValueError, match=r"^Labels must be numbers for \d+ tokens in each .*align_labels"
    ):
        made(TokenTagger, crf=True).fit(INPUTS, TAGS[:, :-1], verbose=0)
    with pytest.raises(ValueError, match=r"^Labels must be numbers from 0 to 2, got 3"):
        made(TokenTagger).evaluate(INPUTS, TAGS + 1, verbose=0)
    with pytest.raises(
        ValueError, match=r"^Labels must be numbers, <int32>\[B, S\], got the shape"
    ):
        made(TokenTagger).evaluate(INPUTS, np.eye(3)[TAGS], verbose=0)


@pytest.mark.parametrize(
    "labels",
    [
        [["a", "b"], ["c"], ["a"]],
        [[0, 1], [2], [0]],
        tf.ragged.constant([[0, 1], [2], [0]]),
        np.full(TAGS.shape, "a"),
        np.full(TAGS.shape, "a", object),
    ],
)
@pytest.mark.parametrize("crf", [False, True])
def test_labels_of_words_for_tokens(labels, crf):
    with pytest.raises(ValueError, match=r"^TokenTagger needs labels as numbers.*align_labels"):
        made(TokenTagger, crf=crf).fit(INPUTS, labels, verbose=0)


def test_names_in_a_dataset():
    data = tf.data.Dataset.from_tensor_slices((INPUTS, ["a", "b", "c"])).batch(3)
    with pytest.raises(ValueError, match=r"^The labels in a dataset must be numbers"):
        made().fit(data, verbose=0)


@pytest.mark.parametrize("cls", [TextClassifier, TokenTagger, SpanReader])
def test_saved_and_read(cls, tmp_path):
    model = made(cls)
    model.optimizer.build(model.trainable_variables)
    labels = {
        TextClassifier: np.array([0, 2, 1]),
        TokenTagger: TAGS,
        SpanReader: {"start_logits": np.array([0, 2, 3]), "end_logits": np.array([1, 2, 5])},
    }[cls]
    expected = model.evaluate(INPUTS, labels, verbose=0)
    model.optimizer.iterations.assign(7)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.own_compiled == {"loss": "auto", "metrics": "auto", "weighted_metrics": None}
    assert loaded.evaluate(INPUTS, labels, verbose=0) == pytest.approx(expected)
    assert int(loaded.optimizer.iterations) == 7


def test_what_the_user_chooses():
    model = fresh()
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True), run_eagerly=True)
    hot = np.eye(3)[[0, 2, 1]]
    losses = cross_entropy(model, np.array([0, 2, 1]))
    assert model.evaluate(INPUTS, hot, verbose=0) == pytest.approx(losses.mean(), abs=1e-5)
    model.compile("sgd", metrics=None)
    assert (model.own_compiled, model.metrics_names) == ({"loss": "auto"}, ["loss"])
    model.compile("sgd", weighted_metrics=["accuracy"], run_eagerly=True)
    assert len(model.evaluate(INPUTS, [0, 2, 1], sample_weight=[1, 0, 0], verbose=0)) == 2
    assert model.get_compile_config()["weighted_metrics"] == ["accuracy"]
    model.compile("sgd", "mse", metrics=["mae"])
    assert model.own_compiled == {}


@pytest.mark.parametrize(
    ("kwargs", "labels"),
    [
        ({"problem_type": SEVERAL}, [["a", "c"], [], ["b"]]),
        ({"problem_type": "regression"}, [[0.0, 1, 2], [1, 0, 0], [0, -1, 0]]),
        ({"cls": TokenTagger}, TAGS),
    ],
    ids=["several", "regression", "tokens"],
)
def test_it_learns(kwargs, labels):
    model = fresh(**{"cls": TextClassifier} | kwargs)
    model.compile(keras.optimizers.Adam(0.3), run_eagerly=True)
    losses = model.fit(INPUTS, labels, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0] * 0.9
