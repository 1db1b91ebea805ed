"""TextClassifier on pairs of texts: a cross-encoder."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.encoder.common import difference
from tests.heads.text_models import text_model

TEXTS, OTHERS, LABELS = ["a b", "c", "d e"], ["d", "a", ""], ["a", "b", "b"]


@pytest.mark.usefixtures("eagerly")
def test_every_form_of_pairs(tiny_block, tmp_path):
    model = text_model(tiny_block)
    model.takes_pairs = True
    model.compile(keras.optimizers.SGD(0.0))
    expected = model(model.preprocess((TEXTS, OTHERS)))
    numbers = np.array([0, 1, 1])
    loss = keras.ops.mean(model.own_loss()(numbers, expected))
    pair = (TEXTS, OTHERS)
    as_dict = {"text_a": TEXTS, "text_b": OTHERS}
    arrays = tuple(np.array(texts, object) for texts in pair)
    for given in (pair, as_dict, arrays):
        assert difference(model.predict(given, verbose=0), expected) < 1e-6
        history = model.fit(given, LABELS, validation_data=(given, LABELS), verbose=0).history
        assert history["loss"] == history["val_loss"] == pytest.approx([float(loss)], abs=1e-5)
    batches = tf.data.Dataset.from_tensor_slices((as_dict, numbers)).batch(3)
    assert model.evaluate(batches, verbose=0)[0] == pytest.approx(float(loss), abs=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.takes_pairs
    assert difference(loaded.predict(pair, verbose=0), expected) < 1e-6
