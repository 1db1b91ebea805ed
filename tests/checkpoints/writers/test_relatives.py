"""ERNIE and ELECTRA, written as they were read."""

import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from keras_bert_zh import (
    BertEncoder,
    MaskedLM,
    SentenceEncoder,
    TextClassifier,
    load_checkpoint,
    save_checkpoint,
)
from tests.checkpoints.writers.test_huggingface import loaded
from tests.checkpoints.writers.variants import assert_same, variant
from tests.conformance.cases import ELECTRA, ERNIE, INPUTS, TASKS
from tests.encoder.common import difference, randomized, zeroed
from tests.relatives import NAMES, at_positions, folder_of, golden_of

NO_VOCABULARY = "ignore:.* was written without a vocabulary"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_what_was_read(folder, name):
    checkpoint = load_checkpoint(folder_of(name))
    save_checkpoint(checkpoint, folder)
    assert_same(load_checkpoint(folder), variant(checkpoint, lowercase=True))
    theirs, ours = (load_file(place / "model.safetensors") for place in (folder_of(name), folder))
    assert ours.keys() == theirs.keys()
    for tensor, value in theirs.items():
        np.testing.assert_array_equal(ours[tensor], value, err_msg=tensor)
    theirs, ours = (
        json.loads((place / "config.json").read_text()) for place in (folder_of(name), folder)
    )
    assert ours.keys() <= theirs.keys()
    assert {field: theirs[field] for field in ours} == ours


@pytest.mark.filterwarnings(NO_VOCABULARY)
@pytest.mark.parametrize(
    "config", [ERNIE, ELECTRA, dataclasses.replace(ELECTRA, embedding_size=None)]
)
def test_an_encoder_is_read_back(folder, config):
    encoder = randomized(BertEncoder(None, config=config, output_key="sequence_output"))
    if config.model_type == "electra":
        with pytest.warns(UserWarning, match="ElectraModel has no pooler") as caught:
            save_checkpoint(encoder, folder)
        assert caught[0].filename == __file__  # Not a line of the package.
    else:
        save_checkpoint(encoder, folder)
    checkpoint = load_checkpoint(folder)
    assert checkpoint.config == config
    assert ("pooler" in checkpoint.missing) == (config.model_type == "electra")
    for name, variable in encoder.named_variables().items():
        if not name.startswith("pooler.") or config.model_type == "ernie":
            np.testing.assert_array_equal(checkpoint.weights[name], variable, err_msg=name)


@pytest.mark.parametrize(
    ("parts", "architecture"),
    [
        (("pooler",), "ErnieModel"),
        (("masked_lm",), "ErnieForMaskedLM"),
        (("pooler", "masked_lm", "next_sentence"), "ErnieForPreTraining"),
    ],
)
@pytest.mark.filterwarnings(NO_VOCABULARY)
def test_heads_of_ernie(folder, parts, architecture):
    model = MaskedLM(BertEncoder(None, config=ERNIE), next_sentence=True)
    checkpoint = variant(load_checkpoint(save_checkpoint(model, folder / "all")), heads=parts)
    folder = save_checkpoint(checkpoint, folder / "some")
    assert json.loads((folder / "config.json").read_text())["architectures"] == [architecture]
    assert_same(load_checkpoint(folder), checkpoint)


def test_an_electra_with_heads_of_bert_is_refused(folder):
    checkpoint = load_checkpoint(folder_of("electra"))
    bias = {"next_sentence.bias": np.zeros(2), "next_sentence.kernel": np.zeros((32, 2))}
    with pytest.raises(ValueError, match="ElectraModel has no next_sentence: save the checkpoint"):
        save_checkpoint(variant(checkpoint, weights=bias), folder)
    assert not folder.exists()


@pytest.mark.parametrize("format", ["original", "hub", "keras_hub"])
@pytest.mark.parametrize(
    ("name", "field"), [("ernie", "task_type_vocab_size=3"), ("electra", "embedding_size=16")]
)
def test_formats_of_bert_alone(folder, format, name, field):
    message = f"can't store the {field} of model_type='{name}'. Save with format=\"huggingface\"."
    with pytest.raises(ValueError, match=message):
        save_checkpoint(load_checkpoint(folder_of(name)), folder, format)
    assert not folder.exists()


@pytest.mark.filterwarnings(NO_VOCABULARY, "ignore:Keras Hub's BERT")
@pytest.mark.parametrize("format", ["original", "keras_hub"])
@pytest.mark.parametrize("model_type", NAMES)
def test_embeddings_like_those_of_bert_go_into_formats_of_bert(folder, model_type, format):
    config = dataclasses.replace(
        ERNIE, model_type=model_type, task_type_vocab_size=0, type_vocab_size=2
    )
    encoder = BertEncoder(None, config=config)
    save_checkpoint(encoder, folder, format)
    assert load_checkpoint(folder).config == config


def transformers_outputs(architecture, folder, inputs):
    """What Transformers computes of the folder."""
    torch = pytest.importorskip("torch", reason="Transformers runs on PyTorch here")
    transformers = pytest.importorskip("transformers", reason="it is written for Transformers")
    theirs = {"input_mask": "attention_mask", "segment_ids": "token_type_ids"}
    with torch.no_grad():
        outputs = loaded(transformers, architecture, folder)(
            **{theirs.get(key, key): torch.tensor(array).long() for key, array in inputs.items()}
        )
    return {name: value.numpy() for name, value in outputs.items()}


def test_transformers_computes_the_same_with_an_ernie(folder):
    save_checkpoint(load_checkpoint(folder_of("ernie")), folder)
    inputs, golden = golden_of("ernie")
    logits = transformers_outputs("ErnieForMaskedLM", folder, inputs)["logits"]
    assert difference(at_positions(logits, golden), golden["mlm_logits"]) < 1e-5


def test_transformers_computes_the_same_with_an_electra(folder):
    save_checkpoint(load_checkpoint(folder_of("electra")), folder)
    inputs, golden = golden_of("electra")
    states = transformers_outputs("ElectraModel", folder, inputs)["last_hidden_state"]
    mask = inputs["input_mask"]
    assert difference(zeroed(states, mask), zeroed(golden["sequence_output"], mask)) < 1e-5


@pytest.mark.filterwarnings(NO_VOCABULARY, "ignore:Transformers' ElectraModel has no pooler")
@pytest.mark.parametrize(
    ("config", "architecture", "inputs"),
    [
        (ERNIE, "ErnieModel", INPUTS | {"task_type_ids": TASKS}),
        (dataclasses.replace(ERNIE, task_type_vocab_size=0), "ErnieModel", INPUTS),
        (ELECTRA, "ElectraModel", INPUTS),
        (dataclasses.replace(ELECTRA, embedding_size=None), "ElectraModel", INPUTS),
    ],
)
def test_transformers_computes_what_an_encoder_does(folder, config, architecture, inputs):
    config = dataclasses.replace(config, hidden_act="gelu_erf", layer_norm_eps=1e-5)
    encoder = randomized(BertEncoder(None, config=config, output_key="sequence_output"), scale=0.1)
    save_checkpoint(encoder, folder)
    outputs = transformers_outputs(architecture, folder, inputs)
    theirs = zeroed(outputs["last_hidden_state"], inputs["input_mask"])
    assert difference(theirs, encoder(inputs)) < 1e-5


def test_an_electra_with_a_classifier_of_one_layer_is_refused(folder):
    encoder = BertEncoder(None, config=ELECTRA)
    model = TextClassifier(encoder, labels=["a", "b"])
    with pytest.raises(
        ValueError, match=r"has a head of two layers.* save the .* with model\.save"
    ):
        save_checkpoint(model, folder)
    assert not folder.exists()


def test_vectors_of_a_pooler_that_electra_has_no_place_for(folder):
    model = SentenceEncoder(BertEncoder(None, config=ELECTRA), "pooled_output")
    with pytest.raises(
        ValueError, match="no pooler, but these vectors are the pooler's output: save"
    ):
        save_checkpoint(model, folder)
    assert not folder.exists()
