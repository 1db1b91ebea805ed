import json
import shutil

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from keras_bert_zh import BertEncoder
from keras_bert_zh.checkpoints import load_checkpoint
from tests.encoder.common import difference

QUERY = "bert.encoder.layer.1.attention.self.query.weight"
POOLER = ("bert.pooler.dense.weight", "bert.pooler.dense.bias")


def test_parity_with_the_original_graph(data, inputs, golden):
    outputs = BertEncoder(data / "tiny_huggingface", padding_free=False)(inputs, as_dict=True)
    for key in outputs:
        assert difference(outputs[key], golden[key]) < 1e-5


def test_what_the_format_has(data, tiny):
    checkpoint = load_checkpoint(data / "tiny_huggingface")
    assert checkpoint.missing == ("lowercase",)
    original = load_checkpoint(data / "tiny_original")
    assert list(checkpoint.weights) == list(original.weights)
    for name, weight in original.weights.items():
        np.testing.assert_array_equal(checkpoint.weights[name], weight, err_msg=name)
    assert checkpoint.vocabulary == tiny.vocabulary


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("gelu", "gelu_erf"),
        ("gelu_fast", "gelu_tanh"),
        ("gelu_new", "gelu_tanh"),
        ("gelu_python", "gelu_erf"),
        ("gelu_pytorch_tanh", "gelu_tanh"),
        ("relu", "relu"),
    ],
)
def test_activations(folder, edit, name, ours):
    edit(hidden_act=name)
    assert load_checkpoint(folder).config.hidden_act == ours


def strip(tensors):
    return {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}


def bare(tensors):
    return strip({name: value for name, value in tensors.items() if name.startswith("bert.")})


def old_names(tensors):
    swapped = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    for new, old in swapped.items():
        tensors = {name.replace(new, old): value for name, value in tensors.items()}
    return tensors


def with_decoder(tensors):
    decoder = {
        "cls.predictions.decoder.weight": tensors["bert.embeddings.word_embeddings.weight"].copy(),
        "cls.predictions.decoder.bias": tensors["cls.predictions.bias"].copy(),
        "bert.embeddings.position_ids": np.arange(64)[None],
    }
    return tensors | decoder


def bare_old_names(tensors):
    return bare(old_names(tensors))


@pytest.mark.parametrize("change", [strip, bare, old_names, with_decoder, bare_old_names])
def test_names_that_files_have(folder, data, raw, save, change):
    save(change(raw))
    checkpoint = load_checkpoint(folder)
    heads = set() if any("cls" in name for name in change(raw)) else {"masked_lm", "next_sentence"}
    assert set(checkpoint.missing) == {"lowercase", *heads}
    original = load_checkpoint(data / "tiny_original")
    for name, weight in checkpoint.weights.items():
        np.testing.assert_array_equal(weight, original.weights[name], err_msg=name)


def test_a_decoder_of_its_own_is_not_this_head(folder, edit, raw, save):
    save(with_decoder(raw))
    edit(tie_word_embeddings=False)
    checkpoint = load_checkpoint(folder)
    assert "masked_lm" in checkpoint.missing
    assert "cls.predictions.decoder.weight" in checkpoint.leftovers


def test_a_model_around_bert(folder, raw, save):
    save(raw | {"classifier.weight": np.zeros((3, 32)), "crf.transitions": np.zeros((3, 3))})
    with pytest.warns(UserWarning, match="the head of BertForPreTraining is not read"):
        leftovers = load_checkpoint(folder).leftovers
    assert set(leftovers) == {"classifier.weight", "crf.transitions"}


@pytest.mark.parametrize("shards", [1, 3])
def test_shards(folder, raw, inputs, golden, shards):
    (folder / "model.safetensors").unlink()
    files = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(raw.items())[shard::shards])
        save_file(part, folder / file)
        files |= dict.fromkeys(part, file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": files}))
    outputs = BertEncoder(folder)(inputs, as_dict=True)
    assert difference(outputs["pooled_output"], golden["pooled_output"]) < 1e-5

    (folder / file).unlink()
    with pytest.raises(ValueError, match=f"index.json names '{file}', which is not a file"):
        load_checkpoint(folder)


@pytest.mark.parametrize("file", ["../model.safetensors", "/etc/passwd", "a/../model.safetensors"])
def test_shards_outside_the_folder_are_refused(folder, file):
    shutil.move(folder / "model.safetensors", folder.parent)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {QUERY: file}}))
    with pytest.raises(ValueError, match=f"names '{file}', which is not a file in"):
        load_checkpoint(folder)


@pytest.mark.parametrize("content", [{}, {"weight_map": {}}, {"weight_map": ["a"]}])
def test_an_index_without_files(folder, content):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))
    with pytest.raises(
        ValueError, match=r"index.json has no weight_map from tensor names to files"
    ):
        load_checkpoint(folder)


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float64"])
def test_any_float_is_read(folder, raw, save, dtype):
    save({name: tensor.astype(dtype) for name, tensor in raw.items()})
    checkpoint = load_checkpoint(folder)
    kernel = checkpoint.weights["blocks.1.attention.query.kernel"]
    np.testing.assert_array_equal(kernel, raw[QUERY].astype(dtype).T)
    variable = BertEncoder(checkpoint).blocks[1].attention.query.kernel
    assert variable.dtype == "float32"
    np.testing.assert_array_equal(variable, kernel.astype("float32"))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({QUERY: None}, f"missing: {QUERY}"),
        ({"bert.odd": np.zeros(3, "float32")}, "unexpected: bert.odd"),
        (
            {QUERY: np.zeros((32, 31), "float32")},
            f"misshapen: {QUERY} is [32, 31], expected [32, 32]",
        ),
        ({QUERY: np.zeros((32, 32), "int64")}, f"{QUERY} is I64"),
        ({POOLER[0]: None}, f"missing: {POOLER[0]}"),
        ({"cls.seq_relationship.bias": None}, "missing: cls.seq_relationship.bias"),
    ],
)
def test_tensors_that_do_not_fit(folder, raw, save, change, line):
    save({name: tensor for name, tensor in (raw | change).items() if tensor is not None})
    with pytest.raises(ValueError, match=r"does not contain the BERT that config.json") as caught:
        load_checkpoint(folder)
    assert str(folder / "model.safetensors") in str(caught.value)
    assert line in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite(folder, raw, save, value):
    raw[QUERY][3, 5] = value
    save(raw)
    with pytest.raises(ValueError, match=f"{folder}.*{QUERY} has NaN or infinite values"):
        load_checkpoint(folder)
    with pytest.raises(ValueError, match="NaN or infinite values"):
        BertEncoder(folder)


def test_no_pooler(folder, raw, save, inputs, golden):
    save({name: tensor for name, tensor in raw.items() if name not in POOLER})
    checkpoint = load_checkpoint(folder)
    assert checkpoint.missing == ("lowercase", "pooler")
    with pytest.warns(
        UserWarning, match="no weights for the pooler. Its weights are random: train"
    ):
        encoder = BertEncoder(checkpoint, padding_free=False)
    outputs = encoder(inputs, as_dict=True)
    assert difference(outputs["sequence_output"], golden["sequence_output"]) < 1e-5
    assert difference(outputs["pooled_output"], golden["pooled_output"]) > 1e-3
    assert 0.01 < np.std(encoder.pooler.dense.kernel) < 0.03
    assert not np.any(encoder.pooler.dense.bias)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_type", "roberta"),
        ("position_embedding_type", "relative_key"),
        ("is_decoder", True),
        ("add_cross_attention", True),
    ],
)
def test_other_models(folder, edit, field, value):
    edit(**{field: value})
    with pytest.raises(ValueError, match=rf"config.json: {field} must be .*, got {value!r}: this"):
        load_checkpoint(folder)


def test_an_unknown_activation(folder, edit):
    edit(hidden_act="silu")
    with pytest.raises(ValueError, match=r"config.json: hidden_act must be .*, got 'silu'"):
        load_checkpoint(folder)


def test_a_configuration_with_a_byte_order_mark(folder):
    path = folder / "config.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_checkpoint(folder).config.hidden_size == 32
