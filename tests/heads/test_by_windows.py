"""Models of texts that read long ones by windows."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import (
    BertEncoder,
    BertPreprocess,
    SentenceEncoder,
    TextClassifier,
    TruncationWarning,
    join_mean,
)
from keras_bert_zh.checkpoints.pooling import Pooling
from tests.encoder.common import difference
from tests.export.models import exported

TEXTS = ["a b c d a b c d a b c a b", "", "d c", "a b c d d c b"]


@pytest.fixture(scope="module")
def encoder(tiny_block):
    return BertEncoder(tiny_block, dropout=0.0)


def make(encoder, tiny_block, cls, stride):
    options = {"preprocess": BertPreprocess(tiny_block, max_length=7), "stride": stride}
    if cls is TextClassifier:
        return cls(encoder, ["a", "b"], dropout=0.0, **options)
    return cls(encoder, "mean", normalize=True, **options)


@pytest.mark.parametrize("cls", [TextClassifier, SentenceEncoder])
def test_the_mean_over_windows_by_every_route(encoder, tiny_block, tmp_path, cls):
    model = make(encoder, tiny_block, cls, 2)
    cut = make(encoder, tiny_block, cls, None)
    cut.set_weights(model.get_weights())
    windows = model.preprocess.windows(TEXTS, 2)
    assert np.bincount(windows["text_ids"]).tolist() == [5, 1, 1, 2]
    if cls is TextClassifier:
        expected = join_mean(model(windows), windows)
    else:  # Which scales vectors afterwards.
        expected = keras.ops.normalize(
            join_mean(SentenceEncoder(encoder, "mean")(windows), windows)
        )
    expected = np.asarray(expected)
    found = model(TEXTS)
    assert difference(found, expected) < 1e-6
    assert difference(cut(TEXTS)[1:3], found[1:3]) < 1e-6
    assert difference(cut(TEXTS)[0], found[0]) > 1e-4
    assert model(tf.constant([], tf.string)).shape[0] == 0
    if cls is SentenceEncoder:
        assert difference(exported(model, tmp_path / "model")(TEXTS), expected) < 1e-5
        return
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert difference(again.predict(TEXTS, batch_size=3, verbose=0), expected) < 1e-6
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    assert difference(loaded.serve(tf.constant(TEXTS)), expected) < 1e-6


@pytest.mark.slow
def test_what_is_not_cut_is_learned_from(encoder, tiny_block):
    """The label is in the last token alone, which only a window reaches."""
    keras.utils.set_random_seed(3)
    model = make(encoder, tiny_block, TextClassifier, 3)
    texts = [" ".join([*"ab" * 5, last]) for last in "cd"] * 2
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss, run_eagerly=True)
    model.fit(texts, [0, 1] * 2, epochs=12, verbose=0)
    assert np.argmax(model(texts), -1).tolist() == [0, 1] * 2


@pytest.mark.parametrize("cls", [TextClassifier, SentenceEncoder])
@pytest.mark.parametrize(("stride", "count"), [(2, 0), (None, 1)])
def test_windows_are_no_cuts(encoder, tiny_block, cls, stride, count):
    model = make(encoder, tiny_block, cls, stride)
    model.run_eagerly = True
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", TruncationWarning)
        model.predict_on_batch(TEXTS)
    assert [warning.category for warning in told].count(TruncationWarning) == count


def test_what_is_refused(encoder, tiny_block):
    model = make(encoder, tiny_block, TextClassifier, 2)
    with pytest.raises(ValueError, match=r"takes a batch. For a single text, pass \[text\]"):
        model("a b")
    with pytest.raises(ValueError, match=r"stride must be an int of at least 1, got 0"):
        TextClassifier(encoder, ["a", "b"], stride=0)
    asked = Pooling("mean", max_length=7, prompts={"query": "a"}, default_prompt="query")
    with pytest.raises(ValueError, match=r'With stride, .*: pass prompt=""'):
        SentenceEncoder(encoder, asked, stride=2)
