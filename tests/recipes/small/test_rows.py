import numpy as np
import pytest

from keras_bert_zh import MaskTokens
from recipes.small.rows import mask_some, rows
from tests.recipes.small.fake_e5 import ids

pytestmark = pytest.mark.slow


def test_rows():
    made = rows([ids("今", "天"), ids("好")], {"[PAD]": 0, "[CLS]": 101, "[SEP]": 102})
    today, day, good = ids("今", "天", "好").tolist()
    assert made["input_ids"].tolist() == [[101, today, day, 102], [101, good, 102, 0]]
    assert made["input_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert made["segment_ids"].tolist() == [[0] * 4, [0] * 4]


def test_some_rows_are_masked(preprocess):
    inputs = rows([ids("今", "天", "很", "好")] * 400, preprocess.special_ids)
    mask = MaskTokens(preprocess, rate=0.5, max_predictions=2)
    masked, labels, weights = mask_some(mask, inputs, 3, 0.25)
    all_masked, all_labels, all_weights = mask(inputs, 3)
    chosen = weights.numpy().any(axis=1)
    assert 60 < chosen.sum() < 140
    np.testing.assert_array_equal(weights[chosen], all_weights[chosen])
    np.testing.assert_array_equal(labels, all_labels)
    got = masked["input_ids"].numpy()
    np.testing.assert_array_equal(got[chosen], all_masked["input_ids"][chosen])
    np.testing.assert_array_equal(got[~chosen], inputs["input_ids"][~chosen])


def test_which_rows_are_masked_depends_on_the_step(preprocess):
    inputs = rows([ids("今", "天")] * 40, preprocess.special_ids)
    mask = MaskTokens(preprocess)
    one, again, other = (mask_some(mask, inputs, step, 0.5)[2].numpy() for step in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
