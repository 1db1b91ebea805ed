import dataclasses
import json
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder, BertPreprocess, MaskedLM, load_checkpoint
from tests.checkpoints.writers.variants import variant
from tests.conformance.cases import CONFIG, INPUTS, POSITIONS
from tests.encoder.common import difference, report
from tests.heads.small_masked_lm import MODEL_INPUTS, compiled, fit, made
from tests.process import run_python

HEADS = ("masked_lm", "next_sentence")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["tiny_tf1_hub", "tiny_huggingface"])
def test_parity_with_the_original_graph(data, inputs, golden, name):
    model = MaskedLM(BertEncoder(data / name), data / name)
    logits = model(inputs | {"mlm_positions": golden["mlm_positions"]})
    assert (logits.shape, logits.dtype) == ((3, 2, 718), "float32")
    logits = np.reshape(logits, (6, 718))
    report(f"tensorflow float32, {name}", "mlm_logits", difference(logits, golden["mlm_logits"]))
    assert difference(logits, golden["mlm_logits"]) < 1e-5
    assert np.abs(golden["mlm_logits"]).max() > 0.3


@pytest.mark.parametrize("name", ["tiny_original", "tiny_huggingface"])
def test_parity_of_next_sentence_with_its_formula(data, inputs, golden, name):
    checkpoint = load_checkpoint(data / name)
    outputs = MaskedLM(BertEncoder(checkpoint), checkpoint, next_sentence=True)(inputs)
    kernel, bias = (checkpoint.weights[f"next_sentence.{kind}"] for kind in ("kernel", "bias"))
    expected = golden["pooled_output"] @ kernel + bias
    assert outputs["next_sentence_logits"].shape == (3, 2)
    largest = difference(outputs["next_sentence_logits"], expected)
    report(f"tensorflow float32, {name}", "next_sentence_logits", largest)
    assert largest < 1e-5
    assert np.abs(bias).min() > 0.001
    assert np.abs(expected).max() > 0.05


def test_the_encoder_keeps_its_own_weights(data):
    checkpoint = load_checkpoint(data / "tiny_original")
    encoder = BertEncoder(None, config=checkpoint.config)
    before = {name: np.asarray(v) for name, v in encoder.named_variables().items()}
    variables = MaskedLM(encoder, checkpoint, next_sentence=True).named_variables()
    assert list(variables) == list(checkpoint.weights)
    for name, variable in variables.items():
        expected = before if name in before else checkpoint.weights
        np.testing.assert_array_equal(variable, expected[name], err_msg=name)


def test_fresh_heads():
    encoder = BertEncoder(None, config=CONFIG)
    one, other = MaskedLM(encoder, next_sentence=True), MaskedLM(encoder)
    assert one.encoder is other.encoder is encoder
    variables = one.named_variables()
    assert 0.01 < np.std(variables["masked_lm.dense.kernel"]) < 0.03
    assert 0.005 < np.std(variables["next_sentence.kernel"]) < 0.04
    kernels = [np.asarray(model.masked_lm.dense.kernel) for model in (one, other)]
    assert difference(*kernels) > 0.01
    assert list(other.named_variables()) == list(variables)[:-2]


@pytest.mark.parametrize("head", HEADS)
def test_a_head_that_the_checkpoint_lacks_is_fresh_and_a_warning_says_so(data, head):
    checkpoint = load_checkpoint(data / "tiny_original")
    kept = tuple(name for name in ("pooler", *HEADS) if name != head)
    output = {"masked_lm": "mlm_logits", "next_sentence": "next_sentence_logits"}[head]
    message = (
        f"The checkpoint has no weights for {head}. Its weights are random: train the model before "
        f"you use {output}"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        model = MaskedLM(
            BertEncoder(checkpoint), variant(checkpoint, heads=kept), next_sentence=True
        )
    assert [warning.filename for warning in caught] == [__file__]
    for name, variable in model.named_variables().items():
        same = difference(variable, checkpoint.weights[name]) == 0
        assert same != name.startswith(head), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab_size": 719}, "vocab_size is 718 in the checkpoint and 719 in the encoder"),
        ({"hidden_size": 36}, "hidden_size is 32 in the checkpoint and 36 in the encoder"),
        (
            {"hidden_act": "relu"},
            "hidden_act is 'gelu_tanh' in the checkpoint and 'relu' in the encoder. Make the enc",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit(tiny, change, message):
    with pytest.raises(ValueError, match=f"heads do not fit the encoder: {message}"):
        MaskedLM(BertEncoder(None, config=dataclasses.replace(tiny.config, **change)), tiny)


def test_logits_are_computed_at_the_asked_positions_alone(monkeypatch):
    model, seen = made(), []
    matmul = keras.ops.matmul

    def spy(one, other):
        seen.append((tuple(one.shape), tuple(other.shape)))
        return matmul(one, other)

    expected = np.asarray(model(INPUTS))
    monkeypatch.setattr("keras_bert_zh.heads.masked_lm_head.ops.matmul", spy)
    logits = model(MODEL_INPUTS)
    assert seen.count(((3, 2, 12), (12, 53))) == 1
    assert not any(53 in one for one, _ in seen)
    assert expected.shape == (3, 7, 53)
    assert difference(logits, np.take_along_axis(expected, POSITIONS[..., None], 1)) < 1e-6


@pytest.mark.parametrize(
    ("dtype", "expected", "tolerance"),
    [
        ("mixed_bfloat16", "float32", 0.05),
        ("bfloat16", "float32", 0.1),
        ("mixed_float16", "float32", 0.01),
        ("float64", "float64", 1e-5),
    ],
)
def test_dtypes(dtype, expected, tolerance):
    exact, model = made(next_sentence=True), made(next_sentence=True, dtype=dtype)
    model.set_weights(exact.get_weights())
    assert model.masked_lm.dtype_policy.name == model.next_sentence.dtype_policy.name == dtype
    symbolic = {name: keras.Input((None,), dtype="int32") for name in MODEL_INPUTS}
    promised, outputs = model(symbolic), model(MODEL_INPUTS)
    for key, value in exact(MODEL_INPUTS).items():
        assert outputs[key].dtype == promised[key].dtype == expected
        assert difference(outputs[key], value) < tolerance


def test_a_policy_of_all_layers_leaves_logits_precise():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = made()
    assert model.encoder.compute_dtype == model.masked_lm.compute_dtype == "bfloat16"
    assert model(MODEL_INPUTS).dtype == "float32"


@pytest.mark.parametrize(
    "options",
    [
        {"jit_compile": True},
        {"padding_free": True},
        {"padding_free": False},
        {"remat": True},
        {"output_key": "sequence_output"},
        {"output_key": None},
    ],
)
def test_encoders_of_any_options(options):
    """An optimiser of few operations is traced within seconds."""
    model, other = made(), made(**options)
    other.set_weights(model.get_weights())
    positions = np.array([[0, 3], [2, 1], [3, 0]])  # None of the padding, which may hold anything.
    inputs = INPUTS | {"mlm_positions": positions}
    assert difference(other(inputs), model(inputs)) < 1e-5
    eagerly = "output_key" in options  # The others change what is traced.
    model = compiled(other, keras.optimizers.SGD(0.1), run_eagerly=eagerly)
    first, second = fit(model, epochs=2)["loss"]
    assert second < first


def test_behind_strings(tiny):
    preprocess = BertPreprocess(tiny, max_length=8)
    model = MaskedLM(BertEncoder(tiny), tiny)
    chain = keras.Sequential([preprocess, model])
    texts = tf.constant(["a b c", "d"])
    assert chain(keras.Input((), dtype="string")).shape == (None, 8, 718)
    assert difference(chain.predict(texts, verbose=0), model(preprocess(texts))) < 1e-6


def test_lora_and_quantised_tables():
    model = made(next_sentence=True)
    expected = {key: np.asarray(value) for key, value in model(MODEL_INPUTS).items()}
    model.encoder.embeddings.word.enable_lora(2)
    b = model.encoder.embeddings.word.lora_embeddings_b
    for key, value in model(MODEL_INPUTS).items():
        assert difference(value, expected[key]) < 1e-6
    b.assign(np.ones(b.shape))
    assert difference(model(MODEL_INPUTS)["mlm_logits"], expected["mlm_logits"]) > 0.1
    b.assign(np.zeros(b.shape))
    model.encoder.embeddings.word.quantize("int8")  # As model.quantize does with every layer.
    for key, value in model(MODEL_INPUTS).items():
        assert 0 < difference(value, expected[key]) < 0.05


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (POSITIONS, "takes a dict of input_ids"),
        ({"mlm_positions": POSITIONS}, r"takes a dict of input_ids.*got keys \[\]"),
        (MODEL_INPUTS | {"positions": POSITIONS}, r"The encoder takes the .* got \['positions'\]"),
        (INPUTS | {"mlm_positions": POSITIONS[0]}, r"positions must have shape \[3, \?\], got \[2"),
        (INPUTS | {"mlm_positions": POSITIONS * 1.0}, "positions must be integers, .* got float"),
        (INPUTS | {"mlm_positions": POSITIONS + 1}, r"positions must be in \[0, length.*is 7\."),
    ],
)
def test_bad_input(inputs, message):
    with pytest.raises(ValueError, match=message):
        made()(inputs)


def test_arguments_that_are_something_else():
    with pytest.raises(TypeError, match="encoder must be a BertEncoder, got 'bert_chinese'"):
        MaskedLM("bert_chinese")
    with pytest.raises(ValueError, match="of its encoder: pass dtype='bfloat16' to BertEncoder"):
        MaskedLM(BertEncoder(None, config=CONFIG), dtype="bfloat16")


@pytest.mark.slow
def test_jax_backend(data, inputs, golden, tmp_path):
    pytest.importorskip("jax")
    checkpoint = load_checkpoint(data / "tiny_original")
    (tmp_path / "data.pickle").write_bytes(pickle.dumps((checkpoint, inputs, golden)))
    printed = run_python(
        """
import json, pickle, sys, keras, numpy as np
from keras_bert_zh import BertEncoder, MaskedLM
from tests.conformance.cases import INPUTS, ONE_BLOCK, POSITIONS
checkpoint, inputs, golden = pickle.load(open(f"{sys.argv[1]}/data.pickle", "rb"))
assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
inputs = inputs | {"mlm_positions": golden["mlm_positions"]}
both = MaskedLM(BertEncoder(checkpoint), checkpoint, next_sentence=True)(inputs)
expected = golden["pooled_output"] @ checkpoint.weights["next_sentence.kernel"]
expected = expected + checkpoint.weights["next_sentence.bias"]
assert np.abs(both["next_sentence_logits"] - expected).max() < 1e-5
model = MaskedLM(BertEncoder(checkpoint, dropout=0.0), checkpoint)
print(np.abs(np.reshape(model(inputs), (6, 718)) - golden["mlm_logits"]).max())
model = MaskedLM(BertEncoder(None, config=ONE_BLOCK, dropout=0.0))
inputs = INPUTS | {"mlm_positions": POSITIONS}
model(inputs)
pooler = model.encoder.pooler
before = [np.asarray(weight) for weight in pooler.weights]
labels, weights = np.array([[5, 9], [41, 41], [33, 33]]), np.ones((3, 2), "float32")
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
optimizer = keras.optimizers.AdamW(0.03, weight_decay=0.5)
model.compile(optimizer, loss, weighted_metrics=["accuracy"])
fitted = model.fit(inputs, labels, sample_weight=weights, epochs=20, verbose=0)
history = fitted.history
assert model.jit_compile and history["loss"][-1] < history["loss"][0] / 2, history
assert history["accuracy"][-1] == 1, history
assert pooler.rests
for weight, old in zip(pooler.weights, before):
    assert np.array_equal(weight, old)
model.save(f"{sys.argv[1]}/jax.keras")
print(json.dumps(model.predict(inputs, verbose=0).tolist()))
""",
        tmp_path,
        KERAS_BACKEND="jax",
    )
    largest, predicted = printed.splitlines()
    report("jax float32", "mlm_logits", float(largest))
    assert float(largest) < 1e-5
    # What was trained there runs here.
    model = keras.saving.load_model(tmp_path / "jax.keras")
    assert difference(model(MODEL_INPUTS), json.loads(predicted)) < 2e-5
