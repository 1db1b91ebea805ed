import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import (
    BertEncoder,
    FrozenModel,
    MaskedLM,
)
from tests.conformance.cases import CONFIG, INPUTS, POSITIONS
from tests.encoder.common import difference, randomized
from tests.export.models import TEXTS, classifier, encoder_of
from tests.heads.text_models import text_model
from tests.process import run_python


@pytest.mark.parametrize(
    ("dtype", "padding_free"),
    [("float32", None), ("float32", False), ("bfloat16", None), ("mixed_bfloat16", False)],
)
def test_an_encoder(dtype, padding_free):
    encoder = encoder_of(output_key=None, dtype=dtype, padding_free=padding_free)
    frozen = FrozenModel(encoder)
    expected, outputs = encoder(INPUTS), frozen(INPUTS)
    bound = 1e-5 if dtype == "float32" else 0.05
    for key, value in expected.items():
        assert outputs[key].dtype == value.dtype
        assert difference(*(tf.cast(v, "float64") for v in (outputs[key], value))) < bound
    # Another batch size and length, and what may be missing.
    ids = INPUTS["input_ids"][:2, :4]
    assert (
        difference(
            *(
                tf.cast(call({"input_ids": ids.astype("int64")})["pooled_output"], "float64")
                for call in (encoder, frozen)
            )
        )
        < bound
    )


def test_weights_are_constants_that_stay():
    encoder = encoder_of()
    frozen = FrozenModel(encoder)
    before = frozen(INPUTS)
    graph = frozen._serve.get_concrete_function().graph
    held = [function.definition.node_def for function in graph._functions.values()]
    operations = {node.op for nodes in held for node in nodes}
    assert "MatMul" in operations
    assert not operations & {"ReadVariableOp", "ResourceGather"}
    assert frozen._serve.get_concrete_function().variables == ()
    randomized(encoder, seed=1)
    assert difference(frozen(INPUTS), before) == 0
    assert difference(encoder(INPUTS), before) > 0.1


def test_dropout_is_off():
    encoder = BertEncoder(None, config=CONFIG, dropout=0.5)
    frozen = FrozenModel(encoder)
    assert difference(frozen(INPUTS), frozen(INPUTS)) == 0


def test_texts():
    model = classifier()
    frozen = FrozenModel(model)
    expected = model(tf.constant(TEXTS))
    array = np.array(TEXTS)
    encoded = [text.encode() for text in TEXTS]
    for texts in (
        *(TEXTS, tuple(TEXTS), encoded, list(map(tf.constant, TEXTS)), {"text_a": TEXTS}),
        *(array, array.astype(object), np.array(encoded), array[:, None], tf.constant(array)),
    ):
        assert difference(frozen(texts), expected) < 1e-5
    for text in (TEXTS[0], encoded[0], tf.constant(TEXTS[0])):
        assert difference(frozen(text), expected[:1]) < 1e-5  # One row.


def test_pairs_in_a_sequential(tmp_path):
    texts, others = tf.constant(TEXTS), tf.constant(TEXTS[::-1])
    model = classifier()
    single = FrozenModel(model)
    for inputs in ((TEXTS, TEXTS), {"text_a": texts, "text_b": texts}, [["好", "不"], ["好"]]):
        with pytest.raises(TypeError, match=r"takes single texts.*call the Sequential on a pair"):
            single(inputs)
    expected = model({"text_a": texts, "text_b": others})  # As the error says.
    frozen = FrozenModel(model)
    for inputs in (
        *((texts, others), [texts, others], {"text_a": texts, "text_b": others}),
        *((TEXTS, TEXTS[::-1]), [np.array(TEXTS), np.array(TEXTS[::-1], dtype=object)]),
    ):
        assert difference(frozen(inputs), expected) < 1e-5
    assert difference(frozen((TEXTS[0], TEXTS[-1])), expected[:1]) < 1e-5
    for inputs, given in ((TEXTS[:2], r"a list of 2 \(str\)"), (texts, "EagerTensor")):
        with pytest.raises(TypeError, match=rf"'text_a', 'text_b'.*got {given}. Pass a pair as a"):
            frozen(inputs)
    loaded = tf.saved_model.load(frozen.save(tmp_path / "frozen"))
    assert difference(loaded.serve((texts, others)), expected) < 1e-5


def test_nested_models_that_take_pairs(tmp_path):
    pair = (tf.constant(TEXTS), tf.constant(TEXTS[::-1]))
    model = classifier()
    expected = tf.nn.softmax(model(pair))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    nested = keras.Sequential([loaded, keras.layers.Softmax()])
    assert difference(FrozenModel(nested)(pair), expected) < 1e-5


def test_models_of_texts_that_take_pairs(tiny_block):
    model = text_model(tiny_block)
    pair = TEXTS, TEXTS[::-1]
    expected = model(pair)
    with pytest.raises(TypeError, match=r"such as TextClassifier, set takes_pairs = True before"):
        FrozenModel(model)(pair)
    model.takes_pairs = True
    assert difference(FrozenModel(model)(pair), expected) < 1e-5
    assert type(model).from_config(model.get_config()).takes_pairs
    assert difference(FrozenModel(keras.Sequential([model]))(pair), expected) < 1e-5


@pytest.mark.parametrize("kind", ["loaded", "functional", "twice"])
def test_nested_models_that_take_texts(tmp_path, kind):
    texts = tf.constant(TEXTS)
    model = classifier()
    if kind == "loaded":
        model(texts)
        model.save(tmp_path / "model.keras")
        nested = keras.saving.load_model(tmp_path / "model.keras")
    elif kind == "functional":
        symbolic = keras.Input((), dtype="string")
        nested = keras.Model(symbolic, model(symbolic))
    else:
        nested = keras.Sequential([model])
    frozen = FrozenModel(keras.Sequential([nested, keras.layers.Softmax()]))
    assert difference(frozen(TEXTS), tf.nn.softmax(model(texts))) < 1e-5


def test_functional_models():
    one, other = (keras.Input((), dtype="string", name=name) for name in ("one", "other"))
    texts = tf.constant(TEXTS)
    model = classifier(one)
    frozen = FrozenModel(model)
    for inputs in ([texts], (texts,), texts, [TEXTS], TEXTS, np.array(TEXTS), {"one": TEXTS}):
        assert difference(frozen(inputs), model([texts])) < 1e-5
    model = classifier(one, other)
    frozen = FrozenModel(model)
    expected = model([texts, texts[::-1]])
    for inputs in (
        *([texts, texts[::-1]], (texts, texts[::-1]), {"one": texts, "other": texts[::-1]}),
        *((TEXTS, TEXTS[::-1]), (np.array(TEXTS), tuple(TEXTS[::-1]))),
    ):
        assert difference(frozen(inputs), expected) < 1e-5
    assert difference(frozen((TEXTS[0], TEXTS[-1])), expected[:1]) < 1e-5
    for inputs in (TEXTS, TEXTS[:2], texts, {"one": texts}):
        with pytest.raises(TypeError, match=r"takes \['one', 'other'\], .* got .* Pass a pair as"):
            frozen(inputs)
    symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in INPUTS}
    model = keras.Model(symbolic, encoder_of()(symbolic))
    assert difference(FrozenModel(model)(INPUTS), model(INPUTS)) < 1e-5


def test_other_nested_models():
    encoder = encoder_of()
    model = keras.Sequential(
        [keras.Sequential([encoder, keras.layers.Dense(2)]), keras.layers.ReLU()]
    )
    assert difference(FrozenModel(model)(INPUTS), model(INPUTS)) < 1e-5
    symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in INPUTS}
    model = keras.Sequential([keras.Model(symbolic, encoder(symbolic)), keras.layers.ReLU()])
    assert difference(FrozenModel(model)(INPUTS), model(INPUTS)) < 1e-5
    one, other = (keras.Input((), dtype="string", name=name) for name in ("one", "other"))
    model = keras.Sequential([classifier(one, other), keras.layers.ReLU()])
    pair = (tf.constant(TEXTS), tf.constant(TEXTS[::-1]))
    assert difference(FrozenModel(model)(pair), model(pair)) < 1e-5
    model = keras.Sequential([keras.layers.Dense(2)])
    rows = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    model(rows[:2])
    assert difference(FrozenModel(model)(rows), model(rows)) < 1e-5


def test_a_masked_lm():
    model = MaskedLM(encoder_of(), next_sentence=True)
    frozen = FrozenModel(model)
    ids = {"input_ids": INPUTS["input_ids"]}
    for inputs in (INPUTS | {"mlm_positions": POSITIONS.astype("int64")}, INPUTS, ids):
        expected, outputs = model(inputs), frozen(inputs)
        assert outputs.keys() == expected.keys()
        for key, value in expected.items():
            assert difference(outputs[key], value) < 1e-5
    with pytest.raises(ValueError, match="positions"):
        frozen(INPUTS | {"mlm_positions": POSITIONS + 7})
    model = keras.Sequential([MaskedLM(encoder_of()), keras.layers.Softmax()])
    assert difference(FrozenModel(model)(INPUTS), model(INPUTS)) < 1e-5


def test_one_trace_for_all_shapes():
    frozen = FrozenModel(encoder_of())
    for rows, columns in ((1, 3), (2, 7), (3, 5)):
        frozen({name: value[:rows, :columns] for name, value in INPUTS.items()})
    assert frozen._serve.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (keras.layers.Dense(2), "functional keras.Model, or a keras.Sequential .* got Dense"),
        (keras.Sequential([keras.layers.Dense(2)]), "got a Sequential that begins with Dense"),
        (keras.Sequential(), "got Sequential"),
    ],
)
def test_other_models(model, message):
    with pytest.raises(TypeError, match=message):
        FrozenModel(model)


def test_bad_inputs(small):
    with pytest.raises(ValueError, match=r"input_ids must be in \[0, 53\).*got 53"):
        small({"input_ids": [[1, 53]]})
    with pytest.raises(ValueError, match="12 long, and the encoder has 11 positions"):
        small({"input_ids": [[1] * 12]})
    with pytest.raises(ValueError, match=r"takes a dict of input_ids.* got list"):
        small([[1, 2]])


def test_pickle_and_copy_name_save(small):
    for duplicate in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(TypeError, match=r"can't be pickled or copied.*save\(folder\)"):
            duplicate(small)


def test_jax_is_refused():
    run_python(
        """
from keras_bert_zh import BertEncoder, FrozenModel
from tests.conformance.cases import CONFIG
try:
    FrozenModel(BertEncoder(None, config=CONFIG))
except ValueError as error:
    assert "and Keras runs on jax: start Python with KERAS_BACKEND=tensorflow" in str(error)
else:
    raise AssertionError
""",
        KERAS_BACKEND="jax",
    )
