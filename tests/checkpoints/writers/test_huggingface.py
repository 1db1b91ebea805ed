import json

import numpy as np
import pytest

from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess, load_checkpoint, save_checkpoint
from tests.checkpoints.writers.variants import assert_same, variant
from tests.encoder.common import difference
from tests.folders import contents

safetensors = pytest.importorskip("safetensors", reason="the format needs safetensors")

HEADS = {
    "BertModel": ("pooler",),
    "BertForMaskedLM": ("masked_lm",),
    "BertForNextSentencePrediction": ("pooler", "next_sentence"),
    "BertForPreTraining": ("pooler", "masked_lm", "next_sentence"),
}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


@pytest.fixture(scope="module")
def full(data):
    """A checkpoint with every head."""
    return load_checkpoint(data / "tiny_original")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("heads", [*HEADS.values(), (), ("pooler", "masked_lm")])
@pytest.mark.parametrize("lowercase", [True, False])
def test_what_is_read_back_is_what_was_written(full, folder, heads, lowercase):
    checkpoint = variant(
        full,
        heads=heads,
        lowercase=lowercase,
        hidden_act="gelu_erf",
        layer_norm_eps=1e-7,
        hidden_dropout_prob=0.3,
        initializer_range=0.1 + 0.2,
    )
    assert_same(load_checkpoint(save_checkpoint(checkpoint, folder)), checkpoint)


@pytest.mark.parametrize(("architecture", "heads"), HEADS.items())
def test_the_weights_have_the_names_of_the_architecture(full, folder, data, architecture, heads):
    save_checkpoint(variant(full, heads=heads), folder)
    with (
        safetensors.safe_open(folder / "model.safetensors", "numpy") as ours,
        safetensors.safe_open(data / "tiny_huggingface" / "model.safetensors", "numpy") as theirs,
    ):
        assert ours.metadata() == {"format": "pt"}
        prefix = "bert." if architecture == "BertModel" else ""
        found = {f"{prefix}{name}": ours.get_tensor(name) for name in ours.keys()}  # noqa: SIM118
        parts = {"pooler": "bert.pooler.", "masked_lm": "cls.pred", "next_sentence": "cls.seq"}
        lacking = tuple(part for head, part in parts.items() if head not in heads)
        wanted = [name for name in theirs.keys() if not name.startswith(lacking)]  # noqa: SIM118
        assert sorted(found) == sorted(wanted)
        for name in wanted:
            np.testing.assert_array_equal(found[name], theirs.get_tensor(name), err_msg=name)
    assert read_json(folder / "config.json")["architectures"] == [architecture]


@pytest.mark.parametrize(
    ("activation", "written"),
    [("gelu_tanh", "gelu_new"), ("gelu_erf", "gelu"), ("relu", "relu")],
)
def test_the_configuration(full, folder, activation, written):
    save_checkpoint(variant(full, hidden_act=activation, layer_norm_eps=1e-5), folder)
    assert read_json(folder / "config.json") == {
        "architectures": ["BertForPreTraining"],
        "attention_probs_dropout_prob": 0.1,
        "dtype": "float32",
        "hidden_act": written,
        "hidden_dropout_prob": 0.1,
        "hidden_size": 32,
        "initializer_range": 0.02,
        "intermediate_size": 128,
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": 64,
        "model_type": "bert",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "pad_token_id": 0,
        "type_vocab_size": 2,
        "vocab_size": 718,
    }


def test_the_tokenizer(full, folder):
    save_checkpoint(variant(full, lowercase=False), folder)
    assert read_json(folder / "tokenizer_config.json") == {
        "cls_token": "[CLS]",
        "do_lower_case": False,
        "mask_token": "[MASK]",
        "model_max_length": 64,
        "pad_token": "[PAD]",
        "sep_token": "[SEP]",
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "tokenizer_class": "BertTokenizer",
        "unk_token": "[UNK]",
    }
    expected = "".join(f"{token}\n" for token in full.vocabulary)
    assert (folder / "vocab.txt").read_bytes() == expected.encode()


def test_a_vocabulary_in_another_order(full, folder):
    tokens = [*full.vocabulary[:103], "x", *full.vocabulary[104:]]
    tokens[0], tokens[717] = tokens[717], tokens[0]
    save_checkpoint(variant(full, vocabulary=tuple(tokens)), folder)
    assert read_json(folder / "config.json")["pad_token_id"] == 717
    assert read_json(folder / "tokenizer_config.json")["mask_token"] is None
    assert load_checkpoint(folder).vocabulary == tuple(tokens)


@pytest.mark.parametrize(("first", "lowercase"), [("a", True), ("A", False)])
def test_case_is_told_from_the_vocabulary_where_nothing_else_tells(full, folder, first, lowercase):
    tokens = (*full.vocabulary[:-1], first)
    checkpoint = variant(full, vocabulary=tokens, lowercase=None)
    save_checkpoint(checkpoint, folder)
    assert load_checkpoint(folder).lowercase is lowercase
    assert BertPreprocess(checkpoint).lowercase is lowercase


def test_no_vocabulary(full, folder):
    checkpoint = variant(full, vocabulary=None, lowercase=None)
    with pytest.warns(UserWarning, match="was written without a vocabulary"):
        save_checkpoint(checkpoint, folder)
    assert list(contents(folder)) == ["README.md", "config.json", "model.safetensors"]
    assert_same(load_checkpoint(folder), checkpoint)


def test_lines_that_look_odd_are_read_back(full, folder):
    tokens = (*full.vocabulary[:-4], "a\u2028b", "", "##\u0301", "")
    save_checkpoint(variant(full, vocabulary=tokens), folder)
    assert load_checkpoint(folder).vocabulary == tokens


@pytest.mark.parametrize("token", ["a\nb", "\u2028", " a", "a\t", "\n"])
def test_tokens_that_are_no_line(full, folder, token):
    tokens = (*full.vocabulary[:-1], token)
    with pytest.raises(ValueError, match="which has one token per line: a token can't") as caught:
        save_checkpoint(variant(full, vocabulary=tokens), folder)
    assert f"Token 717 of the vocabulary, {token!r}, can't be written" in str(caught.value)
    assert list(folder.parent.iterdir()) == []


def test_a_first_token_with_a_byte_order_mark(full, folder):
    tokens = ("\ufeffa", *full.vocabulary[1:-1], "[PAD]")
    with pytest.raises(
        ValueError, match=r"Token 0 of the vocabulary, .* or begin the file with a byte order mark"
    ):
        save_checkpoint(variant(full, vocabulary=tokens), folder)


def test_a_vocabulary_that_would_not_be_read(full, folder):
    tokens = tuple(token.replace("[PAD]", "pad") for token in full.vocabulary)
    with pytest.raises(ValueError, match=r"must contain the special tokens .* \[PAD\] missing"):
        save_checkpoint(variant(full, vocabulary=tokens), folder)


def test_rows_without_a_token(full, folder):
    name = "embeddings.word.embeddings"
    checkpoint = variant(
        full,
        heads=(),
        vocabulary=full.vocabulary[:700],
        lowercase=True,
        weights={name: full.weights[name][:704]},
        vocab_size=704,
    )
    assert_same(load_checkpoint(save_checkpoint(checkpoint, folder)), checkpoint)


def loaded(transformers, name, folder):
    model, report = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    assert {key: value for key, value in report.items() if value} == {}
    return model.eval()


def computed(model, arrays):
    import torch

    with torch.no_grad():
        outputs = model(
            input_ids=torch.tensor(arrays["input_ids"]).long(),
            attention_mask=torch.tensor(arrays["input_mask"]).long(),
            token_type_ids=torch.tensor(arrays["segment_ids"]).long(),
        )
    return {name: value.numpy() for name, value in outputs.items()}


def test_transformers_computes_the_same(transformers, full, folder, golden):
    save_checkpoint(variant(full, heads=("pooler",)), folder)
    outputs = computed(loaded(transformers, "BertModel", folder), golden)
    assert difference(outputs["pooler_output"], golden["pooled_output"]) < 1e-5
    assert difference(outputs["last_hidden_state"], golden["sequence_output"]) < 1e-5


def test_transformers_computes_the_exact_gelu(transformers, full, folder, inputs, golden):
    checkpoint = variant(full, heads=("pooler",), hidden_act="gelu_erf", layer_norm_eps=1e-3)
    save_checkpoint(checkpoint, folder)
    outputs = computed(loaded(transformers, "BertModel", folder), inputs)
    ours = BertEncoder(checkpoint, padding_free=False)(inputs, as_dict=True)
    assert difference(outputs["pooler_output"], ours["pooled_output"]) < 1e-5
    assert difference(outputs["last_hidden_state"], ours["sequence_output"]) < 1e-5
    assert difference(outputs["last_hidden_state"], golden["sequence_output"]) > 1e-4


def test_transformers_has_the_heads(transformers, full, folder, golden):
    save_checkpoint(full, folder)
    outputs = computed(loaded(transformers, "BertForPreTraining", folder), golden)
    logits = np.take_along_axis(
        outputs["prediction_logits"], golden["mlm_positions"][..., None], axis=1
    )
    assert difference(logits.reshape(golden["mlm_logits"].shape), golden["mlm_logits"]) < 1e-4
    follows = golden["pooled_output"] @ full.weights["next_sentence.kernel"]
    follows += full.weights["next_sentence.bias"]
    assert difference(outputs["seq_relationship_logits"], follows) < 1e-4


@pytest.mark.parametrize(("architecture", "heads"), HEADS.items())
def test_transformers_misses_nothing(transformers, full, folder, architecture, heads):
    save_checkpoint(variant(full, heads=heads), folder)
    loaded(transformers, architecture, folder)


@pytest.mark.parametrize("name", ["BertTokenizer", "AutoTokenizer"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_transformers_tokenises_the_same(transformers, folder, name, lowercase):
    preprocess = BertPreprocess(None, lowercase=lowercase, max_length=32)
    config = BertConfig(
        hidden_size=4, num_hidden_layers=1, num_attention_heads=1, max_position_embeddings=32
    )
    save_checkpoint(BertEncoder(None, config=config), folder, preprocess=preprocess)
    tokenizer = getattr(transformers, name).from_pretrained(folder)
    texts = ["今天天气很好", "Keras 3，unaffable é\u2028x", "我们去公园吧！" * 9]
    ours = preprocess(texts)
    theirs = tokenizer(texts, padding="max_length", truncation=True)
    np.testing.assert_array_equal(ours["input_ids"], theirs["input_ids"])
    np.testing.assert_array_equal(ours["input_mask"], theirs["attention_mask"])
    np.testing.assert_array_equal(ours["segment_ids"], theirs["token_type_ids"])
    assert len(tokenizer) == 21128
