"""A masked language model that was saved, exported, or made from its configuration."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import MaskedLM
from tests.conformance.cases import INPUTS
from tests.encoder.common import difference
from tests.heads.small_masked_lm import LABELS, MODEL_INPUTS, WEIGHTS, compiled, fit, made
from tests.process import run_python


@pytest.mark.parametrize("next_sentence", [False, True])
def test_config_round_trip(next_sentence):
    model = made(next_sentence, dtype="mixed_bfloat16", remat=True, name="reader")
    config = json.loads(json.dumps(model.get_config()))
    assert "dtype" not in config
    copy = MaskedLM.from_config(config)
    assert copy.get_config() == model.get_config()
    assert (copy.next_sentence is not None) == next_sentence
    assert copy.encoder.remat
    assert copy.encoder.name == "reader"
    copy.set_weights(model.get_weights())
    outputs, again = (keras.tree.flatten(made(MODEL_INPUTS)) for made in (model, copy))
    for one, other in zip(outputs, again, strict=True):
        assert difference(one, other) == 0


@pytest.mark.slow
def test_saved_while_it_is_trained_and_read_in_a_new_process(tmp_path):
    model = compiled(made(), run_eagerly=True)
    fit(model, epochs=2)
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "exported", verbose=False)
    arrays = {"logits": model.predict(MODEL_INPUTS, verbose=0), **MODEL_INPUTS}
    np.savez(tmp_path / "data.npz", labels=LABELS, weights=WEIGHTS, **arrays)
    printed = run_python(
        """
import sys, json, numpy as np, tensorflow as tf
data = dict(np.load(f"{sys.argv[1]}/data.npz"))
logits, labels, weights = (data.pop(name) for name in ("logits", "labels", "weights"))
exported = tf.saved_model.load(f"{sys.argv[1]}/exported")
served = exported.serve({name: tf.constant(value) for name, value in data.items()})
print(np.abs(served - logits).max())
assert "keras_bert_zh" not in sys.modules
import keras, keras_bert_zh
model = keras.saving.load_model(f"{sys.argv[1]}/model.keras")
print(np.abs(model.predict(data, verbose=0) - logits).max())
print(model.fit(data, labels, sample_weight=weights, verbose=0).history["loss"][0])
""",
        tmp_path,
    )
    served, predicted, loss = map(float, printed.split())
    assert served < 1e-6
    assert predicted == 0
    # The optimiser goes on where it was.
    assert loss == pytest.approx(fit(model)["loss"][0], rel=1e-6)


def test_export_of_chosen_inputs(tmp_path):
    model = made()
    signature = [{"input_ids": keras.InputSpec("int32", (None, 7))}]
    model.export(tmp_path / "exported", verbose=False, input_signature=signature)
    exported = tf.saved_model.load(tmp_path / "exported")
    ids = tf.constant(INPUTS["input_ids"])
    assert difference(exported.serve({"input_ids": ids}), model({"input_ids": ids})) < 1e-6
