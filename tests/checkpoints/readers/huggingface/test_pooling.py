"""What folders of sentence-transformers say of pooling."""

import json
import warnings

import pytest

from keras_bert_zh import BertEncoder, load_checkpoint
from keras_bert_zh.checkpoints.pooling import Pooling
from tests.sentence_transformers import copy_of, edit

PROMPTS = {"document": "", "query": ""}
EXPECTED = {
    "cls": Pooling("cls", 12, normalize=True, prompts=PROMPTS),
    "mean": Pooling("mean", 12, prompts=PROMPTS),
    "cls_old": Pooling("cls", 12, normalize=True, lowercase=True),
}


@pytest.fixture
def folder(tmp_path):
    return copy_of("cls_old", tmp_path / "model")


@pytest.mark.parametrize("kind", EXPECTED)
def test_what_is_read(tmp_path, kind):
    with warnings.catch_warnings(action="error"):
        checkpoint = load_checkpoint(copy_of(kind, tmp_path / "model"))
    assert checkpoint.pooling == EXPECTED[kind]
    assert checkpoint.pooling.unsupported == ()
    assert checkpoint.lowercase is True


def test_other_formats_say_nothing(tiny, data):
    assert tiny.pooling is None
    assert load_checkpoint(data / "tiny_huggingface").pooling is None


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": False}, "max"),
        ({"pooling_mode": "max", "pooling_mode_cls_token": True}, "max"),
        ({"pooling_mode": ["mean"]}, "mean"),
        # Version 6 takes the mean where no flag is set, too.
        ({"pooling_mode_mean_tokens": False}, "mean"),
        ({}, "mean"),
    ],
)
def test_ways_to_say_the_mode(folder, fields, mode):
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(fields))
    assert load_checkpoint(folder).pooling.mode == mode


@pytest.mark.parametrize(
    ("said", "of_the_tokeniser", "length"),
    [(13, 12, 13), (None, 12, 12), (None, 10**30, 64), (512, 12, 64), (None, None, 64)],
)
def test_length(folder, said, of_the_tokeniser, length):
    """At most as many tokens as there are positions."""
    edit(folder / "sentence_bert_config.json", max_seq_length=said)
    if of_the_tokeniser is None:
        (folder / "tokenizer_config.json").unlink()
    else:
        edit(folder / "tokenizer_config.json", model_max_length=of_the_tokeniser)
    assert load_checkpoint(folder).pooling.max_length == length


def test_prompts(folder):
    prompts = {"query": "为这个句子生成表示：", "passage": ""}
    path = folder / "config_sentence_transformers.json"
    edit(path, prompts=prompts, default_prompt_name="query")
    edit(folder / "1_Pooling" / "config.json", include_prompt=False)
    pooling = load_checkpoint(folder).pooling
    assert (pooling.prompts, pooling.default_prompt) == (prompts, "query")
    assert pooling.include_prompt is False


DENSE = {"path": "3_Dense", "type": "sentence_transformers.models.Dense"}
CNN = {"path": "", "type": "sentence_transformers.models.CNN"}


def mode(**flags):
    return lambda folder: edit(folder / "1_Pooling" / "config.json", **flags)


def modules(change):
    def edit_modules(folder):
        path = folder / "modules.json"
        path.write_text(json.dumps(change(json.loads(path.read_text()))))

    return edit_modules


def of_tokens(folder):
    edit(folder / "2_Normalize" / "config.json", module_input_name="token_embeddings")


UNSUPPORTED = {
    "weighted": (mode(pooling_mode="weightedmean"), "pooling by 'weightedmean'"),
    "several": (mode(pooling_mode_mean_tokens=True), "pooling by 'cls+mean'"),
    "sqrt": (
        mode(pooling_mode_cls_token=False, pooling_mode_mean_sqrt_len_tokens=True),
        "pooling by 'mean_sqrt_len'",
    ),
    "dense": (modules(lambda found: [*found, DENSE]), "Dense in 3_Dense"),
    "before": (
        modules(lambda found: [found[0], CNN, *found[1:]]),
        "CNN in model, Pooling in 1_Pooling, Normalize in 2_Normalize",
    ),
    "of_tokens": (of_tokens, "Normalize in 2_Normalize"),
    "task": (
        lambda folder: edit(folder / "sentence_bert_config.json", transformer_task="fill-mask"),
        "transformer_task='fill-mask'",
    ),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_what_is_not_computed_is_told_of(folder, kind):
    change, said = UNSUPPORTED[kind]
    change(folder)
    with pytest.warns(UserWarning, match="steps that this package does not support") as caught:
        pooling = load_checkpoint(folder).pooling
    assert ", ".join(pooling.unsupported) == said
    assert f": {said}. You can use its BERT in BertEncoder, but" in str(caught[0].message)


def test_there_is_still_an_encoder(folder):
    edit(folder / "1_Pooling" / "config.json", pooling_mode="lasttoken")
    with pytest.warns(UserWarning, match="pooling by 'lasttoken'"):
        assert BertEncoder(folder).config.hidden_size == 32


def one_module(**fields):
    return modules(lambda found: [found[0], found[1] | fields])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "modules.json").write_text("{}"), "modules.json must contain a JSON array"),
        (lambda f: (f / "modules.json").write_text("[1"), "modules.json is not valid JSON"),
        (modules(lambda found: [3]), "must give a type and a path for each module, got 3"),
        (one_module(type=None), "must give a type and a path for each module, got {"),
        (one_module(path="../1_Pooling"), "names '../1_Pooling', which is not a folder in"),
        (one_module(path=".."), r"names '\.\.', which is not a folder in"),
        (one_module(path="4_Pooling"), r"4_Pooling/config.json is not a file"),
        (mode(include_prompt=1), "include_prompt must be true or false, got 1"),
        (
            lambda f: edit(f / "sentence_bert_config.json", max_seq_length="12"),
            "max_seq_length or model_max_length must be an int of at least 3, got '12'",
        ),
        (
            lambda f: edit(f / "config_sentence_transformers.json", prompts=["a"]),
            r"prompts must map names to strings, got \['a'\]",
        ),
        (
            lambda f: edit(f / "config_sentence_transformers.json", default_prompt_name="query"),
            "default_prompt_name must be one of .*, got 'query'",
        ),
    ],
)
def test_damage(folder, change, message):
    change(folder)
    with pytest.raises(ValueError, match=message):
        load_checkpoint(folder)
