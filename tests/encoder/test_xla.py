import keras
import numpy as np
import tensorflow as tf

from keras_bert_zh import BertEncoder, BertPreprocess
from keras_bert_zh.layers.encoder_outputs import Asked
from tests.encoder.common import as_tensors, difference, report


def test_xla_inference_and_training_step_agree(tiny_block, inputs):
    encoder = BertEncoder(tiny_block, dropout=0.0, output_key=None, padding_free=False)

    def step(batch):
        with tf.GradientTape() as tape:
            outputs = encoder(batch, training=True)
            loss = tf.reduce_mean(outputs["pooled_output"] ** 2)
        gradients = tape.gradient(loss, encoder.trainable_variables, unconnected_gradients="zero")
        return outputs, [tf.convert_to_tensor(gradient) for gradient in gradients]

    plain = tf.nest.flatten(step(as_tensors(inputs)))
    compiled = tf.function(step, jit_compile=True)
    assert "HloModule" in compiled.experimental_get_compiler_ir(as_tensors(inputs))("hlo")
    for a, b in zip(plain, tf.nest.flatten(compiled(as_tensors(inputs))), strict=True):
        assert difference(a, b) < 2e-5


def test_jit_compile_argument(tiny, inputs, golden):
    encoder = BertEncoder(tiny, jit_compile=True, dropout=0.0, padding_free=False)
    for training in (False, True):
        outputs = encoder(inputs, as_dict=True, training=training)
        for key in ("pooled_output", "sequence_output"):
            report(f"XLA, training={training}", key, difference(outputs[key], golden[key]))
            assert difference(outputs[key], golden[key]) < 2e-5
    encoder(inputs, as_dict=True)
    compiled = encoder._compiled.current
    assert compiled.experimental_get_tracing_count() == 2  # One for each value of training.
    ir = compiled.experimental_get_compiler_ir(as_tensors(inputs), Asked(None, False, False), False)
    assert "HloModule" in ir("hlo")


def test_jit_compile_argument_gradients_and_dropout(tiny_block, inputs):
    gradients = []
    for jit_compile in (False, True):
        encoder = BertEncoder(tiny_block, jit_compile=jit_compile, dropout=0.0)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(encoder(inputs, training=True) ** 2)
        gradients.append(
            tape.gradient(loss, encoder.trainable_variables, unconnected_gradients="zero")
        )
    for a, b in zip(*gradients, strict=True):
        assert difference(tf.convert_to_tensor(a), tf.convert_to_tensor(b)) < 2e-5
    encoder = BertEncoder(tiny_block, jit_compile=True, dropout=0.5)
    draws = [np.asarray(encoder(inputs, training=True)) for _ in range(3)]
    assert difference(draws[0], draws[1]) > 0.01
    assert difference(draws[1], draws[2]) > 0.01
    assert difference(encoder(inputs), BertEncoder(tiny_block)(inputs)) < 2e-5


def test_jit_compile_follows_changes_of_the_layers(tiny_block, inputs):
    encoder = BertEncoder(tiny_block, jit_compile=True, dropout=0.0)
    before = np.asarray(encoder(inputs))
    assert difference(encoder(inputs, training=True), before) < 2e-5
    encoder.embeddings.dropout.rate = 0.5
    assert difference(encoder(inputs, training=True), before) > 1e-3
    encoder.embeddings.dropout.rate = 0.0
    dense = encoder.blocks[0].feed_forward.outer
    dense.enable_lora(2)
    dense.lora_kernel_b.assign(np.random.default_rng(0).normal(size=(2, 32)))
    plain = BertEncoder(None, config=encoder.config)
    plain.blocks[0].feed_forward.outer.enable_lora(2)
    plain.set_weights(encoder.get_weights())
    assert difference(encoder(inputs), before) > 1e-3
    assert difference(encoder(inputs), plain(inputs)) < 2e-5
    for layer in encoder.blocks[0]._flatten_layers():
        layer.dtype_policy = "bfloat16"
    assert difference(encoder(inputs), plain(inputs)) > 1e-4


def test_jit_compile_behind_strings(tiny_block, tmp_path):
    model = keras.Sequential(
        [
            BertPreprocess(tiny_block, max_length=8),
            BertEncoder(tiny_block, jit_compile=True),
            keras.layers.Dense(2),
        ]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    texts = np.array(["a b c", "d e f g"] * 4, dtype=object)
    assert np.isfinite(model.fit(texts, np.array([0, 1] * 4), verbose=0).history["loss"]).all()
    expected = model.predict(texts, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[1].jit_compile
    assert difference(loaded.predict(texts, verbose=0), expected) == 0
