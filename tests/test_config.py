import dataclasses
import json

import pytest

from keras_bert_zh import BertConfig

# The file that comes with Google's chinese_L-12_H-768_A-12.
GOOGLE = {
    "attention_probs_dropout_prob": 0.1,
    "directionality": "bidi",
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pooler_fc_size": 768,
    "pooler_num_attention_heads": 12,
    "pooler_num_fc_layers": 3,
    "pooler_size_per_head": 128,
    "pooler_type": "first_token_transform",
    "type_vocab_size": 2,
    "vocab_size": 21128,
}


def test_defaults_are_googles_chinese_bert():
    assert BertConfig.from_dict(GOOGLE, gelu="tanh") == BertConfig()


def test_gelu_must_be_stated():
    assert BertConfig.from_dict(GOOGLE, gelu="erf").hidden_act == "gelu_erf"
    with pytest.raises(ValueError, match='"gelu", which can mean two functions'):
        BertConfig.from_dict(GOOGLE)


@pytest.mark.parametrize(
    "name", ["gelu_accurate", "gelu_fast", "gelu_new", "gelu_pytorch_tanh", "gelu_tanh"]
)
def test_transformers_names_of_tanh_gelu(name):
    assert BertConfig.from_dict(GOOGLE | {"hidden_act": name}).hidden_act == "gelu_tanh"


@pytest.mark.parametrize("gelu", [None, "tanh"])
def test_transformers_name_of_exact_gelu(gelu):
    fields = GOOGLE | {"hidden_act": "gelu_python"}
    assert BertConfig.from_dict(fields, gelu=gelu).hidden_act == "gelu_erf"


def test_json_round_trip():
    config = BertConfig(hidden_size=64, num_attention_heads=4, hidden_act="relu")
    assert BertConfig.from_json(config.to_json()) == config
    others = {"model_type", "task_type_vocab_size", "embedding_size"}
    names = {field.name for field in dataclasses.fields(BertConfig)} - others
    assert set(json.loads(config.to_json())) == names


ERNIE = GOOGLE | {"model_type": "ernie", "type_vocab_size": 4, "layer_norm_eps": 1e-5}


@pytest.mark.parametrize(
    ("fields", "tasks"),
    [
        ({"use_task_id": True, "task_type_vocab_size": 5}, 5),
        ({"use_task_id": True}, 3),
        ({"use_task_id": False, "task_type_vocab_size": 5}, 0),
        ({"task_type_vocab_size": 5}, 0),
        ({}, 0),
    ],
)
def test_task_types_of_ernie(fields, tasks):
    config = BertConfig.from_dict(ERNIE | fields, gelu="erf")
    assert (config.model_type, config.task_type_vocab_size) == ("ernie", tasks)
    assert BertConfig.from_json(config.to_json()) == config
    assert config.to_dict()["use_task_id"] == (tasks > 0)
    with pytest.raises(ValueError, match="use_task_id must be True, False or None, got 'no'"):
        BertConfig.from_dict(ERNIE | {"use_task_id": "no"}, gelu="erf")


@pytest.mark.parametrize(("width", "ours"), [(64, 64), (768, None), (None, 128)])
def test_embeddings_of_electra(width, ours):
    fields = GOOGLE | {"model_type": "electra"} | ({"embedding_size": width} if width else {})
    config = BertConfig.from_dict(fields, gelu="erf")
    assert config.embedding_size == ours
    assert BertConfig.from_json(config.to_json()) == config
    assert config.to_dict()["embedding_size"] == (width or 128)
    assert (
        "embedding_size"
        not in BertConfig.from_dict(GOOGLE | {"embedding_size": 9}, gelu="erf").to_dict()
    )


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BertConfig().hidden_size = 3


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("vocab_size", 0, "vocab_size must be an int of at least 1, got 0"),
        ("num_hidden_layers", -1, "num_hidden_layers must be an int of at least 1, got -1"),
        ("hidden_size", 12.0, "hidden_size must be an int of at least 1, got 12.0"),
        ("type_vocab_size", True, "type_vocab_size must be an int of at least 1, got True"),
        ("num_attention_heads", 7, "must divide hidden_size, got 7 heads and hidden_size=768"),
        ("hidden_dropout_prob", 1.0, r"hidden_dropout_prob must be in \[0, 1\), got 1.0"),
        ("attention_probs_dropout_prob", "0.1", "attention_probs_dropout_prob must be in"),
        ("layer_norm_eps", float("nan"), "layer_norm_eps must be a positive number, got nan"),
        ("initializer_range", 0, "initializer_range must be a positive number, got 0"),
        ("hidden_act", "swish", "'gelu_tanh' or 'gelu_erf' or 'relu', got 'swish'"),
        ("hidden_act", "gelu", "hidden_act must be"),
        ("model_type", "albert", "model_type must be 'bert' or 'ernie' or 'electra', got 'albert'"),
        ("task_type_vocab_size", -1, "task_type_vocab_size must be an int of at least 0, got -1"),
        ("task_type_vocab_size", 3, "works only with model_type='ernie', got model_type='bert'"),
        ("embedding_size", 0, "embedding_size must be an int of at least 1, got 0"),
        (
            "embedding_size",
            64,
            "embedding_size=64 works only with model_type='electra', got model_ty",
        ),
    ],
)
def test_checks_itself(field, value, message):
    with pytest.raises(ValueError, match=message):
        BertConfig(**{field: value})


def test_missing_fields_are_named():
    with pytest.raises(ValueError, match="has no hidden_act, num_hidden_layers; it has"):
        BertConfig.from_dict(
            {k: v for k, v in GOOGLE.items() if k not in ("hidden_act", "num_hidden_layers")}
        )


@pytest.mark.parametrize(
    ("text", "message"), [("{", "not valid JSON"), ("[1]", r"must be a JSON object, got \[1\]")]
)
def test_other_files(text, message):
    with pytest.raises(ValueError, match=message):
        BertConfig.from_json(text)
