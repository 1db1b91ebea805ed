import dataclasses
import pathlib
import pickle
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
from tensorflow.core.protobuf import saved_model_pb2

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.schemes import TF1
from keras_bert_zh.export import hub_module
from tests.encoder.common import difference
from tests.process import run_python


@pytest.fixture(scope="module")
def folder(written_module):
    return written_module


@pytest.fixture(scope="module")
def module(folder):
    return hub.load(str(folder))


@pytest.fixture(scope="module")
def old(tiny_module):
    return hub.load(str(tiny_module))


@pytest.fixture
def fed(golden):
    """What the old module was fed, by signature."""
    arrays = {name: tf.constant(golden[name]) for name in (*hub_module.INPUTS, "mlm_positions")}
    tokens = {name: arrays[name] for name in hub_module.INPUTS}
    return {"tokens": tokens, "mlm": arrays, "tokenization_info": {}}


def changed(tiny, without=(), **changes):
    """The checkpoint without some heads, or with other changes."""
    kept = [name for name in tiny.weights if names.part_of(name) not in without]
    return dataclasses.replace(tiny, weights=tiny.weights.only(kept), **changes)


def test_files(folder, tiny_module):
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert files == {
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets/vocab.txt",
        "assets/bert_config.json",
    }
    copies = [parent / "assets" / "vocab.txt" for parent in (folder, tiny_module)]
    assert copies[0].read_bytes() == copies[1].read_bytes()


def test_the_graphs_hold_no_weights(folder):
    content = (folder / "saved_model.pb").read_bytes()
    (meta_graph,) = saved_model_pb2.SavedModel.FromString(content).meta_graphs
    nodes = [n for f in meta_graph.graph_def.library.function for n in f.node_def]
    constants = [n for n in nodes if n.op == "Const" and n.attr["dtype"].type != tf.string]
    assert len(constants) > 100
    assert max(node.ByteSize() for node in constants) < 300


@pytest.mark.parametrize("name", ["tokens", "mlm", "tokenization_info"])
def test_signatures_are_those_of_the_old_module(module, old, fed, golden, name):
    assert module.signatures.keys() == old.signatures.keys()
    new, expected = module.signatures[name], old.signatures[name]
    assert new.structured_input_signature == expected.structured_input_signature
    assert new.structured_outputs.keys() == expected.structured_outputs.keys()
    for key, output in expected.structured_outputs.items():
        assert new.structured_outputs[key].dtype == output.dtype
        assert new.structured_outputs[key].shape.as_list() == output.shape.as_list()
    outputs, theirs = new(**fed[name]), expected(**fed[name])
    for key in outputs.keys() - {"vocab_file", "do_lower_case"}:
        assert difference(outputs[key], theirs[key]) < 1e-5
        assert difference(outputs[key], golden[key]) < 1e-5


def test_tokenization(module, tiny):
    info = module.signatures["tokenization_info"]()
    assert info["do_lower_case"].numpy() is np.True_
    text = pathlib.Path(info["vocab_file"].numpy().decode()).read_text()
    assert text == "".join(f"{token}\n" for token in tiny.vocabulary)
    # Where TF2's modules have the two.
    assert module.vocab_file.asset_path.numpy() == info["vocab_file"].numpy()
    assert (module.do_lower_case.numpy(), module.do_lower_case.trainable) == (True, False)


def test_calls(module, fed, golden):
    for outputs in (module(fed["tokens"]), module(fed["tokens"], training=False)):
        for key in ("pooled_output", "sequence_output"):
            assert difference(outputs[key], golden[key]) < 1e-5


def test_dropout_in_training(module, fed, golden):
    first, second = (module(fed["tokens"], training=True)["sequence_output"] for _ in range(2))
    assert difference(first, second) > 0.1
    many = [module(fed["tokens"], training=True)["sequence_output"] for _ in range(100)]
    average = np.mean(many, axis=0).ravel()
    assert np.corrcoef(average, golden["sequence_output"].ravel())[0, 1] > 0.9


def test_variables(module, tiny):
    expected = names.translation(TF1.names, 2)
    for variables in (module.variables, module.trainable_variables):
        assert [variable.name for variable in variables] == [f"{n}:0" for n in expected.values()]
    for name, variable in zip(expected, module.variables, strict=True):
        np.testing.assert_array_equal(variable, tiny.weights[name])
    assert not module.regularization_losses


def test_gradients_reach_every_variable(module, fed):
    with tf.GradientTape() as tape:
        outputs = module(fed["tokens"], training=True).values()
        loss = sum(tf.reduce_sum(output**3) for output in outputs)
    gradients = tape.gradient(loss, list(module.trainable_variables))
    assert all(np.any(tf.convert_to_tensor(gradient)) for gradient in gradients)


@pytest.mark.parametrize("name", ["tokens", "mlm"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_ids": 718}, r"input_ids must be in \[0, 718\)"),
        ({"input_mask": -1}, r"input_mask must be in \[0, 2\)"),
        ({"segment_ids": 2}, r"segment_ids must be in \[0, 2\)"),
    ],
)
def test_ids_are_checked(module, fed, name, change, message):
    bad = fed[name] | {key: tf.fill((3, 16), value) for key, value in change.items()}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        module.signatures[name](**bad)


def test_lengths_and_positions_are_checked(module, fed):
    with pytest.raises(tf.errors.InvalidArgumentError, match="longer than the 64 positions"):
        module(dict.fromkeys(hub_module.INPUTS, tf.ones((1, 65), tf.int32)))
    bad = fed["mlm"] | {"mlm_positions": tf.fill((3, 2), 16)}
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"positions must be in \[0, length"):
        module.signatures["mlm"](**bad)


def test_without_heads_and_vocabulary(tiny, tmp_path, fed, golden):
    checkpoint = changed(tiny, ("pooler", "masked_lm"), vocabulary=None, lowercase=None)
    with warnings.catch_warnings(action="error", category=UserWarning):
        hub_module.write(checkpoint, tmp_path)
    module = hub.load(str(tmp_path))
    assert list(module.signatures) == ["tokens"]
    for outputs in (module.signatures["tokens"](**fed["tokens"]), module(fed["tokens"])):
        assert outputs.keys() == {"sequence_output"}
        assert difference(outputs["sequence_output"], golden["sequence_output"]) < 1e-5
    assert not any("pooler" in variable.name for variable in module.variables)
    assert not hasattr(module, "vocab_file")
    assert not hasattr(module, "do_lower_case")
    assert [file.name for file in (tmp_path / "assets").iterdir()] == ["bert_config.json"]


@pytest.mark.parametrize(("token", "lowercase"), [("Word", False), ("word", True)])
def test_the_vocabulary_tells_whether_text_is_lower_cased(tiny_block, tmp_path, token, lowercase):
    vocabulary = (*tiny_block.vocabulary[:-1], token)
    hub_module.write(changed(tiny_block, vocabulary=vocabulary, lowercase=None), tmp_path)
    module = hub.load(str(tmp_path))
    assert module.do_lower_case.numpy() == lowercase


def test_dtype_policies_do_not_matter(tiny, tmp_path, fed, golden):
    keras.config.set_dtype_policy("mixed_bfloat16")
    hub_module.write(tiny, tmp_path)
    outputs = hub.load(str(tmp_path)).signatures["mlm"](**fed["mlm"])
    for key, output in outputs.items():
        assert output.dtype == tf.float32
        assert difference(output, golden[key]) < 1e-5


@pytest.mark.parametrize(
    ("name", "value"), [("masked_lm.bias", 1e300), ("pooler.dense.bias", np.nan)]
)
def test_a_weight_that_is_not_finite(tiny, tmp_path, name, value):
    weights = dict(tiny.weights) | {name: np.full(tiny.weights[name].shape, value)}
    with pytest.raises(ValueError, match=rf"{name} has NaN or infinite values"):
        hub_module.write(dataclasses.replace(tiny, weights=weights), tmp_path)


def test_a_path_that_tensorflow_takes_for_a_pattern(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"treats \*, \? and \[ in the path.*Choose another path"):
        hub_module.write(tiny, tmp_path / "bert[zh]")


def test_a_file_in_the_way(tiny_block, tmp_path):
    (tmp_path / "variables").write_text("")
    with pytest.raises(OSError, match=f"{tmp_path} can't be written: .*variables"):
        hub_module.write(tiny_block, tmp_path)


def test_another_backend(tiny, tmp_path):
    pytest.importorskip("jax")
    (tmp_path / "tiny.pickle").write_bytes(pickle.dumps(tiny))
    printed = run_python(
        """
import pathlib, pickle, sys
from keras_bert_zh.export.hub_module import write
try:
    write(pickle.load(open(sys.argv[1], "rb")), pathlib.Path("nowhere"))
except ValueError as error:
    print(error)
""",
        tmp_path / "tiny.pickle",
        KERAS_BACKEND="jax",
    )
    assert "Keras runs on jax: start Python with KERAS_BACKEND=tensorflow" in printed


@pytest.mark.slow
def test_what_uses_it_without_this_package(folder, golden, tmp_path):
    np.savez(tmp_path / "golden.npz", **golden)
    run_python(
        """
import sys
import numpy as np, tensorflow as tf, tensorflow_hub as hub, tf_keras
path, scratch = sys.argv[1:]
golden = dict(np.load(f"{scratch}/golden.npz"))
inputs = {name: golden[name] for name in ("input_ids", "input_mask", "segment_ids")}
def check(outputs):
    for key, value in outputs.items():
        assert np.abs(value - golden[key]).max() < 1e-5, key
    return set(outputs)

module = hub.load(path)
positions = golden["mlm_positions"]
tensors = {name: tf.constant(value) for name, value in inputs.items()}
assert len(check(module.signatures["tokens"](**tensors))) == 2
assert len(check(module.signatures["mlm"](mlm_positions=tf.constant(positions), **tensors))) == 3
assert module.signatures["tokenization_info"]()["do_lower_case"].numpy()

symbolic = {name: tf_keras.Input((None,), dtype=tf.int32, name=name) for name in inputs}
frozen = hub.KerasLayer(path, signature="tokens", signature_outputs_as_dict=True)
assert len(check(tf_keras.Model(symbolic, frozen(symbolic)).predict(inputs, verbose=0))) == 2

def classifier():
    layer = hub.KerasLayer(path, trainable=True)
    model = tf_keras.Model(symbolic, tf_keras.layers.Dense(2)(layer(symbolic)["pooled_output"]))
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.legacy.Adam(1e-3), loss)
    return layer, model

tf.random.set_seed(0)
layer, model = classifier()
assert len(check(layer(tensors))) == 2 and len(layer.trainable_weights) == 39
before = [weight.numpy() for weight in layer.trainable_weights]
losses = model.fit(inputs, np.array([0, 1, 0]), epochs=20, verbose=0).history["loss"]
assert np.mean(losses[-5:]) < np.mean(losses[:5]) / 2, losses
for old, weight in zip(before, layer.trainable_weights):
    assert np.abs(old - weight.numpy()).max() > 1e-6, weight.name
expected = model.predict(inputs, verbose=0)
model.save_weights(f"{scratch}/weights.h5")
_, again = classifier()
again.load_weights(f"{scratch}/weights.h5")
assert np.array_equal(again.predict(inputs, verbose=0), expected)
model.save(f"{scratch}/model", save_format="tf")
again = tf_keras.models.load_model(f"{scratch}/model")
assert np.array_equal(again.predict(inputs, verbose=0), expected)
assert "keras_bert_zh" not in sys.modules
""",
        folder,
        tmp_path,
    )


@pytest.mark.slow
def test_it_trains_on_several_devices(folder, inputs, tmp_path):
    np.savez(tmp_path / "inputs.npz", **inputs)
    run_python(
        """
import sys
import numpy as np, tensorflow as tf, tensorflow_hub as hub, tf_keras
tf.random.set_seed(0)
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
inputs = {name: np.tile(value, (2, 1)) for name, value in np.load(sys.argv[2]).items()}
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    symbolic = {name: tf_keras.Input((None,), dtype=tf.int32, name=name) for name in inputs}
    pooled = hub.KerasLayer(sys.argv[1], trainable=True)(symbolic)["pooled_output"]
    model = tf_keras.Model(symbolic, tf_keras.layers.Dense(2)(pooled))
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.legacy.Adam(1e-3), loss)
losses = model.fit(inputs, np.array([0, 1, 0] * 2), epochs=20, verbose=0).history["loss"]
assert np.mean(losses[-5:]) < np.mean(losses[:5]) / 2, losses
""",
        folder,
        tmp_path / "inputs.npz",
    )
