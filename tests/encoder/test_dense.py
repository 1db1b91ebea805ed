"""The dense layers are Keras's, with all that these can do, and what oneDNN fuses."""

import platform

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.profile import count_kinds
from keras_bert_zh import BertEncoder
from tests.encoder.common import SMALL, as_tensors, difference, randomized, small_inputs, zeroed

LAYOUTS = pytest.mark.parametrize("padding_free", [True, False])


def operations(function):
    return function.get_concrete_function(as_tensors(small_inputs())).graph.get_operations()


@LAYOUTS
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "mixed_bfloat16"])
def test_each_product_is_followed_by_its_bias_alone(padding_free, dtype):
    """`MatMul -> BiasAdd` becomes one kernel; with AddV2 in its place it does not."""
    encoder = BertEncoder(None, config=SMALL, padding_free=padding_free, dtype=dtype)
    products = [
        op
        for op in operations(tf.function(encoder))
        if op.type == "MatMul" and "dense" not in op.name
    ]
    assert len(products) >= 6 * SMALL.num_hidden_layers
    for product in products:
        (consumer,) = product.outputs[0].consumers()
        while consumer.type in ("Reshape", "Identity"):
            (consumer,) = consumer.outputs[0].consumers()
        assert consumer.type == "BiasAdd", product.name


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN is on x86 alone")
def test_product_bias_and_gelu_are_one_kernel():
    encoder = BertEncoder(None, config=SMALL, padding_free=True, output_key="sequence_output")
    function, inputs = tf.function(encoder), as_tensors(small_inputs())
    kinds = count_kinds(lambda: function(inputs))
    fused = sum(number for kind, number in kinds.items() if kind.endswith("FusedMatMul"))
    assert round(fused) == 6 * SMALL.num_hidden_layers, kinds
    assert not {"Tanh", "Pow", "MatMul", "_MklMatMul"} & kinds.keys(), kinds


@LAYOUTS
def test_lora_trains_instead_of_the_kernel(padding_free):
    encoder = randomized(BertEncoder(None, config=SMALL, padding_free=padding_free, dropout=0.0))
    before = encoder(small_inputs())
    dense = encoder.blocks[0].feed_forward.inner
    dense.enable_lora(2)
    assert difference(encoder(small_inputs()), before) < 1e-5
    names = {variable.name for variable in dense.trainable_variables}
    assert names == {"lora_kernel_a", "lora_kernel_b", "bias"}
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(small_inputs(), training=True) ** 2)
    gradient = tape.gradient(loss, dense.lora_kernel_b.value)
    assert np.abs(gradient).max() > 0
    dense.lora_kernel_b.assign_add(tf.ones_like(dense.lora_kernel_b.value))
    assert difference(encoder(small_inputs()), before) > 1e-3


@LAYOUTS
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_int8(padding_free):
    encoder = randomized(
        BertEncoder(
            None, config=SMALL, padding_free=padding_free, dropout=0.0, output_key="sequence_output"
        ),
        scale=0.2,
    )
    inputs = small_inputs()
    symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in inputs}
    model = keras.Model(symbolic, encoder(symbolic))
    before = zeroed(model.predict(inputs, verbose=0), inputs["input_mask"])
    model.quantize("int8")
    assert keras.backend.standardize_dtype(encoder.blocks[1].attention.query.kernel.dtype) == "int8"
    after = zeroed(model.predict(inputs, verbose=0), inputs["input_mask"])
    assert 0 < difference(before, after) < 0.3
