import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_bert_zh import BertEncoder
from keras_bert_zh.checkpoints.names import translation
from keras_bert_zh.checkpoints.schemes import HUGGINGFACE
from tests.encoder.common import (
    SMALL,
    as_tensors,
    difference,
    randomized,
    report,
    small_inputs,
    zeroed,
)

LAYOUTS = pytest.mark.parametrize("padding_free", [True, False])


@pytest.fixture
def expected(golden, inputs):
    """What the original made of the inputs, by whether what it left in padding is gone."""
    sequence = zeroed(golden["sequence_output"], inputs["input_mask"])
    return {False: golden, True: {**golden, "sequence_output": sequence}}


@LAYOUTS
def test_parity_with_the_original_graph(tiny, inputs, expected, padding_free):
    outputs = BertEncoder(tiny, padding_free=padding_free)(inputs, as_dict=True)
    for key in ("pooled_output", "sequence_output"):
        largest = difference(outputs[key], expected[padding_free][key])
        report(f"tensorflow float32, padding_free={padding_free}", key, largest)
        assert largest < 1e-5
        # The bound tells something: a wrong GELU alone is 7e-4 off.
        assert np.abs(expected[padding_free][key]).max() > 0.1


@LAYOUTS
@pytest.mark.parametrize(
    "policy",
    [("mixed_bfloat16", 0.06), ("mixed_float16", 0.008), ("float64", 1e-5)],
    ids=lambda policy: policy[0],
)
def test_parity_by_dtype_policy(tiny, inputs, expected, policy, padding_free):
    dtype, bound = policy
    encoder = BertEncoder(tiny, dtype=dtype, padding_free=padding_free)
    outputs = encoder(inputs, as_dict=True)
    for key in ("pooled_output", "sequence_output"):
        assert keras.backend.standardize_dtype(outputs[key].dtype) == encoder.compute_dtype
        largest = difference(ops.cast(outputs[key], "float64"), expected[padding_free][key])
        report(f"tensorflow {dtype}, padding_free={padding_free}", key, largest)
        assert largest < bound
    assert {v.dtype for v in encoder.trainable_variables} == {encoder.variable_dtype}


def test_wrong_hyperparameters_would_be_seen(tiny, inputs, golden):
    for change in (
        {"hidden_act": "gelu_erf"},
        {"layer_norm_eps": 1e-3},
        {"num_attention_heads": 8},
    ):
        config = dataclasses.replace(tiny.config, **change)
        other = BertEncoder(dataclasses.replace(tiny, config=config))(inputs)
        assert difference(other, golden["pooled_output"]) > 2e-5


@LAYOUTS
def test_attention_by_hand(padding_free):
    """The whole encoder once more, in NumPy and float64, padding holes and all."""
    encoder = BertEncoder(None, config=SMALL, dtype="float64", padding_free=padding_free)
    randomized(encoder)
    inputs = small_inputs()
    weights = {name: np.asarray(v) for name, v in encoder.named_variables().items()}
    sequence, pooled = numpy_bert(weights, inputs, SMALL)
    outputs = encoder(inputs, as_dict=True)
    if padding_free:
        sequence = zeroed(sequence, inputs["input_mask"])
    # Not closer, since TensorFlow's GELU has its constants in float32.
    assert difference(outputs["sequence_output"], sequence) < 1e-8
    assert difference(outputs["pooled_output"], pooled) < 1e-8


def numpy_bert(weights, inputs, config):
    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + config.layer_norm_eps)
        return scaled * weights[f"{name}.gamma"] + weights[f"{name}.beta"]

    def dense(x, name):
        return x @ weights[f"{name}.kernel"] + weights[f"{name}.bias"]

    def heads(x):
        return x.reshape(*x.shape[:2], config.num_attention_heads, -1).transpose(0, 2, 1, 3)

    length = inputs["input_ids"].shape[1]
    x = weights["embeddings.word.embeddings"][inputs["input_ids"]]
    x = x + weights["embeddings.segment.embeddings"][inputs["segment_ids"]]
    x = norm(x + weights["embeddings.position.embeddings"][:length], "embeddings.norm")
    for i in range(config.num_hidden_layers):
        block = f"blocks.{i}"
        q, k, v = (heads(dense(x, f"{block}.attention.{n}")) for n in ("query", "key", "value"))
        scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(q.shape[-1])
        scores += (1 - inputs["input_mask"][:, None, None]) * -10000.0
        exponents = np.exp(scores - scores.max(-1, keepdims=True))
        context = (exponents / exponents.sum(-1, keepdims=True)) @ v
        context = context.transpose(0, 2, 1, 3).reshape(x.shape)
        x = norm(x + dense(context, f"{block}.attention.projection"), f"{block}.attention_norm")
        h = dense(x, f"{block}.feed_forward.inner")
        h = 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))
        x = norm(x + dense(h, f"{block}.feed_forward.outer"), f"{block}.feed_forward_norm")
    return x, np.tanh(dense(x[:, 0], "pooler.dense"))


def test_parity_with_transformers(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    theirs = transformers.BertModel(
        transformers.BertConfig(
            **{k: v for k, v in SMALL.to_dict().items() if k != "hidden_act"}, hidden_act="gelu"
        )
    ).double()
    theirs.eval()
    encoder = BertEncoder(
        None,
        config=dataclasses.replace(SMALL, hidden_act="gelu_erf"),
        dtype="float64",
        padding_free=False,
    )
    state = theirs.state_dict()
    theirs_by_ours = translation(HUGGINGFACE.names, SMALL.num_hidden_layers)
    for name, variable in encoder.named_variables().items():
        value = state[theirs_by_ours[name].removeprefix("bert.")].numpy()
        variable.assign(value.T if name.endswith("kernel") else value)
    inputs = small_inputs()
    inputs["input_mask"][2] = [1, 1, 1, 1, 1, 1, 0]
    outputs = encoder(inputs, as_dict=True)
    with torch.no_grad():
        expected = theirs(
            input_ids=torch.tensor(inputs["input_ids"]).long(),
            attention_mask=torch.tensor(inputs["input_mask"]).long(),
            token_type_ids=torch.tensor(inputs["segment_ids"]).long(),
        )
    assert difference(outputs["pooled_output"], expected.pooler_output) < 1e-6
    assert difference(outputs["sequence_output"], expected.last_hidden_state) < 1e-6


def test_mask_and_segments_matter_where_they_should(tiny, inputs):
    encoder = BertEncoder(tiny)
    reference = encoder(inputs, as_dict=True)
    row = int(np.argmin(inputs["input_mask"].sum(1)))
    padding = inputs["input_mask"][row] == 0
    assert padding.any()
    changed = {name: value.copy() for name, value in inputs.items()}
    changed["input_ids"][row, padding] = 5
    outputs = encoder(changed, as_dict=True)
    real = ~padding
    assert (
        difference(outputs["sequence_output"][row][real], reference["sequence_output"][row][real])
        < 1e-6
    )
    for name in ("input_mask", "segment_ids"):
        changed = {key: value.copy() for key, value in inputs.items()}
        changed[name][:, 1] = 1 - changed[name][:, 1]
        assert difference(encoder(changed), reference["pooled_output"]) > 1e-4


def test_missing_mask_is_ones_and_missing_segments_are_zeros(tiny, inputs):
    encoder = BertEncoder(tiny)
    ids = inputs["input_ids"]
    full = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    assert difference(encoder({"input_ids": ids}), encoder(full)) == 0


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1 of a tensor of shape")
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_rows_of_padding_only_are_finite(tiny, inputs, dtype):
    encoder = BertEncoder(tiny, dtype=dtype)
    outputs = encoder(inputs | {"input_mask": np.zeros_like(inputs["input_mask"])}, as_dict=True)
    assert all(np.isfinite(ops.cast(value, "float32")).all() for value in outputs.values())


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int16"])
def test_other_integers(tiny, inputs, golden, dtype):
    ids = inputs["input_ids"] % 128 + 100
    expected = BertEncoder(tiny)(inputs | {"input_ids": ids})
    mask = inputs["input_mask"].astype(bool)
    given = {
        "input_ids": ids.astype(dtype),
        "input_mask": mask,
        "segment_ids": inputs["segment_ids"],
    }
    encoder = BertEncoder(tiny)
    assert difference(encoder(given), expected) == 0
    assert difference(tf.function(encoder)(as_tensors(given)), expected) < 1e-6


def test_build_is_idempotent(tiny):
    encoder = BertEncoder(tiny)
    before = [id(variable) for variable in encoder.variables]
    encoder.build()
    encoder.build({"input_ids": (None, None)})
    assert [id(variable) for variable in encoder.variables] == before


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1 of a tensor of shape")
def test_empty_batch(tiny):
    outputs = BertEncoder(tiny)({"input_ids": np.zeros((0, 16), "int32")}, as_dict=True)
    assert outputs["pooled_output"].shape == (0, 32)
    assert outputs["sequence_output"].shape == (0, 16, 32)


def test_output_key(tiny, inputs, expected):
    for key in ("pooled_output", "sequence_output"):
        encoder = BertEncoder(tiny, output_key=key)
        assert difference(encoder(inputs), expected[True][key]) < 1e-5
        assert set(encoder(inputs, as_dict=True)) == {"pooled_output", "sequence_output"}
    assert set(BertEncoder(tiny, output_key=None)(inputs)) == {"pooled_output", "sequence_output"}


def test_all_layers(tiny, inputs, expected):
    encoder = BertEncoder(tiny)
    outputs = encoder(inputs, as_dict=True, all_layers=True)
    assert len(outputs["encoder_outputs"]) == 2
    assert difference(outputs["encoder_outputs"][-1], expected[True]["sequence_output"]) < 1e-5
    assert difference(outputs["encoder_outputs"][0], expected[True]["sequence_output"]) > 0.1
    mask = inputs["input_mask"][..., None]
    for hidden in outputs["encoder_outputs"]:
        average = (np.asarray(hidden) * mask).sum(1) / mask.sum(1)
        assert difference(keras.layers.GlobalAveragePooling1D()(hidden), average) < 1e-5
    with pytest.raises(ValueError, match="pass as_dict=True too"):
        encoder(inputs, all_layers=True)


def test_mask_travels_to_pooling_layers(tiny, inputs, golden):
    mask = inputs["input_mask"][..., None]
    average = (golden["sequence_output"] * mask).sum(1) / mask.sum(1)
    encoder = BertEncoder(tiny, output_key="sequence_output")
    pooling = keras.layers.GlobalAveragePooling1D()
    assert difference(pooling(encoder(inputs)), average) < 1e-5
    symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in inputs}
    model = keras.Model(symbolic, pooling(encoder(symbolic)))
    assert difference(model.predict(inputs, verbose=0), average) < 1e-5
    plain = keras.Sequential([BertEncoder(tiny, output_key="sequence_output"), pooling])
    assert difference(plain.predict(inputs, verbose=0), average) < 1e-5


def test_symbolic_shapes(tiny):
    symbolic = {"input_ids": keras.Input((None,), dtype="int32")}
    outputs = BertEncoder(tiny)(symbolic, as_dict=True, all_layers=True)
    assert outputs["pooled_output"].shape == (None, 32)
    assert [o.shape for o in outputs["encoder_outputs"]] == [(None, None, 32)] * 2
