"""ERNIE and ELECTRA: encoders with other embeddings."""

import dataclasses
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder, MaskedLM, load_checkpoint
from tests.conformance.cases import CONFIG, ELECTRA, ERNIE, INPUTS, TASKS
from tests.conformance.test_changes import assert_came_back
from tests.encoder.common import difference, randomized, report, zeroed
from tests.export.models import exported
from tests.relatives import NAMES, at_positions, folder_of, golden_of

pytestmark = pytest.mark.filterwarnings("ignore:The checkpoint has no weights for the pooler")


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def checkpoint(name):
    return load_checkpoint(folder_of(name))


@pytest.fixture(scope="module")
def ernie():
    return randomized(BertEncoder(None, config=ERNIE, output_key="sequence_output"))


@pytest.mark.parametrize("arguments", [{"padding_free": True}, {"padding_free": False}])
def test_parity_with_transformers(name, checkpoint, arguments):
    inputs, golden = golden_of(name)
    encoder = BertEncoder(checkpoint, output_key="sequence_output", **arguments)
    mask = inputs["input_mask"]
    found = difference(zeroed(encoder(inputs), mask), zeroed(golden["sequence_output"], mask))
    report(f"{name} {arguments}", "sequence_output", found)
    assert found < 1e-5


def test_parity_of_the_masked_lm():
    inputs, golden = golden_of("ernie")
    checkpoint = load_checkpoint(folder_of("ernie"))
    logits = MaskedLM(BertEncoder(checkpoint), checkpoint)(inputs)
    found = difference(at_positions(logits, golden), golden["mlm_logits"])
    report("ernie", "mlm_logits", found)
    assert found < 1e-5
    assert np.abs(golden["mlm_logits"]).max() > 0.3


def test_no_pooler_is_said(checkpoint):
    assert "pooler" in checkpoint.missing
    with pytest.warns(
        UserWarning, match="no weights for the pooler. Its weights are random: train"
    ):
        BertEncoder(checkpoint)


def test_every_weight_is_trained(name):
    encoder = BertEncoder(folder_of(name), output_key="sequence_output")
    inputs, _ = golden_of(name)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(inputs, training=True) ** 3)
    gradients = tape.gradient(loss, encoder.trainable_variables)
    still = [
        variable.path
        for variable, gradient in zip(encoder.trainable_variables, gradients, strict=True)
        if not np.any(gradient)
    ]
    assert still == []


@pytest.mark.parametrize(("config", "part"), [(ERNIE, "task"), (ELECTRA, "projection")])
def test_what_was_changed_comes_back(config, part):
    encoder = BertEncoder(None, config=config, name="once")
    symbolic = {key: keras.Input((None,), dtype="int32", name=key) for key in INPUTS}
    getattr(encoder.embeddings, part).enable_lora(2)
    encoder.embeddings.word.trainable = False
    copy = pickle.loads(pickle.dumps(keras.Model(symbolic, encoder(symbolic)))).layers[-1]
    assert_came_back(encoder, copy, (INPUTS,))


def test_task_types_are_zero_where_they_are_not_given(ernie):
    plain = ernie(INPUTS)
    zeros = ernie(INPUTS | {"task_type_ids": np.zeros_like(TASKS)})
    np.testing.assert_array_equal(plain, zeros)
    assert difference(plain, ernie(INPUTS | {"task_type_ids": TASKS})) > 0.1


@pytest.mark.parametrize("arguments", [{"padding_free": False}, {"jit_compile": True}])
def test_task_types_however_it_is_computed(ernie, arguments):
    inputs = INPUTS | {"task_type_ids": TASKS}
    other = BertEncoder(None, config=ERNIE, output_key="sequence_output", **arguments)
    other.set_weights(ernie.get_weights())
    assert difference(ernie(inputs), zeroed(other(inputs), INPUTS["input_mask"])) < 1e-5


@pytest.mark.parametrize("config", [dataclasses.replace(ERNIE, task_type_vocab_size=0), ELECTRA])
def test_task_types_are_for_those_who_have_some(config):
    message = r"takes the inputs input_ids, input_mask, segment_ids; got \['task_type_ids'\]. task"
    with pytest.raises(ValueError, match=message):
        BertEncoder(None, config=config)(INPUTS | {"task_type_ids": TASKS})


def test_task_types_out_of_range(ernie):
    with pytest.raises(ValueError, match=r"task_type_ids must be in \[0, 3\) .*task types.* got 3"):
        ernie(INPUTS | {"task_type_ids": TASKS + 1})
    encode = tf.function(ernie)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"task_type_ids must be in \[0, 3\)"):
        encode({key: tf.constant(a) for key, a in INPUTS.items()} | {"task_type_ids": TASKS + 1})


def test_an_exported_model_takes_task_types(ernie, tmp_path):
    elsewhere = exported(ernie, tmp_path / "model")
    for inputs in (INPUTS, INPUTS | {"task_type_ids": TASKS}):
        assert difference(elsewhere(inputs), ernie(inputs)) < 1e-5


def test_a_masked_lm_takes_task_types(ernie):
    model = MaskedLM(ernie)
    inputs = INPUTS | {"task_type_ids": TASKS}
    assert difference(model(inputs), model(INPUTS)) > 0.1
    symbolic = {key: keras.Input((None,), dtype="int32", name=key) for key in inputs}
    assert model(symbolic).shape == (None, None, 53)


def test_a_masked_lm_on_electra_is_refused():
    with pytest.raises(ValueError, match="needs the encoder of a BERT or an ERNIE, got an ELECTRA"):
        MaskedLM(BertEncoder(None, config=ELECTRA))


# The sizes of PaddlePaddle's ERNIE 1.0 and 3.0, and of an ELECTRA whose embeddings are as wide as
# the hidden states, but for the widths.
@pytest.mark.parametrize(
    "sizes",
    [
        {"model_type": "ernie", "max_position_embeddings": 513, "hidden_act": "relu"},
        {
            "model_type": "ernie",
            "max_position_embeddings": 2048,
            "type_vocab_size": 4,
            "layer_norm_eps": 1e-5,
            "task_type_vocab_size": 3,
        },
        {"model_type": "electra", "embedding_size": 12},
    ],
)
def test_sizes_of_published_models(sizes):
    config = dataclasses.replace(CONFIG, num_hidden_layers=1, **sizes)
    encoder = BertEncoder(None, config=config)
    length = config.max_position_embeddings
    assert encoder({"input_ids": np.ones((1, length), "int32")}).shape == (1, 12)
    assert encoder.embeddings.projection is None
    copy = BertEncoder.from_config(encoder.get_config())
    assert copy.config == config
    assert [v.path for v in copy.weights] == [v.path for v in encoder.weights]
