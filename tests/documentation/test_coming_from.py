"""What the page says to those who come from other packages: old lines, new lines."""

import hashlib
import re
import shutil

import numpy as np
import pytest

from keras_bert_zh import (
    BertConfig,
    BertEncoder,
    BertPreprocess,
    MaskedLM,
    SentenceEncoder,
    TokenTagger,
    save_checkpoint,
)
from keras_bert_zh.checkpoints.pooling import Pooling
from keras_bert_zh.checkpoints.sources.tfhub_url import MODULE
from tests.pages import ROOT, python_blocks

PAGE = "docs/coming_from.md"
# What both lines of a row assign is compared.
COMPARED = ("logits", "pair", "pooled", "scores", "states", "token_ids", "vectors")
# The checkpoint of each table, as old lines and as new lines name it.
NAMES = {
    "hub.Module, in TensorFlow 1": {},
    "hub.KerasLayer and hub.load, in TensorFlow 2": {"URL": "hub"},
    "bert4keras": {
        "folder": "original",
        "config": "original/bert_config.json",
        "ckpt": "original/bert_model.ckpt",
        "vocab": "original/vocab.txt",
    },
    "Keras Hub": {"PRESET": "keras_hub", "SOURCE": "keras_hub"},
    "Transformers": {"NAME": "huggingface", "SOURCE": "huggingface", "TAGGER": "tagger"},
    "Sentence Transformers": {"NAME": "sentences", "SOURCE": "sentences"},
}


def _tables():
    """Returns the rows of each table, old line and new line, by the heading before it."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"^##+ ", text, flags=re.MULTILINE)[1:]:
        rows = re.findall(r"^\| [^|`]+ \| `([^|]+)` \| `([^|]+)` \|$", part, re.MULTILINE)
        assert len(rows) == max(0, part.count("\n| ") - 1), "A row has no lines in backquotes."
        if rows:
            found[part.partition("\n")[0]] = rows
    return found


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """A folder of folders: one small BERT with weights at random, in every format."""
    place = tmp_path_factory.mktemp("checkpoints")
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=512,
        initializer_range=0.3,
    )
    encoder, preprocess = BertEncoder(None, config=config), BertPreprocess(None)
    model = MaskedLM(encoder)
    with pytest.warns(UserWarning, match="BertMaskedLM uses the exact GELU"):
        save_checkpoint(model, place / "keras_hub", "keras_hub", preprocess=preprocess)
    for format in ("hub", "huggingface", "original"):
        save_checkpoint(model, place / format, format, preprocess=preprocess)
    pooling = Pooling("cls", 64, True, prompts={"query": "为这个句子生成表示："})
    sentences = SentenceEncoder(encoder, pooling, preprocess=preprocess)
    save_checkpoint(sentences, place / "sentences")
    tagger = TokenTagger(encoder, ["O", "B-LOC", "I-LOC"], preprocess=preprocess)
    save_checkpoint(tagger, place / "tagger")
    shutil.copytree(place / "hub", place / "cache" / hashlib.sha1(MODULE.encode()).hexdigest())
    return place


# What old code begins with, where it runs beside Keras 3, and the package that it needs.
OLD = {
    "hub.KerasLayer and hub.load, in TensorFlow 2": (
        "tensorflow_hub",
        """
import tensorflow_hub as hub
from keras_bert_zh import BertPreprocess
tokenized = BertPreprocess(None, max_length=16)
""",
    ),
    "Keras Hub": (
        "keras_hub",
        """
from keras_hub.models import BertBackbone, BertMaskedLM, BertTextClassifier, BertTextEmbedder
from keras_hub.models import BertTextClassifierPreprocessor
""",
    ),
    "Transformers": (
        "transformers",
        """
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification
from transformers import AutoTokenizer, pipeline
import torch
options = dict(padding="max_length", max_length=16, truncation=True, return_tensors="pt")
""",
    ),
    "Sentence Transformers": (
        "sentence_transformers",
        """
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import CoSENTLoss
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
""",
    ),
}
# The other packages take long to import, and to run.
SLOW = ("Keras Hub", "Transformers", "hub.KerasLayer and hub.load, in TensorFlow 2")
TABLES = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in NAMES]
NOT_RUN = ("ORTModel", "Trainer")  # They need more packages, and data.


@pytest.mark.no_cover
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.usefixtures("eagerly")
def test_new_lines_return_what_old_lines_do(table, checkpoints, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(checkpoints / "cache"))
    new = {name: str(checkpoints / path) for name, path in NAMES[table].items()}
    exec(python_blocks(PAGE)[0], new)
    old = {**new}
    if table in OLD:
        module, lines = OLD[table]
        pytest.importorskip(module)
        exec(lines, old)
    for old_line, new_line in _tables()[table]:
        exec(new_line, new)
        if table not in OLD or old_line.startswith(NOT_RUN):
            continue
        exec(old_line, old)
        for name in COMPARED:
            if f"{name} = " in old_line and f"{name} = " in new_line:
                _compare(old[name], new[name], new.get("ids"))


def _compare(old, new, ids):
    """Compares outputs, those of tokens where there are any: here padding is zeros."""
    old = np.asarray(old.detach() if hasattr(old, "detach") else old)
    new = np.asarray(new)
    assert old.shape == new.shape
    if old.ndim == 3:
        mask = np.asarray(ids["input_mask"], bool)
        old, new = old[mask], new[mask]
    np.testing.assert_allclose(new, old, atol=1e-5, rtol=1e-5)
