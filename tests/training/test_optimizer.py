import keras
import numpy as np
import pytest

from keras_bert_zh import BertEncoder, adamw
from tests.conformance.cases import CONFIG, INPUTS
from tests.process import run_python


class Model(keras.Model):
    """An encoder, layers with names that mislead, and the bias of a masked language model."""

    def __init__(self):
        super().__init__()
        self.encoder = BertEncoder(None, config=CONFIG, name="encoder")
        self.norm = keras.layers.LayerNormalization(name="gamma")
        self.classifier = keras.layers.Dense(2, name="bias_beta")
        names = ("bias", "query_bias", "bias_table", "alphabeta", "gamma_ray")
        self.others = [self.add_weight(shape=(3,), name=name) for name in names]
        self(INPUTS)

    def call(self, inputs):
        return self.classifier(self.norm(self.encoder(inputs)))


def rates(optimizer, steps):
    found = []
    for step in range(steps):
        optimizer.iterations.assign(step)
        found.append(float(optimizer.learning_rate))
    return np.array(found)


def test_learning_rate():
    found = rates(adamw(2e-3, 200), 202)
    rising = 2e-3 * np.arange(20) / 20
    falling = 1e-3 * (1 + np.cos(np.pi * np.arange(180) / 180))
    np.testing.assert_allclose(found[:200], [*rising, *falling], atol=1e-9)
    np.testing.assert_allclose(found[200:], 0, atol=1e-9)


@pytest.mark.parametrize(
    ("steps", "warmup", "rising"),
    [(189, 0.1, 18), (200, 0.25, 50), (10, 0.1, 1), (5, 1.0, 5), (70, 0.1, 7)],
)
def test_warmup(steps, warmup, rising):
    found = rates(adamw(1.0, steps, warmup=warmup), steps + 1)
    assert found[0] == 0
    assert int(found.argmax()) == rising
    assert found[rising] == 1


@pytest.mark.parametrize(("steps", "warmup"), [(10, 0), (9, 0.1), (1, 0.1)])
def test_no_warmup(steps, warmup):
    """Also where the share is less than a step."""
    found = rates(adamw(1.0, steps, warmup=warmup), steps + 1)
    expected = (1 + np.cos(np.pi * np.arange(steps + 1) / steps)) / 2
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_which_variables_decay():
    """With gradients of zero, decay alone moves a variable."""
    model = Model()
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    optimizer = adamw(0.5, 10, warmup=0, weight_decay=0.1)
    optimizer.apply(
        [np.zeros(v.shape, "float32") for v in model.trainable_variables], model.trainable_variables
    )
    decayed, kept = set(), set()
    for variable in model.trainable_variables:
        values = set(np.unique(variable))
        (kept if values == {1.0} else decayed).add(variable.path.split("/", 1)[1])
        assert values in ({1.0}, {np.float32(1 - 0.5 * 0.1)})
    ends = {path.rsplit("/", 1)[-1] for path in kept}
    assert ends == {"bias", "query_bias", "gamma", "beta"}
    ends = {path.rsplit("/", 1)[-1] for path in decayed}
    assert ends == {"kernel", "embeddings", "bias_table", "alphabeta", "gamma_ray"}
    # Of the encoder: by its kinds of weights, all of them.
    names = {
        name: variable.path.split("/", 1)[1]
        for name, variable in model.encoder.named_variables().items()
    }
    assert len(names) == 3 + 2 + 2 * 16 + 2
    assert {"bias_beta/kernel", "alphabeta"} <= decayed
    assert {"bias_beta/bias", "gamma/gamma", "bias"} <= kept
    for name, path in names.items():
        assert (path in kept) == (name.rsplit(".", 1)[-1] in ("bias", "gamma", "beta")), name


def test_weight_decay_is_a_switch():
    variable = keras.Variable(np.ones(3, "float32"), name="kernel")
    for weight_decay in (0.0, 0.2):
        variable.assign(np.ones(3))
        adamw(0.5, 10, warmup=0, weight_decay=weight_decay).apply(
            [np.zeros(3, "float32")], [variable]
        )
        np.testing.assert_allclose(variable, 1 - 0.5 * weight_decay)


def test_clipnorm():
    assert adamw(1.0, 10).clipnorm == 1.0
    assert adamw(1.0, 10, clipnorm=None).clipnorm is None
    assert adamw(1.0, 10, clipnorm=0.5).clipnorm == 0.5


def test_a_schedule_of_ones_own_and_other_arguments():
    schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 10, end_learning_rate=0.0)
    optimizer = adamw(schedule, beta_2=0.98, epsilon=1e-6, clipnorm=None, global_clipnorm=2.0)
    np.testing.assert_allclose(rates(optimizer, 10), np.arange(10, 0, -1) / 10, rtol=1e-6)
    kept = optimizer.get_config()
    assert (kept["beta_2"], kept["epsilon"], kept["global_clipnorm"]) == (0.98, 1e-6, 2.0)
    accumulating = adamw(schedule, gradient_accumulation_steps=2)
    accumulating._iterations.assign(5)
    assert float(accumulating.learning_rate) == pytest.approx(0.8)


@pytest.mark.parametrize("given", [{"steps": 10}, {"warmup": 0.0}])
def test_a_schedule_takes_no_part_of_another(given):
    schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 10, end_learning_rate=0.0)
    (name,) = given
    with pytest.raises(ValueError, match=f"{name} must be left out if learning_rate is"):
        adamw(schedule, **given)


def test_the_learning_rate_counts_updates(tmp_path):
    """Also in a model that is saved and trained on."""
    optimizer = adamw(1.0, 41, warmup=0.2, gradient_accumulation_steps=4)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras").optimizer
    assert again.gradient_accumulation_steps == 4
    expected = np.repeat(rates(adamw(1.0, 10, warmup=0.2), 10), 4)
    for kept in (optimizer, again):
        found = []
        for batch in range(40):
            kept._iterations.assign(batch)
            found.append(float(kept.learning_rate))
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_decays_comes_back_from_a_saved_optimizer():
    optimizer = adamw(0.5, 10, warmup=0, weight_decay=0.1)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    for name, expected in (("bias", 1), ("kernel", 1 - 0.5 * 0.1)):
        variable = keras.Variable(np.ones(3, "float32"), name=name)
        keras.optimizers.deserialize(keras.optimizers.serialize(again)).apply(
            [np.zeros(3, "float32")], [variable]
        )
        np.testing.assert_allclose(variable, expected)


def test_jax_backend():
    pytest.importorskip("jax")
    run_python(
        """
import keras, numpy as np
from keras_bert_zh import adamw
model = keras.Sequential([
    keras.Input((3,)), keras.layers.Dense(2, name="bias"), keras.layers.LayerNormalization()
])
for variable in model.weights:
    variable.assign(np.ones(variable.shape))
zeros = [np.zeros(variable.shape, "float32") for variable in model.weights]
adamw(0.5, 10, warmup=0, weight_decay=0.1).apply(zeros, model.weights)
means = {variable.name: round(float(np.mean(variable)), 4) for variable in model.weights}
assert means == {"kernel": 0.95, "bias": 1, "gamma": 1, "beta": 1}, means
""",
        KERAS_BACKEND="jax",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps must be an int of at least 1, got 0"),
        ({"steps": 1e4}, "steps must be an int of at least 1, got 10000.0"),
        ({"warmup": -0.1}, "warmup must be a number from 0 to 1, got -0.1"),
        (
            {"gradient_accumulation_steps": 1},
            "gradient_accumulation_steps must be an int of at least 2, got 1",
        ),
        (
            {"gradient_accumulation_steps": 11},
            "must be at most steps=10, since otherwise no update is made, got 11",
        ),
        ({"warmup": 100}, "warmup must be a number from 0 to 1, got 100"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        adamw(1e-3, **{"steps": 10} | arguments)
