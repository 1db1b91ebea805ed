import json
import pickle
import shutil

import keras
import numpy as np
import pytest

from keras_bert_zh import BertEncoder
from tests.encoder.common import difference, randomized, report
from tests.process import run_python
from tests.relatives import NAMES, folder_of, golden_of


def test_keras_file_in_a_new_process_is_exact(tiny, inputs, tmp_path):
    encoder = randomized(BertEncoder(tiny, output_key=None), scale=0.1)
    symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in inputs}
    model = keras.Model(symbolic, encoder(symbolic))
    np.savez(tmp_path / "data.npz", **inputs, **model.predict(inputs, verbose=0))
    model.save(tmp_path / "model.keras")
    printed = run_python(
        """
import sys, numpy as np, keras, keras_bert_zh
data = dict(np.load(f"{sys.argv[1]}/data.npz"))
model = keras.saving.load_model(f"{sys.argv[1]}/model.keras")
outputs = model.predict({name: data[name] for name in model.input}, verbose=0)
print(max(np.abs(outputs[key] - data[key]).max() for key in outputs), len(outputs))
""",
        tmp_path,
    )
    assert printed.split() == ["0.0", "2"]


def test_a_saved_encoder_does_not_need_its_checkpoint(tiny_module, inputs, tmp_path):
    folder = shutil.copytree(tiny_module, tmp_path / "module")
    model = keras.Sequential([BertEncoder(folder)])
    expected = model.predict(inputs, verbose=0)
    model.save(tmp_path / "model.keras")
    shutil.rmtree(folder)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert difference(loaded.predict(inputs, verbose=0), expected) == 0


def test_config_round_trip_clone_and_pickle(tiny, inputs):
    encoder = BertEncoder(tiny, output_key="sequence_output", dropout=0.2, dtype="mixed_bfloat16")
    copy = BertEncoder.from_config(encoder.get_config())
    assert copy.get_config() == encoder.get_config()
    assert copy.config.hidden_dropout_prob == 0.2
    model = keras.Sequential([encoder, keras.layers.GlobalAveragePooling1D()])
    expected = model.predict(inputs, verbose=0)
    clone = keras.models.clone_model(model)
    clone.build(dict.fromkeys(inputs, (None, None)))
    clone.set_weights(model.get_weights())
    for other in (clone, pickle.loads(pickle.dumps(model))):
        assert difference(other.predict(inputs, verbose=0), expected) == 0


@pytest.mark.slow
def test_jax_backend(tiny, inputs, golden, tmp_path):
    pytest.importorskip("jax")
    outputs = BertEncoder(tiny, padding_free=False)(inputs, as_dict=True)
    outputs = {key: np.asarray(value) for key, value in outputs.items()}
    relatives = {name: (str(folder_of(name)), *golden_of(name)) for name in NAMES}
    with open(tmp_path / "tiny.pickle", "wb") as file:
        pickle.dump((tiny, inputs, outputs, relatives), file)
    printed = run_python(
        """
import json, pickle, sys, keras, numpy as np
from keras_bert_zh import BertEncoder
assert keras.backend.backend() == "jax"
assert "tensorflow" not in sys.modules
tiny, inputs, expected, relatives = pickle.load(open(f"{sys.argv[1]}/tiny.pickle", "rb"))
encoder = BertEncoder(tiny, padding_free=False)
outputs = encoder(inputs, as_dict=True)
for key, value in expected.items():
    assert np.abs(np.asarray(outputs[key]) - value).max() < 2e-5, key
for name, (folder, given, golden) in relatives.items():
    if name == "ernie":
        given["task_type_ids"] = np.zeros_like(given["input_ids"])
    sequence = BertEncoder(folder, output_key="sequence_output")(given)
    wrong = (np.asarray(sequence) - golden["sequence_output"]) * given["input_mask"][..., None]
    assert np.abs(wrong).max() < 1e-5, (name, np.abs(wrong).max())
for bad in (-1, 718):
    try:
        encoder({"input_ids": np.array([[bad]])})
    except ValueError as error:
        assert "input_ids must be in [0, 718)" in str(error) and f"got {bad}" in str(error), error
    else:
        raise AssertionError("no error")
try:
    BertEncoder(tiny, jit_compile=True)
except ValueError as error:
    assert "TensorFlow backend" in str(error)
else:
    raise AssertionError("no error")
try:
    BertEncoder(tiny, padding_free=True)
except ValueError as error:
    assert "padding_free=True works only on the TensorFlow backend" in str(error)
else:
    raise AssertionError("no error")
symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in inputs}
model = keras.Model(symbolic, keras.layers.Dense(2)(encoder(symbolic)))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(keras.optimizers.SGD(0.1), loss)
history = model.fit(inputs, np.array([0, 1, 0]), epochs=8, verbose=0).history["loss"]
assert model.jit_compile and history[-1] < history[0], history
model.save(f"{sys.argv[1]}/jax.keras")
predicted = model.predict(inputs, verbose=0).tolist()
outputs = {key: np.asarray(value).tolist() for key, value in outputs.items()}
print(json.dumps([outputs, predicted]))
""",
        tmp_path,
        KERAS_BACKEND="jax",
    )
    outputs, predicted = json.loads(printed)
    for key in outputs:
        report("jax float32", key, difference(outputs[key], golden[key]))
        assert difference(outputs[key], golden[key]) < 1e-5
    # What was trained there runs here.
    model = keras.saving.load_model(tmp_path / "jax.keras")
    assert difference(model.predict(inputs, verbose=0), predicted) < 2e-5
