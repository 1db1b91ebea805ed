import dataclasses
import json
import pickle
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess
from tests.process import run_python

SMALL = BertConfig(
    vocab_size=53,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=17,
    max_position_embeddings=11,
    type_vocab_size=3,
)


def small_inputs(seed=0):
    rng = np.random.default_rng(seed)
    mask = np.array([[1] * 7, [1, 1, 1, 0, 0, 0, 0], [1, 0, 1, 1, 0, 1, 0]], "int32")
    return {
        "input_ids": rng.integers(0, 53, (3, 7)).astype("int32"),
        "input_mask": mask,
        "segment_ids": rng.integers(0, 3, (3, 7)).astype("int32"),
    }


def difference(a, b):
    return float(np.abs(np.asarray(a, "float64") - np.asarray(b, "float64")).max())


def report(route, key, largest):
    """Shown by `pytest -rP -k "parity or jit or jax"`."""
    print(f"{route}, {key}: largest difference to the original {largest:.2g}")


def randomized(encoder, seed=0, scale=0.5):
    """Distinct values in every weight, so that none can stand in for another."""
    rng = np.random.default_rng(seed)
    for variable in encoder.trainable_variables:
        variable.assign(variable + rng.normal(0, scale, variable.shape))
    return encoder


def as_tensors(inputs):
    return {name: tf.constant(value) for name, value in inputs.items()}


# --- What it computes ---------------------------------------------------------------------------


def test_parity_with_the_original_graph(tiny, inputs, golden):
    outputs = BertEncoder(tiny)(inputs, as_dict=True)
    for key in ("pooled_output", "sequence_output"):
        report("tensorflow float32", key, difference(outputs[key], golden[key]))
        assert difference(outputs[key], golden[key]) < 1e-5
        # The bound tells something: a wrong GELU alone is 7e-4 off.
        assert np.abs(golden[key]).max() > 0.1


@pytest.mark.parametrize(
    ("dtype", "bound"), [("mixed_bfloat16", 0.06), ("mixed_float16", 0.008), ("float64", 1e-5)]
)
def test_parity_by_dtype_policy(tiny, inputs, golden, dtype, bound):
    encoder = BertEncoder(tiny, dtype=dtype)
    outputs = encoder(inputs, as_dict=True)
    for key in ("pooled_output", "sequence_output"):
        assert keras.backend.standardize_dtype(outputs[key].dtype) == encoder.compute_dtype
        report(
            f"tensorflow {dtype}", key, difference(ops.cast(outputs[key], "float64"), golden[key])
        )
        assert difference(ops.cast(outputs[key], "float64"), golden[key]) < bound
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


def test_attention_by_hand():
    """The whole encoder once more, in NumPy and float64, padding holes and all."""
    encoder = randomized(BertEncoder(None, config=SMALL, dtype="float64"))
    inputs = small_inputs()
    weights = {name: np.asarray(v) for name, v in encoder.named_variables().items()}
    sequence, pooled = numpy_bert(weights, inputs, SMALL)
    outputs = encoder(inputs, as_dict=True)
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
        None, config=dataclasses.replace(SMALL, hidden_act="gelu_erf"), dtype="float64"
    )
    state = theirs.state_dict()
    for name, variable in encoder.named_variables().items():
        value = state[transformers_name(name)].numpy()
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


def transformers_name(name):
    for ours, theirs in (
        *(("blocks.", "encoder.layer."), (".norm.", ".LayerNorm."), (".kernel", ".weight")),
        *((".gamma", ".weight"), (".beta", ".bias"), ("word.embeddings", "word_embeddings.weight")),
        ("segment.embeddings", "token_type_embeddings.weight"),
        ("position.embeddings", "position_embeddings.weight"),
        ("attention.projection", "attention.output.dense"),
        ("attention_norm", "attention.output.LayerNorm"),
        ("feed_forward.inner", "intermediate.dense"),
        ("feed_forward.outer", "output.dense"),
        ("feed_forward_norm", "output.LayerNorm"),
        *((f"attention.{part}", f"attention.self.{part}") for part in ("query", "key", "value")),
    ):
        name = name.replace(ours, theirs)
    return name


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


def test_empty_batch(tiny):
    outputs = BertEncoder(tiny)({"input_ids": np.zeros((0, 16), "int32")}, as_dict=True)
    assert outputs["pooled_output"].shape == (0, 32)
    assert outputs["sequence_output"].shape == (0, 16, 32)


# --- What it returns ----------------------------------------------------------------------------


def test_output_key(tiny, inputs, golden):
    for key in ("pooled_output", "sequence_output"):
        encoder = BertEncoder(tiny, output_key=key)
        assert difference(encoder(inputs), golden[key]) < 1e-5
        assert set(encoder(inputs, as_dict=True)) == {"pooled_output", "sequence_output"}
    assert set(BertEncoder(tiny, output_key=None)(inputs)) == {"pooled_output", "sequence_output"}


def test_all_layers(tiny, inputs, golden):
    encoder = BertEncoder(tiny)
    outputs = encoder(inputs, as_dict=True, all_layers=True)
    assert len(outputs["encoder_outputs"]) == 2
    assert difference(outputs["encoder_outputs"][-1], golden["sequence_output"]) < 1e-5
    assert difference(outputs["encoder_outputs"][0], golden["sequence_output"]) > 0.1
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


# --- How it trains ------------------------------------------------------------------------------


def test_dropout_is_on_in_training_only(tiny, inputs):
    encoder = BertEncoder(tiny, dropout=0.5)
    assert difference(encoder(inputs), encoder(inputs)) == 0
    first, second = encoder(inputs, training=True), encoder(inputs, training=True)
    assert difference(first, second) > 0.01
    assert difference(BertEncoder(tiny, dropout=0.0)(inputs, training=True), encoder(inputs)) < 1e-6


def test_dropout_rates_are_those_of_the_original(tiny):
    encoder = BertEncoder(tiny)
    rates = [encoder.embeddings.dropout.rate]
    rates += [r for b in encoder.blocks for r in (b.attention.dropout.rate, b.dropout.rate)]
    assert rates == [0.1] * 5


def test_dropout_is_in_the_four_places_of_the_original(tiny, inputs, monkeypatch):
    """Every place draws once, on the tensor that the original drops out."""
    encoder, seen = BertEncoder(tiny), []
    call = keras.layers.Dropout.call
    monkeypatch.setattr(
        keras.layers.Dropout,
        "call",
        lambda self, x, training=False: seen.append((self, x.shape)) or call(self, x, training),
    )
    encoder(inputs, training=True)
    hidden, scores = (3, 16, 32), (3, 4, 16, 16)
    expected = [(encoder.embeddings.dropout, hidden)]
    for block in encoder.blocks:
        expected += [(block.attention.dropout, scores), *[(block.dropout, hidden)] * 2]
    assert seen == expected
    # All that was drawn matters: with one place active at a time, the output changes.
    for layer in {id(layer): layer for layer, _ in expected}.values():
        for other, _ in expected:
            other.rate = 0.5 if other is layer else 0.0
        assert difference(encoder(inputs, training=True), encoder(inputs)) > 1e-4


def test_every_parameter_has_a_gradient(tiny, inputs):
    encoder = BertEncoder(tiny, output_key=None)
    assert len(encoder.trainable_variables) == 5 + 16 * 2 + 2
    with tf.GradientTape() as tape:
        outputs = encoder(inputs, training=True)
        loss = sum(tf.reduce_sum(value**3) for value in outputs.values())
    for variable, gradient in zip(
        encoder.trainable_variables,
        tape.gradient(loss, encoder.trainable_variables),
        strict=True,
    ):
        assert gradient is not None, variable.path
        if not variable.path.endswith("key/bias"):  # Adds the same to all scores of a row.
            assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.path


def test_gradients_are_the_slopes():
    config = dataclasses.replace(SMALL, num_hidden_layers=1)
    encoder = randomized(BertEncoder(None, config=config, dtype="float64", output_key=None))
    inputs = small_inputs()
    direction = np.random.default_rng(1)

    def loss():
        outputs = encoder(inputs)
        return tf.reduce_sum(outputs["pooled_output"] ** 3) + tf.reduce_sum(
            tf.sin(outputs["sequence_output"])
        )

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, encoder.trainable_variables)
    for variable, gradient in zip(encoder.trainable_variables, gradients, strict=True):
        step = direction.normal(size=variable.shape)
        slope = np.sum(np.asarray(tf.convert_to_tensor(gradient)) * step)
        original = np.asarray(variable)
        ends = []
        for sign in (1, -1):
            variable.assign(original + sign * 1e-5 * step)
            ends.append(float(loss()))
        variable.assign(original)
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope, rel=1e-5, abs=1e-6), variable.path


def test_freeze_layers(tiny):
    encoder = BertEncoder(tiny)
    for count, trainable in ((1, 16 + 2), (0, 32 + 2), (2, 2), (None, 39)):
        encoder.freeze_layers(count)
        assert len(encoder.trainable_variables) == trainable
    for bad in (-1, 3, "1"):
        with pytest.raises(ValueError, match="a number of blocks from 0 to 2"):
            encoder.freeze_layers(bad)


def fitted(encoder, inputs, copy=lambda model: model):
    """Returns the names of the weights that move when a copy of a model of the encoder is fit."""
    symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in inputs}
    model = copy(keras.Model(symbolic, keras.layers.Dense(2)(encoder(symbolic))))
    (encoder,) = (layer for layer in model.layers if isinstance(layer, BertEncoder))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=True)
    before = {name: np.asarray(v) for name, v in encoder.named_variables().items()}
    model.fit(inputs, np.array([0, 1, 0]), verbose=0)
    return {
        name for name, v in encoder.named_variables().items() if difference(v, before[name]) > 0
    }


def through_file(model, path):
    model.save(path)
    return keras.saving.load_model(path)


@pytest.mark.parametrize("route", ["as it is", "clone", "pickle", "file"])
def test_frozen_weights_stay_frozen(tiny, inputs, tmp_path, route):
    copy = {
        "as it is": lambda model: model,
        "clone": keras.models.clone_model,
        "pickle": lambda model: pickle.loads(pickle.dumps(model)),
        "file": lambda model: through_file(model, tmp_path / "model.keras"),
    }[route]
    assert fitted(BertEncoder(tiny, trainable=False), inputs, copy) == set()
    encoder = BertEncoder(tiny)
    encoder.trainable = False
    assert fitted(encoder, inputs, copy) == set()
    encoder.trainable = True
    assert len(fitted(encoder, inputs, copy)) > 30
    encoder.freeze_layers(1)
    moved = fitted(encoder, inputs, copy)
    assert moved
    assert all(name.startswith(("blocks.1.", "pooler.")) for name in moved)
    encoder.freeze_layers(None)
    encoder.blocks[0].trainable = False
    moved = fitted(encoder, inputs, copy)
    assert "embeddings.norm.gamma" in moved
    assert not any(name.startswith("blocks.0.") for name in moved)


def test_learns_through_sequential_and_fit(tiny):
    model = keras.Sequential(
        [BertPreprocess(tiny, max_length=8), BertEncoder(tiny), keras.layers.Dense(2)]
    )
    model.compile(
        keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    texts = np.array(["a b c", "d e f g"] * 16, dtype=object)
    history = model.fit(texts, np.array([0, 1] * 16), batch_size=4, epochs=4, verbose=0).history[
        "loss"
    ]
    assert history[-1] < 0.3 * history[0]


# --- XLA ----------------------------------------------------------------------------------------


def test_xla_inference_and_training_step_agree(tiny, inputs):
    encoder = BertEncoder(tiny, dropout=0.0, output_key=None)

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
    encoder = BertEncoder(tiny, jit_compile=True, dropout=0.0)
    for training in (False, True):
        outputs = encoder(inputs, as_dict=True, training=training)
        for key in ("pooled_output", "sequence_output"):
            report(f"XLA, training={training}", key, difference(outputs[key], golden[key]))
            assert difference(outputs[key], golden[key]) < 2e-5
    encoder(inputs, as_dict=True)
    (compiled,) = encoder._compiled.values()
    assert compiled.experimental_get_tracing_count() == 2  # One for each value of training.
    ir = compiled.experimental_get_compiler_ir(as_tensors(inputs), False, False)
    assert "HloModule" in ir("hlo")


def test_jit_compile_argument_gradients_and_dropout(tiny, inputs):
    gradients = []
    for jit_compile in (False, True):
        encoder = BertEncoder(tiny, jit_compile=jit_compile, dropout=0.0)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(encoder(inputs, training=True) ** 2)
        gradients.append(
            tape.gradient(loss, encoder.trainable_variables, unconnected_gradients="zero")
        )
    for a, b in zip(*gradients, strict=True):
        assert difference(tf.convert_to_tensor(a), tf.convert_to_tensor(b)) < 2e-5
    encoder = BertEncoder(tiny, jit_compile=True, dropout=0.5)
    draws = [np.asarray(encoder(inputs, training=True)) for _ in range(3)]
    assert difference(draws[0], draws[1]) > 0.01
    assert difference(draws[1], draws[2]) > 0.01
    assert difference(encoder(inputs), BertEncoder(tiny)(inputs)) < 2e-5


def test_jit_compile_follows_changes_of_the_layers(tiny, inputs):
    encoder = BertEncoder(tiny, jit_compile=True, dropout=0.0)
    before = np.asarray(encoder(inputs))
    assert difference(encoder(inputs, training=True), before) < 2e-5
    encoder.embeddings.dropout.rate = 0.5
    with pytest.raises(AttributeError, match="seed_generator"):
        encoder(inputs, training=True)  # Keras makes none at rate 0: the new rate was seen.
    encoder.embeddings.dropout.rate = 0.0
    dense = encoder.blocks[0].feed_forward.outer
    dense.enable_lora(2)
    dense.lora_kernel_b.assign(np.random.default_rng(0).normal(size=(2, 32)))
    plain = BertEncoder(None, config=encoder.config)
    plain.blocks[0].feed_forward.outer.enable_lora(2)
    plain.set_weights(encoder.get_weights())
    assert difference(encoder(inputs), before) > 1e-3
    assert difference(encoder(inputs), plain(inputs)) < 2e-5


def test_jit_compile_behind_strings(tiny, tmp_path):
    model = keras.Sequential(
        [
            BertPreprocess(tiny, max_length=8),
            BertEncoder(tiny, jit_compile=True),
            keras.layers.Dense(2),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    texts = np.array(["a b c", "d e f g"] * 4, dtype=object)
    assert np.isfinite(model.fit(texts, np.array([0, 1] * 4), verbose=0).history["loss"]).all()
    expected = model.predict(texts, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[1].jit_compile
    assert difference(loaded.predict(texts, verbose=0), expected) == 0


# --- Files --------------------------------------------------------------------------------------


def test_keras_file_in_a_new_process_is_exact(tiny, inputs, tmp_path):
    encoder = randomized(BertEncoder(tiny, output_key=None), scale=0.1)
    symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in inputs}
    model = keras.Model(symbolic, encoder(symbolic))
    np.savez(tmp_path / "data.npz", **inputs, **model.predict(inputs, verbose=0))
    model.save(tmp_path / "model.keras")
    printed = run_python(
        """
import sys, numpy as np, keras, keras_bert_zh
data = dict(np.load(f"{sys.argv[1]}/data.npz"))
model = keras.saving.load_model(f"{sys.argv[1]}/model.keras")
outputs = model.predict({name: data[name] for name in model.input}, verbose=0)
print(max(np.abs(outputs[key] - data[key]).max() for key in outputs), len(outputs))
""",
        tmp_path,
    )
    assert printed.split() == ["0.0", "2"]


def test_a_saved_encoder_does_not_need_its_checkpoint(tiny_module, inputs, tmp_path):
    folder = shutil.copytree(tiny_module, tmp_path / "module")
    model = keras.Sequential([BertEncoder(folder)])
    expected = model.predict(inputs, verbose=0)
    model.save(tmp_path / "model.keras")
    shutil.rmtree(folder)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert difference(loaded.predict(inputs, verbose=0), expected) == 0


def test_config_round_trip_clone_and_pickle(tiny, inputs):
    encoder = BertEncoder(tiny, output_key="sequence_output", dropout=0.2, dtype="mixed_bfloat16")
    copy = BertEncoder.from_config(encoder.get_config())
    assert copy.get_config() == encoder.get_config()
    assert copy.config.hidden_dropout_prob == 0.2
    model = keras.Sequential([encoder, keras.layers.GlobalAveragePooling1D()])
    expected = model.predict(inputs, verbose=0)
    clone = keras.models.clone_model(model)
    clone.build(dict.fromkeys(inputs, (None, None)))
    clone.set_weights(model.get_weights())
    for other in (clone, pickle.loads(pickle.dumps(model))):
        assert difference(other.predict(inputs, verbose=0), expected) == 0


def test_jax_backend(tiny, inputs, golden, tmp_path):
    pytest.importorskip("jax")
    outputs = BertEncoder(tiny)(inputs, as_dict=True)
    with open(tmp_path / "tiny.pickle", "wb") as file:
        pickle.dump(
            (tiny, inputs, {key: np.asarray(value) for key, value in outputs.items()}), file
        )
    printed = run_python(
        """
import json, pickle, sys, keras, numpy as np
from keras_bert_zh import BertEncoder
assert keras.backend.backend() == "jax"
assert "tensorflow" not in sys.modules
tiny, inputs, expected = pickle.load(open(f"{sys.argv[1]}/tiny.pickle", "rb"))
encoder = BertEncoder(tiny)
outputs = encoder(inputs, as_dict=True)
for key, value in expected.items():
    assert np.abs(np.asarray(outputs[key]) - value).max() < 2e-5, key
for bad in (-1, 718):
    try:
        encoder({"input_ids": np.array([[bad]])})
    except ValueError as error:
        assert "input_ids must be in [0, 718)" in str(error) and f"got {bad}" in str(error), error
    else:
        raise AssertionError("no error")
try:
    BertEncoder(tiny, jit_compile=True)
except ValueError as error:
    assert "TensorFlow backend" in str(error)
else:
    raise AssertionError("no error")
symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in inputs}
model = keras.Model(symbolic, keras.layers.Dense(2)(encoder(symbolic)))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(1e-3), loss)
history = model.fit(inputs, np.array([0, 1, 0]), epochs=8, verbose=0).history["loss"]
assert model.jit_compile and history[-1] < history[0], history
model.save(f"{sys.argv[1]}/jax.keras")
predicted = model.predict(inputs, verbose=0).tolist()
outputs = {key: np.asarray(value).tolist() for key, value in outputs.items()}
print(json.dumps([outputs, predicted]))
""",
        tmp_path,
        KERAS_BACKEND="jax",
    )
    outputs, predicted = json.loads(printed)
    for key in outputs:
        report("jax float32", key, difference(outputs[key], golden[key]))
        assert difference(outputs[key], golden[key]) < 1e-5
    # What was trained there runs here.
    model = keras.saving.load_model(tmp_path / "jax.keras")
    assert difference(model.predict(inputs, verbose=0), predicted) < 2e-5


# --- Bad input ----------------------------------------------------------------------------------


def changed(inputs, name, value):
    values = inputs[name].copy()
    values[0, 1] = value
    return inputs | {name: values}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("input_ids", 718, r"input_ids must be in \[0, 718\) .*vocabulary"),
        ("input_ids", -1, r"input_ids must be in \[0, 718\)"),
        ("segment_ids", 2, r"segment_ids must be in \[0, 2\) .*segment types"),
        ("input_mask", 2, r"input_mask must be in \[0, 2\) .*1 for tokens"),
    ],
)
def test_values_out_of_range(tiny, inputs, name, value, message):
    bad = changed(inputs, name, value)
    for jit_compile in (False, True):
        encoder = BertEncoder(tiny, jit_compile=jit_compile)
        with pytest.raises(ValueError, match=f"{message}.* got {value}"):
            encoder(bad)
        model = keras.Sequential([encoder, keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        with pytest.raises(tf.errors.InvalidArgumentError, match=message) as caught:
            model.fit(bad, np.zeros(3), verbose=0)
        assert f"[{value}]" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: {}, r"takes a dict of input_ids .* got keys \[\]"),
        (lambda x: {"input_mask": x["input_mask"]}, r"got keys \['input_mask'\]"),
        (lambda x: x["input_ids"], "takes a dict of input_ids .* got"),
        (lambda x: x | {"labels": x["input_ids"]}, r"got \['labels'\]"),
        (lambda x: x | {"input_ids": x["input_ids"] * 1.0}, "input_ids must be integers"),
        (lambda x: x | {"input_mask": x["input_mask"] * 1.0}, "input_mask must be integers"),
        (lambda x: x | {"input_mask": None}, r"input_mask must have shape .* got NoneType"),
        (
            lambda x: {"input_ids": tf.ragged.constant([[1, 2], [3]])},
            r"got ragged \[2, None\]. Add a batch axis .* call BertPreprocess, not its tokenize",
        ),
        (lambda x: {"input_ids": x["input_ids"][0]}, r"shape \[batch, sequence\], got \[16\]"),
        (lambda x: {"input_ids": x["input_ids"][None]}, r"got \[1, 3, 16\]"),
        (
            lambda x: x | {"segment_ids": x["segment_ids"][:, :5]},
            r"segment_ids must have the shape of input_ids, \[3, 16\]; got \[3, 5\]",
        ),
        (lambda x: {"input_ids": np.zeros((2, 0), "int32")}, "at least one position"),
        (lambda x: {"input_ids": np.array([[2**32 + 5]])}, "got 4294967301"),
        (lambda x: {"input_ids": np.zeros((1, 65), "int32")}, "65 long, .* has 64 positions"),
    ],
)
def test_bad_inputs(tiny, inputs, change, message):
    with pytest.raises(ValueError, match=message):
        BertEncoder(tiny)(change(inputs))


def test_bad_symbolic_inputs(tiny):
    with pytest.raises(ValueError, match="100 long"):
        BertEncoder(tiny)({"input_ids": keras.Input((100,), dtype="int32")})


def test_shapes_known_at_run_time_only(tiny, inputs):
    encoder = BertEncoder(tiny)
    spec = {name: tf.TensorSpec([None, None], tf.int32) for name in inputs}
    encode = tf.function(encoder.__call__, input_signature=[spec])
    assert encode(as_tensors(inputs)).shape == (3, 32)
    long = {name: tf.zeros((1, 65), tf.int32) for name in inputs}
    with pytest.raises(tf.errors.InvalidArgumentError, match="longer than the 64 positions"):
        encode(long)
    odd = as_tensors(inputs) | {"input_mask": tf.zeros((3, 5), tf.int32)}
    with pytest.raises(tf.errors.InvalidArgumentError, match="input_mask must have the shape of"):
        encode(odd)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"checkpoint": None}, r"needs config=BertConfig\(...\)"),
        ({"checkpoint": "x", "config": SMALL}, "brings its own configuration"),
        ({"checkpoint": None, "config": {}}, "config must be a BertConfig, got {}"),
        ({"checkpoint": None, "config": SMALL, "output_key": "pooled"}, "got 'pooled'"),
        ({"checkpoint": None, "config": SMALL, "dropout": 1.5}, "hidden_dropout_prob must be in"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        BertEncoder(**arguments)
