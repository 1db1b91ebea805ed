"""Every layer by every route."""

import json
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops, tree

from tests.conformance.cases import ALL_CASES, CASES, layers_of_the_package
from tests.process import run_python

EVERY = pytest.mark.parametrize("case", ALL_CASES.values(), ids=ALL_CASES)
NUMERIC = pytest.mark.parametrize(
    "case",
    [case for case in ALL_CASES.values() if not case.takes_strings],
    ids=[name for name, case in ALL_CASES.items() if not case.takes_strings],
)


def arrays(outputs):
    return [np.asarray(ops.convert_to_numpy(value)) for value in tree.flatten(outputs)]


def assert_same(actual, expected, tolerance=0.0):
    actual, expected = arrays(actual), arrays(expected)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def tensors(arguments):
    return tree.map_structure(
        lambda a: tf.constant(a.tolist() if a.dtype == object else a), arguments
    )


def symbolic(arguments):
    """Inputs with an open batch and sequence axis."""

    def make(array):
        if array.dtype == object:
            return keras.Input((), dtype="string")
        open_shape = (None, *array.shape[2:])
        return keras.Input(open_shape, dtype=str(array.dtype))

    return tree.map_structure(make, arguments)


def functional(case, layer):
    inputs = symbolic(case.arguments)
    return keras.Model(tree.flatten(inputs), layer(*inputs))


def call(model, case):
    """What `predict` gives, too; it traces a graph first."""
    return model(tree.flatten(tensors(case.arguments)))


def test_no_layer_is_missing():
    assert set(CASES) == layers_of_the_package()


@EVERY
def test_symbolic_shapes_and_dtypes_are_the_real_ones(case):
    layer = case.make()
    promised = tree.flatten(layer(*symbolic(case.arguments)))
    for promise, value in zip(promised, arrays(layer(*case.arguments)), strict=True):
        assert promise.dtype == str(value.dtype)
        assert len(promise.shape) == value.ndim
        assert all(p in (None, v) for p, v in zip(promise.shape, value.shape, strict=True))


@EVERY
def test_graph_equals_eager(case):
    layer = case.make()
    graph = tf.function(layer)
    assert_same(graph(*tensors(case.arguments)), layer(*case.arguments), 1e-6)


@EVERY
def test_functional_model_equals_eager(case):
    layer = case.make()
    outputs = functional(case, layer).predict(tree.flatten(case.arguments), verbose=0)
    assert_same(outputs, layer(*case.arguments), 1e-6)


@EVERY
def test_config_json_clone_and_pickle(case):
    layer = case.make(name="once")
    model = functional(case, layer)
    expected = call(model, case)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    assert keras.saving.deserialize_keras_object(config).get_config() == layer.get_config()
    clones = [keras.models.clone_model(model), keras.models.model_from_json(model.to_json())]
    for clone in clones:
        clone.set_weights(model.get_weights())
    for copy in (*clones, pickle.loads(pickle.dumps(model))):
        assert_same(call(copy, case), expected)


@pytest.mark.slow
def test_every_layer_saved_and_exported_is_the_same_in_a_new_process(tmp_path):
    expected = {}
    for name, case in ALL_CASES.items():
        model = functional(case, case.make())
        model.save(tmp_path / f"{name}.keras")
        model.export(tmp_path / name, verbose=False)
        flat = tree.flatten(case.arguments)
        expected[name] = [a.tolist() for a in flat], arrays(call(model, case))
    (tmp_path / "expected.pickle").write_bytes(pickle.dumps(expected))
    run_python(
        """
import pickle, sys
import numpy as np, tensorflow as tf, tensorflow_text
folder = sys.argv[1]
expected = pickle.load(open(f"{folder}/expected.pickle", "rb"))
def check(name, actual, values, tolerance):
    actual = [np.asarray(value) for value in tf.nest.flatten(actual)]
    assert len(actual) == len(values), name
    for a, b in zip(actual, values):
        assert np.abs(a - b).max() <= tolerance, (name, np.abs(a - b).max())
def cast(argument, spec):
    return tf.constant(argument, spec.dtype)
for name, (arguments, values) in expected.items():
    exported = tf.saved_model.load(f"{folder}/{name}")
    concrete = exported.serve.concrete_functions[0]
    specs = tf.nest.flatten(concrete.structured_input_signature)
    flat = [cast(argument, spec) for argument, spec in zip(arguments, specs)]
    check(name, exported.serve(flat), values, 1e-6)
assert "keras_bert_zh" not in sys.modules
import keras
try:
    keras.saving.load_model(f"{folder}/BertPreprocess.keras")
except TypeError as error:
    assert "Could not locate class 'BertPreprocess'" in str(error), error
    assert len(str(error)) < 3000, len(str(error))
else:
    raise AssertionError("loaded without its package")
import keras_bert_zh, keras_bert_zh.heads.masked_lm
for name, (arguments, values) in expected.items():
    model = keras.saving.load_model(f"{folder}/{name}.keras")
    arrays = [
        np.array(argument, dtype=object if isinstance(argument[0], str) else i.dtype)
        for argument, i in zip(arguments, model.inputs)
    ]
    check(name, model(list(map(tf.constant, arrays))), values, 0)
    if name == "BertPreprocess":
        check(name, model.predict(arrays, verbose=0), values, 0)
""",
        tmp_path,
    )


@NUMERIC
def test_xla_compiles_and_agrees(case):
    layer = case.make()
    compiled = tf.function(layer, jit_compile=True)
    assert_same(compiled(*tensors(case.arguments)), layer(*case.arguments), 2e-5)
    assert "HloModule" in compiled.experimental_get_compiler_ir(*tensors(case.arguments))("hlo")


@NUMERIC
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(case, policy):
    reference = case.make()
    mixed = case.make(dtype=policy)
    mixed(*case.arguments)
    reference(*case.arguments)
    mixed.set_weights(reference.get_weights())
    for value, exact in zip(
        tree.flatten(mixed(*case.arguments)),
        tree.flatten(reference(*case.arguments)),
        strict=True,
    ):
        assert keras.backend.standardize_dtype(value.dtype) == mixed.compute_dtype
        np.testing.assert_allclose(ops.cast(value, "float32"), exact, atol=0.06)
    assert {variable.dtype for variable in mixed.trainable_variables} <= {"float32"}


@NUMERIC
def test_gradients_flow(case):
    layer = case.make()
    layer(*case.arguments)
    with tf.GradientTape() as tape:
        outputs = layer(
            *case.arguments, **({"training": True} if layer._call_has_training_arg else {})
        )
        loss = sum(tf.reduce_sum(value**3) for value in tree.flatten(outputs))
    apart = f"/{case.part_of_the_loss}/"
    trained = [v for v in layer.trainable_variables if apart not in v.path]
    assert (len(trained) < len(layer.trainable_variables)) == bool(case.part_of_the_loss)
    gradients = tape.gradient(loss, trained)
    assert all(gradient is not None for gradient in gradients)
    assert all(np.isfinite(tf.convert_to_tensor(gradient)).all() for gradient in gradients)


@EVERY
def test_names_of_weights_are_unique(case):
    layer = case.make()
    layer(*case.arguments)
    names = [variable.path for variable in layer.weights]
    assert len(set(names)) == len(names)
