import stat

import numpy as np
import pytest
from safetensors.numpy import load_file

from keras_bert_zh import BertEncoder, MaskedLM, load_checkpoint
from recipes.small import preset
from tests.recipes.small.fake_e5 import VOCABULARY

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(pupil, preprocess, tmp_path):
    preset.write(pupil, preprocess, tmp_path / "small")
    preset.write(pupil, preprocess, tmp_path / "small")
    return tmp_path / "small"


def test_weights_are_float16(folder):
    arrays = load_file(folder / "model.safetensors")
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
    modes = {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert len(modes) == 1
    assert len(list(folder.iterdir())) == 4


def test_they_are_read(folder, pupil):
    checkpoint = load_checkpoint(folder)
    assert checkpoint.missing == ("next_sentence",)
    assert list(checkpoint.vocabulary) == VOCABULARY
    assert checkpoint.lowercase is True
    assert checkpoint.config.hidden_dropout_prob == 0
    assert checkpoint.config.attention_probs_dropout_prob == 0
    model = MaskedLM(BertEncoder(checkpoint), checkpoint)
    read, written = model.named_variables(), pupil.named_variables()
    assert set(read) == set(written)
    for name, variable in written.items():
        expected = np.array(variable).astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(np.array(read[name]), expected)
