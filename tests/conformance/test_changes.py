"""What was changed after a layer was made comes back by every route."""

import json
import pickle

import keras
import numpy as np
import pytest

from keras_bert_zh import BertEncoder, MaskedLM
from keras_bert_zh.heads.on_encoder import OnEncoder
from keras_bert_zh.layers.composite import Composite
from keras_bert_zh.layers.dense import Dense
from tests.conformance.cases import CASES, CONFIG, ONE_BLOCK
from tests.conformance.changes import CHANGES
from tests.conformance.test_conformance import arrays, assert_same, functional
from tests.process import run_python

# Of what is in the encoder, some combinations are enough.
FEW = ("train_one", "dropout", "int8_lora", "lora_int4")

GPTQ = keras.quantizers.GPTQConfig(dataset=None, tokenizer=None)
WHOLE = (BertEncoder, OnEncoder)
PARTS = [cls for cls in CASES if issubclass(cls, Composite) and not issubclass(cls, WHOLE)]


def state(layer):
    """Everything that may not differ, by the place of the variable."""
    return [
        (v.name, v.trainable, keras.backend.standardize_dtype(v.dtype), tuple(v.shape))
        for v in sorted(layer.weights, key=lambda v: v.path.partition("/")[2])
    ] + [
        (part.name, part.trainable, part.dtype_policy.name, getattr(part, "rate", None))
        for part in layer._flatten_layers()
    ]


def by_path(layer):
    return {v.path.partition("/")[2]: v for v in layer.weights}


def assert_came_back(layer, again, arguments):
    assert state(again) == state(layer)
    assert [v.path for v in again.trainable_variables] == [
        v.path for v in layer.trainable_variables
    ]
    assert_same(again(*arguments), layer(*arguments))


def changed_masked_lm(name):
    """Of one block, but where the first one is not as the second."""
    if name == "half_precision":
        return changed(MaskedLM, name)
    keras.utils.set_random_seed(0)
    layer = MaskedLM(
        BertEncoder(None, config=ONE_BLOCK, dropout=0.0), next_sentence=True, name="once"
    )
    layer(*CASES[MaskedLM].arguments)
    CHANGES[name](layer)
    return layer


def changed(cls, name):
    keras.utils.set_random_seed(0)
    layer = CASES[cls].make(name="once")
    layer(*CASES[cls].arguments)
    CHANGES[name](layer)
    return layer


@pytest.mark.parametrize("name", CHANGES)
def test_config_and_pickle(name):
    """Of a MaskedLM, which has an encoder and heads."""
    layer, arguments = changed_masked_lm(name), CASES[MaskedLM].arguments
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    again = keras.saving.deserialize_keras_object(config)
    for path, variable in by_path(layer).items():
        by_path(again)[path].assign(variable)
    assert_came_back(layer, again, arguments)
    copy = pickle.loads(pickle.dumps(functional(CASES[MaskedLM], layer)))
    assert_came_back(layer, copy.layers[-1], arguments)


@pytest.mark.parametrize("cls", PARTS)
def test_parts_of_the_encoder(cls):
    for name in FEW:
        layer = changed(cls, name)
        copy = pickle.loads(pickle.dumps(functional(CASES[cls], layer))).layers[-1]
        assert_came_back(layer, copy, CASES[cls].arguments)


@pytest.mark.slow
def test_files_are_the_same_in_a_new_process(tmp_path):
    expected = {}
    for name in CHANGES:
        layer = changed_masked_lm(name)
        model = functional(CASES[MaskedLM], layer)
        model.save(tmp_path / f"{name}.keras")
        expected[name] = state(layer), arrays(layer(*CASES[MaskedLM].arguments))
    (tmp_path / "expected.pickle").write_bytes(pickle.dumps(expected))
    run_python(
        """
import pathlib, pickle, sys
import keras, numpy as np
import keras_bert_zh
from tests.conformance import test_changes
folder = pathlib.Path(sys.argv[1])
for name, (state, values) in pickle.loads((folder / "expected.pickle").read_bytes()).items():
    model = keras.saving.load_model(folder / f"{name}.keras")
    layer = model.layers[-1]
    assert test_changes.state(layer) == state, name
    (arguments,) = test_changes.CASES[keras_bert_zh.MaskedLM].arguments
    test_changes.assert_same(layer(arguments), values)
    model.save(folder / "again.keras")
    again = keras.saving.load_model(folder / "again.keras").layers[-1]
    assert test_changes.state(again) == state, name
""",
        tmp_path,
    )


def test_training_goes_on_with_lora():
    """As it would have without the file: factors, optimiser and frozen kernels."""
    layer = changed(BertEncoder, "lora")
    model = functional(CASES[BertEncoder], layer)
    model.compile(keras.optimizers.Adam(1e-2), "mse", run_eagerly=True)
    labels = np.ones((3, 12))
    flat = keras.tree.flatten(CASES[BertEncoder].arguments)
    model.train_on_batch(flat, labels)
    copy = pickle.loads(pickle.dumps(model))
    losses = [[float(m.train_on_batch(flat, labels)) for _ in range(3)] for m in (model, copy)]
    assert losses[0] == losses[1]
    assert losses[0][2] < losses[0][0]
    counts = [sum(v.shape.num_elements() for v in m.trainable_variables) for m in (model, copy)]
    assert counts[0] == counts[1]
    assert_came_back(layer, copy.layers[-1], CASES[BertEncoder].arguments)


def test_lora_can_be_merged_or_begun_by_loading_weights(tmp_path):
    merged, adapted = changed(BertEncoder, "freeze_one"), changed(BertEncoder, "lora")
    models = [functional(CASES[BertEncoder], layer) for layer in (merged, adapted)]
    models[0].save_weights(tmp_path / "plain.weights.h5")
    models[1].save_weights(tmp_path / "lora.weights.h5")
    (arguments,) = CASES[BertEncoder].arguments
    models[0].load_weights(tmp_path / "lora.weights.h5")
    assert_same(merged(arguments), adapted(arguments), 1e-5)
    models[0].load_weights(tmp_path / "plain.weights.h5")
    models[1].load_weights(tmp_path / "plain.weights.h5")
    assert all(
        np.any(part.lora_kernel_a)
        for part in adapted._flatten_layers()
        if hasattr(part, "lora_kernel_a")
    )


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.filterwarnings("ignore:Invalid quantization mode")
def test_a_model_is_quantised_around_what_has_lora(tmp_path):
    encoder = changed(BertEncoder, "freeze_one")
    inner = encoder.blocks[1].feed_forward.inner
    inner.enable_lora(2)
    model = functional(CASES[BertEncoder], encoder)
    with pytest.warns(UserWarning, match="can't have both LoRA and float8, .* left unchanged"):
        model.quantize("float8")
    assert inner.quantization_mode is None
    copy = pickle.loads(pickle.dumps(model)).layers[-1]
    assert_came_back(encoder, copy, CASES[BertEncoder].arguments)


def test_lora_of_another_rank_is_refused_and_nothing_changed(tmp_path):
    models = [changed(Dense, "freeze_one") for _ in range(2)]
    for model, rank in zip(models, (2, 3), strict=True):
        model.enable_lora(rank)
    stored = {}
    models[0].save_own_variables(stored)
    before = models[1].lora_kernel_a.numpy()
    with pytest.raises(
        ValueError, match=r"LoRA of rank 3, but the file has rank 2. Call enable_lor"
    ):
        models[1].load_own_variables(stored)
    np.testing.assert_array_equal(models[1].lora_kernel_a.numpy(), before)


def test_a_map_of_policies_comes_back():
    policies = keras.dtype_policies.DTypePolicyMap("mixed_bfloat16")
    policies[".*/block_1/attention/.*"] = keras.dtype_policies.DTypePolicy("float32")
    encoder = BertEncoder(None, config=CONFIG, dtype=policies, name="once")
    assert encoder.blocks[1].attention.query.compute_dtype == "float32"
    encoder.blocks[0].trainable = False
    copy = pickle.loads(pickle.dumps(functional(CASES[BertEncoder], encoder))).layers[-1]
    assert_came_back(encoder, copy, CASES[BertEncoder].arguments)


def test_changes_of_what_is_not_there_are_refused():
    config = CASES[BertEncoder].make().get_config()
    with pytest.raises(
        ValueError, match="sublayers that the layer does not have: block_7/attention"
    ):
        BertEncoder.from_config(config | {"sublayers": {"block_7/attention": {}}})


def test_the_parts_frozen_in_older_files_are_frozen():
    for cls, name in ((BertEncoder, "block_1"), (MaskedLM, "next_sentence")):
        layer = CASES[cls].make()
        again = cls.from_config(layer.get_config() | {"frozen": [name]})
        frozen = {v.path.split("/")[1] for v in again.weights if not v.trainable}
        assert name in frozen
        assert len(again.trainable_variables) == len(layer.trainable_variables) - len(
            [v for v in layer.weights if v.path.split("/")[1] == name]
        )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda dense: dense.quantize("gptq", config=keras.quantizers.GPTQConfig(None, None)),
            ValueError,
            "int8",
        ),
        (
            lambda dense: (dense.enable_lora(2), dense.quantize("float8")),
            NotImplementedError,
            "both LoRA and float8",
        ),
        (
            lambda dense: (dense.quantize("float8"), dense.enable_lora(2)),
            ValueError,
            "both LoRA and float8",
        ),
    ],
)
def test_what_can_not_work_is_refused_before_it_is_done(change, error, message):
    dense = changed(BertEncoder, "freeze_one").blocks[0].feed_forward.inner
    with pytest.raises(error, match=message):
        change(dense)
    assert dense(np.ones((2, 12), "float32")).shape == (2, 17)
