"""export_model: what is in the folder, what it replaces, and what it refuses."""

import dataclasses
import json
import shutil

import keras
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess, TextClassifier, export_model, save_checkpoint
from keras_bert_zh.export import litert
from keras_bert_zh.export.description import read_description
from keras_bert_zh.export.recast import all_in
from tests.conformance.cases import INPUTS, ONE_BLOCK
from tests.encoder.common import difference
from tests.export.models import TEXTS, encoder_of, exported
from tests.folders import contents
from tests.heads.text_models import text_model
from tests.process import DATA


def test_what_is_beside_the_model(tiny_block, folder):
    model = text_model(tiny_block, stride=3)
    assert export_model(model, folder, "litert") == folder
    names = ["README.md", "config.json", "export.json", "model.tflite"]
    assert sorted(contents(folder)) == [*names, "tokenizer_config.json", "vocab.txt"]
    described = read_description(folder)
    assert (described.format, described.dtype, described.takes) == ("litert", "float32", "texts")
    assert (described.stride, described.labels) == (3, ["a", "b"])
    assert (described.outputs, described.positions) == ("logits", 64)
    config = json.loads((folder / "config.json").read_text())
    assert config["id2label"] == {"0": "a", "1": "b"}
    assert config["architectures"] == ["BertForSequenceClassification"]
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    assert tuple(vocabulary[:-1]) == tiny_block.vocabulary
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "Outputs: `logits`." in card
    assert "Labels: a, b." in card


def test_a_model_of_ids_gets_a_preprocess(encoder, preprocess, folder):
    short = BertPreprocess(vocabulary=preprocess.vocabulary, max_length=9)
    elsewhere = exported(encoder, folder, "litert", preprocess=short)
    texts = ["一丁七", "万"]
    assert difference(elsewhere(texts), encoder(short(texts))) < 1e-4
    for model, given, message in (
        (encoder, preprocess, "has 128 positions, but the encoder has 11"),
        (
            encoder,
            BertPreprocess(None, max_length=9),
            "has 21128 tokens, but the encoder has 53",
        ),
        (elsewhere, preprocess, "got ExportedModel"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            export_model(model, folder, "litert", preprocess=given, overwrite=True)
    head = TextClassifier(encoder, ["a", "b"])
    with pytest.raises(ValueError, match="Pass preprocess= to TextClassifier, not to export_model"):
        export_model(head, folder, "litert", preprocess=preprocess, overwrite=True)


def test_it_replaces_what_it_has_written(encoder, folder):
    export_model(encoder, folder, "litert")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        export_model(encoder, folder, "litert")
    export_model(encoder, folder, "savedmodel", overwrite=True)
    assert "model.tflite" not in contents(folder)
    fields = json.loads((folder / "export.json").read_text()) | {"version": "9.0", "colour": 1}
    (folder / "export.json").write_text(json.dumps(fields))
    export_model(encoder, folder, "savedmodel", overwrite=True)
    assert [*folder.parent.iterdir()] == [folder]
    for name, message in (
        ("notes.txt", r"It contains notes.txt, which is not part of an exported model"),
        ("README.md", r"Its README.md was not written by keras_bert_zh"),
        ("export.json", r"export.json is not valid JSON"),
    ):
        (folder / name).write_text("dear")
        before = contents(folder)
        with pytest.raises(ValueError, match=message):
            export_model(encoder, folder, "litert", overwrite=True)
        assert contents(folder) == before
        if name == "notes.txt":
            (folder / name).unlink()
        else:
            (folder / "README.md").write_text("keras_bert_zh wrote it.")


@pytest.mark.parametrize("name", ["tiny_huggingface", "tiny_tf2_hub"])
def test_it_replaces_nothing_else(encoder, folder, name):
    shutil.copytree(DATA / name, folder)
    before = contents(folder)
    with pytest.raises(ValueError, match=r"was not replaced: .*It contains .*, but no export.json"):
        export_model(encoder, folder, "litert", overwrite=True)
    assert contents(folder) == before


def test_a_checkpoint_does_not_replace_it(encoder, tiny, folder):
    export_model(encoder, folder, "litert")
    before = contents(folder)
    with pytest.raises(ValueError, match="It must contain one checkpoint"):
        save_checkpoint(tiny, folder, overwrite=True)
    assert contents(folder) == before


def test_whole_or_not_at_all(encoder, folder, monkeypatch):
    monkeypatch.setattr(litert, "_in_int8", lambda model: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_model(encoder, folder, "litert", dtype="int8")
    assert [*folder.parent.iterdir()] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "gguf"}, r"format must be .*'savedmodel' or 'litert'.*, got 'gguf'"),
        (
            {"format": "litert", "dtype": "bfloat16"},
            "dtype must be 'float32' or 'float16' or 'int8'",
        ),
        (
            {"format": "savedmodel", "dtype": "int8"},
            "dtype must be .* 'float16', got 'int8'",
        ),
        ({"format": "litert", "preprocess": 1}, "preprocess must be a BertPreprocess, got 1"),
    ],
)
def test_arguments(encoder, folder, arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        export_model(encoder, folder, **arguments)
    assert not folder.exists()


def test_texts_of_a_model_of_ids(encoder, folder):
    elsewhere = exported(encoder, folder, "litert")
    with pytest.raises(ValueError, match=r"takes a dict of input_ids.* got list"):
        elsewhere(TEXTS)


def test_a_compiled_model_is_recast_without_its_loss(folder):
    model = keras.Sequential([encoder_of(dtype="mixed_bfloat16"), keras.layers.Dense(2)])
    model.compile(loss=lambda y_true, y_pred: 0.0)
    assert exported(model, folder, "litert")(INPUTS).dtype == "float32"


def test_all_layers_are_recast(folder):
    layers = [encoder_of(), keras.layers.Dense(2, dtype="mixed_bfloat16")]
    model = keras.Sequential(layers)
    expected = model(INPUTS)
    for format in ("onnx", "litert"):
        outputs = exported(model, folder, format, dtype="float32")(INPUTS)
        assert outputs.dtype == "float32"
        assert difference(outputs, expected) < 0.1
    assert read_description(folder).dtype == "float32"
    config = dataclasses.replace(ONE_BLOCK, vocab_size=9000)
    mixed = BertEncoder(None, config=config, dtype="mixed_bfloat16")
    assert exported(mixed, folder, dtype="float32")(INPUTS).dtype == "float32"
    assert all_in([encoder_of()], "float32")
    assert not all_in([mixed], "bfloat16")
    before = size_of(folder)
    outputs = exported(mixed, folder, dtype="bfloat16")(INPUTS)
    assert outputs.dtype == "bfloat16"
    assert size_of(folder) < before - 1.5 * mixed.count_params()


def size_of(folder):
    return (folder / "saved_model.pb").stat().st_size
