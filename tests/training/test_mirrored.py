"""`tf.distribute.MirroredStrategy`: two devices compute what one does on the same batches."""

import pytest

from tests.process import run_python

pytestmark = pytest.mark.slow

BEFORE = """
import sys
import keras, numpy as np, tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from keras_bert_zh import (
    BertConfig, BertEncoder, MaskedLM, RDrop, SentenceEncoder, TextClassifier, TwoTowers, adamw
)

CONFIG = BertConfig(
    vocab_size=53,
    hidden_size=12,
    num_hidden_layers=1,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=11,
)
rng = np.random.default_rng(0)
INPUTS = {
    "input_ids": rng.integers(0, 53, (16, 11)).astype("int32"),
    "input_mask": np.int32(np.arange(11) < rng.integers(1, 12, (16, 1))),
}
LABELS = np.arange(16) % 2
BATCHES = {"batch_size": 8, "verbose": 0}
two, one = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), tf.distribute.get_strategy()


def model_of(strategy, optimizer, dtype="float32", **how):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        encoder = BertEncoder(None, config=CONFIG, dropout=0.0, dtype=dtype, **how)
        model = TextClassifier(encoder, ["a", "b"])
        model.compile(optimizer())
    return model
"""


def test_losses_and_weights_are_those_of_one_device(tmp_path):
    run_python(
        BEFORE
        + """
def trained(strategy, **how):
    # Clipped to so little that it shows whether what is clipped is the sum of both devices.
    model = model_of(strategy, lambda: adamw(0.1, 6, warmup=0, clipnorm=0.01, epsilon=1e-3), **how)
    losses = model.fit(INPUTS, LABELS, epochs=3, shuffle=False, **BATCHES).history["loss"]
    return model, losses

cases = [
    ({"padding_free": False}, 1e-5),
    ({"dtype": "mixed_bfloat16"}, 0.02),
    ({"padding_free": True}, 1e-5),
]
for how, bound in cases:
    (mirrored, losses), (model, expected) = trained(two, **how), trained(one, **how)
    assert expected[-1] < expected[0] - 0.01, expected
    np.testing.assert_allclose(losses, expected, rtol=bound)
    for ours, theirs in zip(mirrored.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=bound)

measured, wanted = (m.evaluate(INPUTS, LABELS, **BATCHES) for m in (mirrored, model))
np.testing.assert_allclose(measured, wanted, rtol=1e-5)
predicted = mirrored.predict(INPUTS, **BATCHES)
np.testing.assert_allclose(predicted, model(INPUTS), atol=1e-5)
mirrored.save(sys.argv[1])
saved = keras.saving.load_model(sys.argv[1])
np.testing.assert_allclose(saved(INPUTS), predicted, atol=1e-5)
assert saved.optimizer.iterations == 6
""",
        tmp_path / "model.keras",
    )


def test_what_keras_gets_wrong_is_refused():
    run_python(
        BEFORE
        + """
def refused(call, message):
    try:
        call()
    except ValueError as error:
        assert message in str(error), error
    else:
        raise AssertionError(message)

accumulating = lambda: adamw(0.01, 6, gradient_accumulation_steps=2)
model = model_of(two, accumulating)
refused(lambda: model.fit(INPUTS, LABELS, **BATCHES), "gradient_accumulation_steps=2 can't be")
scaling = lambda: keras.optimizers.LossScaleOptimizer(adamw(0.01, 6))
half = model_of(two, lambda: adamw(0.01, 6), dtype="mixed_float16")
with two.scope():
    wrapped = RDrop(model_of(two, scaling))
    wrapped.compile(adamw(0.01, 6))
scaled = ((model_of(two, scaling), "LossScaleOptimizer"), (half, "mixed_bfloat16"))
for model, message in (*scaled, (wrapped, "RDrop can't train under tf.distribute")):
    refused(lambda: model.fit(INPUTS, LABELS, **BATCHES), message)

encoder = half.encoder
with two.scope():
    models = MaskedLM(encoder), TwoTowers(SentenceEncoder(encoder, "mean"))
    for model in models:
        model.compile(scaling())
for model in models:
    refused(model.make_train_function, "LossScaleOptimizer")
""",
    )
