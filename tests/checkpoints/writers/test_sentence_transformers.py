"""What is written of pooling, here and by sentence-transformers itself."""

import dataclasses
import json
import warnings

import numpy as np
import pytest

from keras_bert_zh import BertEncoder, SentenceEncoder, load_checkpoint, save_checkpoint
from keras_bert_zh.__main__ import main
from keras_bert_zh.checkpoints.pooling import Pooling
from tests.encoder.common import difference
from tests.folders import contents
from tests.sentence_transformers import KINDS, TEXTS, TRUE, copy_of

POOLINGS = {
    "plain": Pooling("mean", max_length=20),
    "all": Pooling(
        "max",
        max_length=12,
        normalize=True,
        prompts={"query": "为这个句子生成表示：", "passage": ""},
        default_prompt="query",
        include_prompt=False,
        lowercase=True,
    ),
    # Version 6 takes the first token behind the prompt; earlier ones, [CLS].
    "behind": Pooling(
        "cls", max_length=12, prompts={"a": "中国："}, default_prompt="a", include_prompt=False
    ),
    "pooler": Pooling("pooled_output", max_length=12),
    "pooler_scaled": Pooling("pooled_output", max_length=12, normalize=True),
}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "model"


def with_pooling(checkpoint, pooling):
    return dataclasses.replace(checkpoint, pooling=pooling)


@pytest.mark.parametrize("name", POOLINGS)
def test_what_is_read_back_is_what_was_written(tiny, folder, name):
    pooling = POOLINGS[name]
    with warnings.catch_warnings(action="error"):
        save_checkpoint(with_pooling(tiny, pooling), folder)
        again = load_checkpoint(folder)
    assert again.pooling == pooling
    assert list(again.weights) == list(tiny.weights)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_goes_out_as_it_came_in(tmp_path, folder, kind):
    """By way of a model, of a checkpoint, and over what is there."""
    checkpoint = load_checkpoint(copy_of(kind, tmp_path / "source"))
    save_checkpoint(SentenceEncoder(checkpoint), folder)
    again = load_checkpoint(folder)
    assert again.pooling == checkpoint.pooling
    assert (again.vocabulary, again.lowercase) == (checkpoint.vocabulary, True)
    assert difference(SentenceEncoder(again)(TEXTS), TRUE[kind]) < 1e-5
    save_checkpoint(checkpoint, folder, overwrite=True)
    assert load_checkpoint(folder).pooling == checkpoint.pooling


def test_the_files_are_in_the_form_of_version_2(tiny, folder):
    """Whose classes take no other arguments, and which later versions still read."""
    save_checkpoint(with_pooling(tiny, POOLINGS["plain"]), folder)
    found = {
        name: json.loads(content)
        for name, content in contents(folder).items()
        if name in ("modules.json", "sentence_bert_config.json") or name.startswith("1_Pooling/")
    }
    assert found == {
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {
                "idx": 1,
                "name": "1",
                "path": "1_Pooling",
                "type": "sentence_transformers.models.Pooling",
            },
        ],
        "sentence_bert_config.json": {"max_seq_length": 20, "do_lower_case": False},
        "1_Pooling/config.json": {
            "word_embedding_dimension": 32,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    }


def test_a_prompt_that_was_asked_for_is_the_default_of_the_folder(tiny, folder):
    pooling = dataclasses.replace(POOLINGS["all"], default_prompt=None, include_prompt=True)
    model = SentenceEncoder(with_pooling(tiny, pooling), prompt="query")
    save_checkpoint(model, folder)
    assert load_checkpoint(folder).pooling.default_prompt == "query"
    assert difference(SentenceEncoder(folder)(TEXTS), model(TEXTS)) == 0


def test_without_a_preprocess_there_is_no_vocabulary(tiny, folder):
    with pytest.warns(UserWarning, match="without a vocabulary, because the SentenceEncoder has"):
        save_checkpoint(SentenceEncoder(BertEncoder(tiny), "cls"), folder)
    assert load_checkpoint(folder).pooling == Pooling("cls", max_length=64)


def test_other_formats_lose_it_and_say_so(tiny, folder):
    message = r"does not store how texts become vectors \(mean, at most 20 tokens\)\. Only form"
    with pytest.warns(UserWarning, match=message):
        save_checkpoint(with_pooling(tiny, POOLINGS["plain"]), folder, "original")
    assert load_checkpoint(folder).pooling is None


@pytest.mark.filterwarnings("default::UserWarning:keras_bert_zh")
@pytest.mark.parametrize("format", ["huggingface", "original"])
def test_what_is_not_computed_is_not_written_and_told_of_once(tmp_path, folder, capsys, format):
    source = copy_of("mean", tmp_path / "source")
    path = source / "1_Pooling" / "config.json"
    path.write_text(json.dumps({"pooling_mode": "weightedmean"}))
    assert main(["convert", str(source), str(folder), "--format", format]) == 0
    printed = capsys.readouterr().err
    assert printed.count("keras-bert-zh: warning: ") == 1
    assert "with steps that this package does not support: pooling by 'weightedmean'" in printed
    assert not (folder / "modules.json").exists()


def test_a_dense_layer_that_is_not_the_pooler(tiny, folder):
    save_checkpoint(with_pooling(tiny, POOLINGS["pooler"]), folder)
    file = folder / "2_Dense" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.warns(UserWarning, match="does not support: Dense in 2_Dense"):
        assert load_checkpoint(folder).pooling.mode == "cls"
    file.unlink()
    with pytest.warns(UserWarning, match="does not support: Dense in 2_Dense"):
        load_checkpoint(folder)


def test_weights_of_the_pooler_that_are_not_finite(tiny, folder):
    weights = dict(tiny.weights) | {"pooler.dense.bias": np.full(32, np.nan)}
    broken = dataclasses.replace(tiny, weights=weights, pooling=POOLINGS["pooler"])
    with pytest.raises(ValueError, match=r"pooler\.dense\.bias has NaN or infinite values"):
        save_checkpoint(broken, folder)
    assert not folder.exists()


@pytest.mark.parametrize("name", POOLINGS)
def test_sentence_transformers_makes_the_same_vectors(tiny, folder, name):
    pytest.importorskip("torch", reason="sentence-transformers runs on PyTorch")
    library = pytest.importorskip(
        "sentence_transformers", reason="what is written is for sentence-transformers"
    )
    model = SentenceEncoder(with_pooling(tiny, POOLINGS[name]))
    save_checkpoint(model, folder)
    theirs = library.SentenceTransformer(str(folder), device="cpu")
    assert theirs.max_seq_length == POOLINGS[name].max_length
    print(name, difference(model(TEXTS), theirs.encode(TEXTS)))
    assert difference(model(TEXTS), theirs.encode(TEXTS)) < 1e-5
