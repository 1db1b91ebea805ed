"""Checkpoints with the CRF of a tagger, under the names of pytorch-crf."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from keras_bert_zh import TokenTagger, load_checkpoint, save_checkpoint
from keras_bert_zh.checkpoints import Head
from tests.checkpoints.writers.test_huggingface import computed
from tests.encoder.common import difference
from tests.heads.text_models import golden_of

LABELS = ("O", "B-X", "I-X")


@pytest.fixture(scope="module")
def model(tiny_block):
    made = TokenTagger(tiny_block, LABELS, crf=True, max_length=8)
    for index, weight in enumerate(made.crf.weights):
        weight.assign(np.random.default_rng(index).normal(size=weight.shape))
    return made


def assert_same_crf(one, other):
    for name in ("start", "end", "transitions"):
        np.testing.assert_array_equal(getattr(one.crf, name), getattr(other.crf, name))
    assert one.labels == other.labels


@pytest.mark.filterwarnings("error::UserWarning")
def test_a_folder_of_transformers(model, tmp_path):
    folder = save_checkpoint(model, tmp_path / "new")
    tensors = load_file(folder / "model.safetensors")
    np.testing.assert_array_equal(tensors["crf.start_transitions"], model.crf.start)
    np.testing.assert_array_equal(tensors["crf.end_transitions"], model.crf.end)
    np.testing.assert_array_equal(tensors["crf.transitions"], model.crf.transitions)
    assert "Transformers ignores them" in (folder / "README.md").read_text()
    checkpoint = load_checkpoint(folder)
    assert checkpoint.parts == ("classifier", "crf")
    assert checkpoint.leftovers == ()
    again = TokenTagger(folder, max_length=8)
    assert_same_crf(again, model)
    assert difference(again(["a b"]), model(["a b"])) == 0
    assert TokenTagger(folder, crf=False).crf is None


def test_the_original_format_keeps_it_and_others_do_not(model, tmp_path):
    with pytest.warns(UserWarning, match="has no CRF: its code will ignore these weights"):
        folder = save_checkpoint(model, tmp_path / "original", "original")
    assert_same_crf(TokenTagger(folder, max_length=8), model)
    with pytest.warns(UserWarning, match="head of a fine-tuned model: the token_classif"):
        folder = save_checkpoint(model, tmp_path / "hub", "keras_hub")
    assert load_checkpoint(folder).parts == ()


def test_transformers_passes_over_it(transformers, fine_tuned, tmp_path):
    source = load_checkpoint(fine_tuned["token_classification"])
    with pytest.warns(UserWarning, match="no weights for the CRF. Until it is trained, it only"):
        model = TokenTagger(source, crf=True, max_length=16)
    folder = save_checkpoint(model, tmp_path / "new")
    theirs, report = transformers.AutoModelForTokenClassification.from_pretrained(
        folder, output_loading_info=True
    )
    names = {"crf.start_transitions", "crf.end_transitions", "crf.transitions"}
    assert {key: set(value) for key, value in report.items() if value} == {"unexpected_keys": names}
    inputs, golden = golden_of("token_classification")
    assert difference(computed(theirs.eval(), inputs)["logits"], golden["logits"]) < 1e-5
    assert theirs.config.id2label == dict(enumerate(source.head.labels))


@pytest.mark.parametrize("architecture", ["BertCrfForNer", "BertForTokenClassification", None])
def test_models_of_others(model, tiny_block, tmp_path, architecture):
    """They often keep the pooler, by which a classifier is else told to be of texts."""
    folder = save_checkpoint(model, tmp_path / "theirs")
    tensors = load_file(folder / "model.safetensors")
    pooler = {
        "weight": tiny_block.weights["pooler.dense.kernel"].T,
        "bias": np.zeros(32, "float32"),
    }
    tensors |= {f"bert.pooler.dense.{n}": np.ascontiguousarray(a) for n, a in pooler.items()}
    save_file(tensors, folder / "model.safetensors")
    fields = json.loads((folder / "config.json").read_text())
    del fields["architectures"]
    fields |= {"architectures": [architecture]} if architecture else {}
    (folder / "config.json").write_text(json.dumps(fields))
    with warnings.catch_warnings(action="error", category=UserWarning):
        again = TokenTagger(folder, max_length=8)
    assert_same_crf(again, model)


@pytest.mark.parametrize("damage", ["size", "missing", "beside"])
def test_what_is_another_model_is_not_read(model, tmp_path, damage):
    folder = save_checkpoint(model, tmp_path / "other")
    tensors = load_file(folder / "model.safetensors")
    if damage == "size":  # With labels of its own for start and end, as some have.
        tensors["crf.transitions"] = np.zeros((5, 5), "float32")
    elif damage == "missing":
        del tensors["crf.end_transitions"]
    else:
        tensors["lstm.weight_ih_l0"] = np.zeros((4, 4), "float32")
    save_file(tensors, folder / "model.safetensors")
    with pytest.warns(UserWarning, match=r"the head of .* is not read \(classifier.bias"):
        checkpoint = load_checkpoint(folder)
    assert checkpoint.head is None
    assert checkpoint.parts == ()
    assert "crf.start_transitions" in checkpoint.leftovers


def test_a_checkpoint_that_does_not_fit_together(model, tmp_path):
    checkpoint = load_checkpoint(save_checkpoint(model, tmp_path / "new"))
    for head in (Head("sequence_classification", LABELS), None):
        with pytest.raises(ValueError, match=r"CRF weights need a Head for tok"):
            dataclasses.replace(checkpoint, head=head)
