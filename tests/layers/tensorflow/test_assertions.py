import pytest
import tensorflow as tf

from keras_bert_zh.layers.tensorflow.assertions import assert_positions
from tests.process import run_python


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "int64"])
def test_positions_of_any_integers_and_lengths_known_at_run_time(kind):
    length = tf.TensorSpec([], tf.int32)
    check = tf.function(
        assert_positions, input_signature=[tf.TensorSpec([None, None], kind), length]
    )
    checked = check(tf.constant([[0, 99]], kind), 200)
    assert checked.dtype == "int32"
    assert checked.numpy().tolist() == [[0, 99]]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must be in \[0, length"):
        check(tf.constant([[0, 99]], kind), 99)


@pytest.mark.slow
def test_several_devices():
    """`fit` on two devices computes what it does on one, and refuses what it refuses there."""
    run_python("""
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from keras_bert_zh import BertConfig, BertEncoder, MaskedLM

config = BertConfig(
    vocab_size=53, hidden_size=12, num_hidden_layers=1, num_attention_heads=3, intermediate_size=20
)
ids = np.random.default_rng(0).integers(0, 53, (4, 7)).astype("int32")
mask = np.int32(np.arange(7) < [[7], [3], [5], [6]])
positions = np.int32([[0, 1]] * 4)
encoder_inputs = {"input_ids": ids, "input_mask": mask}
masked_inputs = encoder_inputs | {"mlm_positions": positions}

def model_of(kind, strategy, **how):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        encoder = BertEncoder(None, config=config, dropout=0.0)
        if kind is MaskedLM:
            model = MaskedLM(encoder)
        else:
            model = keras.Sequential([encoder, keras.layers.Dense(2)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss, weighted_metrics=["accuracy"], **how)
    return model

def refused(call, error, message):
    try:
        call()
    except error as caught:
        assert message in str(caught), caught
    else:
        raise AssertionError(message)

two, one = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), tf.distribute.get_strategy()
assert two.num_replicas_in_sync == 2
cases = (BertEncoder, encoder_inputs, np.arange(4) % 2), (MaskedLM, masked_inputs, ids[:, :2])
for kind, inputs, labels in cases:
    options = {"batch_size": 4, "epochs": 3, "shuffle": False, "verbose": 0}
    losses, expected = (
        model.fit(inputs, labels, **options).history["loss"]
        for model in (model_of(kind, two), model_of(kind, one, run_eagerly=True))
    )
    assert expected[-1] < expected[0] - 0.001, expected
    np.testing.assert_allclose(losses, expected, rtol=1e-4)

model = model_of(MaskedLM, two)
for name, axes in (("input_ids", "[batch, sequence]"), ("mlm_positions", "[batch, masked]")):
    floats = masked_inputs | {name: masked_inputs[name].astype("float32")}
    what = f"{name.removeprefix('mlm_')} must be integers, int32"
    message = f"{what} {axes}; got float32."
    refused(lambda: model.fit(floats, ids[:, :2], verbose=0), ValueError, message)
    with two.scope():
        refused(lambda: model(floats), ValueError, message)
        # Traced as Keras does to build a model; but this one runs.
        message = f"{what}; got float32."
        refused(lambda: tf.function(model)(floats), tf.errors.InvalidArgumentError, message)
""")
