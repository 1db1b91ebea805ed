import json

import numpy as np
import pytest

from recipes.small.losses import Losses
from recipes.small.training import Schedule
from tests.process import run_python
from tests.recipes.small import fake_e5

pytestmark = pytest.mark.slow

# The end of a process leaves the files as they are at that moment.
TRAIN = """
import pathlib, shutil, sys
import keras, numpy as np, tensorflow as tf
from keras_bert_zh import BertPreprocess
from recipes.small import losses, multilingual_e5, student, training as recipe
from recipes.small.corpus import Corpus
from recipes.small.teacher import Teacher
from recipes.small.training import Schedule, Training
from tests.recipes.small.fake_e5 import VOCABULARY

tf.config.experimental.enable_op_determinism()
keras.utils.set_random_seed(0)
file, place = map(pathlib.Path, sys.argv[1:])
preprocess = BertPreprocess(None, vocabulary=VOCABULARY)
corpus = Corpus(place / "corpus", preprocess)
model = multilingual_e5.read(file)
student.LAYERS, losses.TAUGHT_BLOCK = (0, 7), 1  # Quicker.
teacher = Teacher(model, student.TAUGHT_LAYER, VOCABULARY)
recipe.MEASURED_EVERY, recipe.MEASURED_ROWS = 20, 4

def training(name):
    pupil = student.make(model, VOCABULARY, corpus.frequencies)
    schedule = Schedule(40, highest=3e-3, warmup=4)
    return pupil, Training(
        pupil, teacher, corpus, preprocess, place / name, schedule=schedule, tokens=400, minutes=0
    )

def save(pupil, name):
    arrays = {name: np.array(variable) for name, variable in pupil.named_variables().items()}
    np.savez(place / name, **arrays)

pupil, whole = training("whole")
save(pupil, "fresh")
for record in whole.run(every=10):
    if record["step"] == 30:
        shutil.copytree(place / "whole", place / "killed")
save(pupil, "whole")

pupil, resumed = training("killed")
print(resumed.step)
for record in resumed.run(every=10):
    pass
save(pupil, "resumed")
"""


@pytest.fixture(scope="module")
def trained(file, tmp_path_factory):
    """The folder of a run and of one that was killed, and what was printed."""
    place = tmp_path_factory.mktemp("training")
    (place / "corpus").mkdir()
    fake_e5.write_text(place / "corpus" / "text.txt", 3300)  # The 3,201st begins what is held out.
    return place, run_python(TRAIN, file, place)


def test_all_that_is_learned_gets_better(trained):
    place, _ = trained
    records = [json.loads(line) for line in (place / "whole" / "log.jsonl").open()]
    assert [record["step"] for record in records] == [10, 20, 30, 40]
    assert list(records[0]) == ["step", "seconds", *Losses._fields]
    measured = {r["step"]: r["held_out_accuracy"] for r in records if "held_out_accuracy" in r}
    assert set(measured) == {20, 40}
    assert [r["is_best"] for r in records if "is_best" in r] == [True, measured[40] >= measured[20]]
    for name, share in (("masked_lm", 0.99), ("pooled", 0.9), ("hidden", 0.8)):
        assert records[3][name] < share * records[0][name], name


def test_killed_and_resumed_equals_uninterrupted(trained):
    place, printed = trained
    assert printed.split() == ["30"]
    whole, resumed = (np.load(place / f"{name}.npz") for name in ("whole", "resumed"))
    for name in whole:
        np.testing.assert_array_equal(whole[name], resumed[name])
    logs = [(place / name / "log.jsonl").read_text() for name in ("whole", "killed")]
    one, other = ([json.loads(line) for line in log.splitlines()] for log in logs)
    assert [r | {"seconds": 0} for r in one] == [r | {"seconds": 0} for r in other]


def test_every_weight_is_trained(trained):
    """That of the pooler, too, which a MaskedLM leaves out."""
    place, _ = trained
    fresh, whole = (np.load(place / f"{name}.npz") for name in ("fresh", "whole"))
    assert "pooler.dense.kernel" in fresh
    for name in fresh:
        assert not np.array_equal(fresh[name], whole[name]), name


def test_what_is_kept(trained):
    place, _ = trained
    kept = sorted(file.name for file in (place / "whole").iterdir())
    assert kept == ["log.jsonl", "scales.npz", "state.safetensors"]


def test_the_schedule():
    schedule = Schedule(1000, highest=1.0, warmup=100, decay=0.25)
    rates = [float(schedule(step)) for step in range(1000)]
    np.testing.assert_allclose(rates[:100], np.arange(1, 101) / 100, rtol=1e-6)
    assert set(rates[100:750]) == {1.0}
    falling = np.maximum(np.arange(250, 0, -1) / 250, 0.02)
    np.testing.assert_allclose(rates[750:], falling, rtol=1e-6)
