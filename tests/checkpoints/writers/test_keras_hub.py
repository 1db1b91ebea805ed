import dataclasses
import json
import resource
import warnings

import h5py
import numpy as np
import pytest

from keras_bert_zh import BertEncoder, MaskedLM, load_checkpoint, save_checkpoint
from tests.checkpoints.writers.variants import assert_same, variant
from tests.encoder.common import difference
from tests.folders import contents

WITHOUT_HEADS = {"config.json", "model.weights.h5", "preprocessor.json", "tokenizer.json"}
ASSETS = {"assets", "assets/tokenizer", "assets/tokenizer/vocabulary.txt"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


@pytest.fixture(scope="module")
def full(data):
    """A checkpoint with every head."""
    return load_checkpoint(data / "tiny_original")


@pytest.fixture(scope="module")
def keras_hub():
    return pytest.importorskip("keras_hub", reason="what is written is for Keras Hub")


def save(checkpoint, folder):
    """Saves it; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return save_checkpoint(checkpoint, folder, "keras_hub")


def told(checkpoint, folder):
    """Saves it, and returns what is warned of."""
    with pytest.warns(UserWarning, match=".") as caught:
        save_checkpoint(checkpoint, folder, "keras_hub")
    assert {warning.filename for warning in caught} == {__file__}
    return [str(warning.message) for warning in caught]


def names(path):
    """Paths and shapes of the variables in a file."""
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item.shape}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


@pytest.mark.parametrize("lowercase", [True, False])
def test_an_encoder_is_read_back(full, folder, lowercase):
    checkpoint = variant(full, heads=("pooler",), lowercase=lowercase)
    assert_same(load_checkpoint(save(checkpoint, folder)), checkpoint)
    assert set(contents(folder)) == WITHOUT_HEADS | ASSETS


@pytest.mark.parametrize(
    ("heads", "config", "messages"),
    [
        (
            ("pooler",),
            {"hidden_act": "gelu_erf"},
            ["has no exact GELU: its code will use the tanh approx"],
        ),
        (("pooler",), {"layer_norm_eps": 1e-7}, ["will ignore layer_norm_eps=1e-07. This package"]),
        (
            ("pooler",),
            {"attention_probs_dropout_prob": 0.3},
            ["attention will use the rate of the hidden states, 0.1, instead of 0.3."],
        ),
        (("pooler", "masked_lm"), {}, ["uses the exact GELU and layer_norm_eps=1e-05 in its head"]),
        (("pooler", "next_sentence"), {}, ["Keras Hub has no next_sentence head"]),
        ((), {}, ["its weights will be zeros, so pooled_output is zero until you train it"]),
        (
            ("pooler", "masked_lm"),
            {"hidden_act": "gelu_erf", "layer_norm_eps": 1e-5},
            ["has no exact GELU", "always uses layer_norm_eps=1e-12"],
        ),
    ],
)
def test_what_keras_hub_can_not_express_is_kept_and_warned_of(
    full, folder, heads, config, messages
):
    checkpoint = variant(full, heads=heads, lowercase=True, **config)
    found = told(checkpoint, folder)
    assert len(found) == len(messages)
    assert [m for m, part in zip(found, messages, strict=True) if part not in m] == []
    with warnings.catch_warnings(action="error"):
        assert_same(load_checkpoint(folder), checkpoint)


def test_a_fine_tuned_head_is_left_out_and_told_of(data, folder):
    checkpoint = load_checkpoint(data / "fine_tuned" / "sequence_classification")
    found = told(checkpoint, folder)
    message = (
        "A preset of Keras Hub can't store the head of a fine-tuned model: the sequence_classif"
    )
    assert found[0].startswith(message)
    assert "classifier" not in load_checkpoint(folder).parts


def test_another_activation_is_refused(full, folder):
    with pytest.raises(
        ValueError, match="always uses GELU, so with hidden_act='relu' its outputs wo"
    ):
        save(variant(full, hidden_act="relu"), folder)
    assert list(folder.parent.iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*BertMaskedLM")
def test_the_files_are_those_of_keras_hub(data, folder):
    """But for the optimiser, which nothing is left of."""
    original = data / "keras_hub_preset"
    save_checkpoint(load_checkpoint(original), folder, "keras_hub")
    assert set(contents(folder)) == set(contents(original)) - {"metadata.json"}
    for name in ("model.weights.h5", "task.weights.h5"):
        expected = names(original / name)
        assert names(folder / name) == {
            path: shape for path, shape in expected.items() if not path.startswith("optimizer/")
        }
    vocabulary = "assets/tokenizer/vocabulary.txt"
    assert (folder / vocabulary).read_bytes() == (original / vocabulary).read_bytes()
    for name in ("config.json", "tokenizer.json", "preprocessor.json", "task.json"):
        ours, theirs = (json.loads((place / name).read_text()) for place in (folder, original))
        assert ours["registered_name"] == theirs["registered_name"]
        assert ours["module"] == theirs["module"]
        assert ours["config"].keys() <= theirs["config"].keys()
        for key, value in ours["config"].items():
            if key not in ("dtype", "strip_accents") and not isinstance(value, dict):
                assert value == theirs["config"][key], (name, key)
    assert_same(load_checkpoint(folder), load_checkpoint(original))


def test_rows_without_a_token_and_no_vocabulary(full, folder, tmp_path):
    name = "embeddings.word.embeddings"
    checkpoint = variant(
        full,
        heads=("pooler",),
        lowercase=True,
        vocabulary=full.vocabulary[:700],
        weights={name: full.weights[name][:704]},
        vocab_size=704,
    )
    assert_same(load_checkpoint(save(checkpoint, folder)), checkpoint)
    checkpoint = variant(checkpoint, vocabulary=None, lowercase=None)
    (message,) = told(checkpoint, tmp_path / "other")
    assert "was written without a vocabulary" in message
    assert set(contents(tmp_path / "other")) == {"config.json", "model.weights.h5"}
    assert_same(load_checkpoint(tmp_path / "other"), checkpoint)


def test_each_weight_is_read_once_and_alone(full, folder):
    read = []
    checkpoint = variant(full, heads=("pooler",))
    save(dataclasses.replace(checkpoint, weights=checkpoint.weights.watched(read.append)), folder)
    assert read == list(checkpoint.weights)


def test_a_full_disk_leaves_the_old_checkpoint(full, folder):
    checkpoint = variant(full, heads=("pooler",))
    save(variant(checkpoint, lowercase=False), folder)
    before = contents(folder)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"/model\.weights\.h5 can't be written: "):
            save_checkpoint(checkpoint, folder, "keras_hub", overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(folder) == before
    assert list(folder.parent.iterdir()) == [folder]


@pytest.fixture
def inputs(golden):
    """As Keras Hub calls them; `tiny_golden.npz` is of the original TF1 graph."""
    theirs = {"token_ids": "input_ids", "segment_ids": "segment_ids", "padding_mask": "input_mask"}
    return {name: golden[ours] for name, ours in theirs.items()}


def test_keras_hub_loads_the_backbone(full, folder, keras_hub, inputs, golden):
    save(variant(full, heads=("pooler",)), folder)
    outputs = keras_hub.models.BertBackbone.from_preset(str(folder))(inputs)
    real = golden["input_mask"].astype(bool)
    found = (
        difference(np.asarray(outputs["sequence_output"])[real], golden["sequence_output"][real]),
        difference(outputs["pooled_output"], golden["pooled_output"]),
    )
    print(found)
    assert max(found) < 1e-5


@pytest.mark.filterwarnings("ignore:Keras Hub")
def test_keras_hub_loads_the_heads(full, folder, keras_hub, inputs, golden):
    """The masked LM's computes otherwise where the model has the GELU with tanh."""
    checkpoint = variant(full, hidden_act="gelu_erf", layer_norm_eps=1e-5)
    save_checkpoint(checkpoint, folder, "keras_hub")
    model = keras_hub.models.BertMaskedLM.from_preset(str(folder))
    assert model.preprocessor.tokenizer.get_vocabulary() == list(full.vocabulary)
    positions = np.array([[1, 2, 3]] * len(golden["input_ids"]), "int32")
    logits = model({**inputs, "mask_positions": positions})
    ours = MaskedLM(BertEncoder(full), full)
    tokens = {key: golden[key] for key in ("input_ids", "input_mask", "segment_ids")}
    nearly = difference(logits, ours(tokens | {"mlm_positions": positions}))
    print(nearly)
    assert nearly < 1e-2
    classifier = keras_hub.models.BertTextClassifier.from_preset(str(folder), num_classes=2)
    assert classifier(inputs).shape == (len(golden["input_ids"]), 2)


@pytest.mark.filterwarnings("ignore:Keras Hub")
@pytest.mark.parametrize("heads", [("pooler",), ("pooler", "masked_lm")])
def test_keras_hub_loads_the_tokeniser(full, folder, keras_hub, heads):
    save_checkpoint(variant(full, heads=heads, lowercase=True), folder, "keras_hub")
    tokenizer = keras_hub.models.BertTokenizer.from_preset(str(folder))
    assert tokenizer.lowercase
    assert tokenizer.get_vocabulary() == list(full.vocabulary)
    words = [token for token in full.vocabulary if token.isalpha() and len(token) == 1][:20]
    ids = [full.vocabulary.index(word) for word in words]
    assert np.asarray(tokenizer(" ".join(words))).tolist() == ids
    classifier = keras_hub.models.BertTextClassifier.from_preset(str(folder), num_classes=2)
    assert classifier.preprocessor.tokenizer.get_vocabulary() == list(full.vocabulary)
    if heads == ("pooler",):
        assert classifier.predict(["好", "不好"], verbose=0).shape == (2, 2)


def test_what_keras_hub_saves_again_is_read(full, folder, tmp_path, keras_hub):
    checkpoint = variant(full, heads=("pooler",), lowercase=True)
    save(checkpoint, folder)
    again = tmp_path / "again"
    keras_hub.models.BertBackbone.from_preset(str(folder)).save_to_preset(again)
    keras_hub.models.BertTokenizer.from_preset(str(folder)).save_to_preset(again)
    assert_same(load_checkpoint(again), checkpoint)
