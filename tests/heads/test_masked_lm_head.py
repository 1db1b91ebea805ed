import doctest
import pickle
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_bert_zh import BertEncoder
from keras_bert_zh.heads import masked_lm_head
from keras_bert_zh.heads.masked_lm_head import MaskedLMHead
from tests.conformance.cases import CONFIG, HIDDEN, INPUTS, POSITIONS
from tests.encoder.common import difference, report
from tests.heads.common import loaded, weights_of
from tests.heads.small_masked_lm import ONE_BLOCK
from tests.process import run_python

TABLE = np.random.default_rng(1).normal(size=(53, 12)).astype("float32")


class Model(keras.Model):
    """An encoder and its head, as a user may put them together."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.encoder = BertEncoder(None, config=ONE_BLOCK, dropout=0.0, output_key=None)
        self.encoder.pooler.trainable = False
        self.head = MaskedLMHead(vocab_size=53, hidden_size=12)

    def build(self, input_shape=None):
        self.built = True

    def call(self, inputs):
        inputs = dict(inputs)
        positions = inputs.pop("positions")
        sequence = self.encoder(inputs)["sequence_output"]
        return self.head(sequence, positions, self.encoder.embeddings.word.embeddings)


MODEL_INPUTS = INPUTS | {"positions": POSITIONS}


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("mixed_bfloat16", 0.06)])
def test_parity_with_the_original_graph(tiny, inputs, golden, dtype, bound):
    encoder = BertEncoder(tiny, output_key="sequence_output", dtype=dtype)
    head = loaded(tiny, dtype=dtype)
    logits = head(encoder(inputs), golden["mlm_positions"], encoder.embeddings.word.embeddings)
    assert logits.shape == (3, 2, 718)
    logits = ops.reshape(ops.cast(logits, "float32"), (6, 718))
    report(f"tensorflow {dtype}", "mlm_logits", difference(logits, golden["mlm_logits"]))
    assert difference(logits, golden["mlm_logits"]) < bound
    assert np.abs(golden["mlm_logits"]).max() > 0.3
    assert {variable.dtype for variable in head.weights} == {"float32"}


def test_no_positions_are_all_positions(tiny, inputs):
    head, table = loaded(tiny), tiny.weights["embeddings.word.embeddings"]
    sequence = BertEncoder(tiny, output_key="sequence_output")(inputs)
    positions = np.tile(np.arange(16), (3, 1))
    assert difference(head(sequence, None, table), head(sequence, positions, table)) < 1e-6
    symbolic = head(keras.Input((None, 32)), None, keras.KerasTensor((718, 32)))
    assert symbolic.shape == (None, None, 718)


def test_every_weight_has_its_place(tiny):
    head = loaded(tiny)
    assert len(weights_of(head)) == len(head.weights) == 5


def test_the_table_is_no_weight_of_the_head():
    model = Model()
    model(MODEL_INPUTS)
    assert len(model.weights) == len(model.encoder.weights) + 5


def test_the_table_learns_in_both_places():
    """The gradient is the sum of the two; that of the head reaches tokens no text has."""
    model = Model()
    table = model.encoder.embeddings.word.embeddings
    copy = tf.Variable(table)
    model(MODEL_INPUTS)

    def gradient(of_encoder, of_head, *sources):
        with tf.GradientTape() as tape:
            sequence = model.encoder(INPUTS)["sequence_output"]
            sequence = sequence if of_encoder else tf.stop_gradient(sequence)
            logits = model.head(sequence, POSITIONS, of_head)
            loss = tf.reduce_sum(logits**2)
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, sources)]

    (both,) = gradient(True, table, table.value)
    encoder, head = gradient(True, copy, table.value, copy)
    assert difference(both, encoder + head) < 1e-5 * np.abs(both).max()
    absent = np.setdiff1d(np.arange(53), INPUTS["input_ids"])
    assert not encoder.numpy()[absent].any()
    assert head.numpy()[absent].any(axis=1).all()


def test_it_trains_and_is_saved_with_the_encoder(tmp_path):
    model = keras.saving.register_keras_serializable("test_masked_lm")(Model)()
    labels = np.random.default_rng(0).integers(0, 53, (3, 2))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.03), loss, run_eagerly=True)
    history = model.fit(MODEL_INPUTS, labels, epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2
    expected = model.predict(MODEL_INPUTS, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert difference(again.predict(MODEL_INPUTS, verbose=0), expected) == 0


def test_a_functional_model_is_refused():
    sequence, positions = keras.Input((None, 12)), keras.Input((None,), dtype="int32")
    encoder = BertEncoder(None, config=CONFIG)
    with pytest.raises(
        ValueError, match=r"table of MaskedLMHead would be a const.*includes the enc"
    ):
        MaskedLMHead(vocab_size=53, hidden_size=12)(
            sequence, positions, encoder.embeddings.word.embeddings
        )


def test_a_masked_sequence_gives_no_warning_and_no_mask():
    encoder = BertEncoder(None, config=CONFIG, output_key="sequence_output")
    head = MaskedLMHead(vocab_size=53, hidden_size=12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logits = head(encoder(INPUTS), POSITIONS, encoder.embeddings.word.embeddings)
    assert getattr(logits, "_keras_mask", None) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sequence": HIDDEN[0]}, r"sequence must have shape \[\?, \?, 12\], got \[7, 12\]"),
        ({"sequence": HIDDEN[..., :5]}, r"sequence must have shape .*, got \[3, 7, 5\]"),
        ({"positions": POSITIONS[0]}, r"positions must have shape \[3, \?\], got \[2\]"),
        ({"positions": POSITIONS[:2]}, r"positions must have shape \[3, \?\], got \[2, 2\]"),
        ({"positions": POSITIONS * 1.0}, "positions must be integers, .* got float"),
        ({"table": TABLE.T}, r"table must have shape \[53, 12\], got \[12, 53\]"),
        ({"positions": POSITIONS + 1}, r"positions must be in \[0, length.*\[7, 2\]\], .*is 7\."),
        ({"positions": POSITIONS - 1}, r"positions must be in \[0, length.*\[\[-1, 2\].*is 7\."),
    ],
)
def test_bad_input(change, message):
    arguments = {"sequence": HIDDEN, "positions": POSITIONS, "table": TABLE} | change
    with pytest.raises(ValueError, match=message):
        MaskedLMHead(vocab_size=53, hidden_size=12)(**arguments)


@pytest.mark.parametrize("position", [-1, 7])
def test_positions_are_checked_in_graphs(position):
    head = MaskedLMHead(vocab_size=53, hidden_size=12)
    call = tf.function(lambda positions: head(HIDDEN, positions, TABLE))
    assert call(tf.constant([[6], [0], [1]])).shape == (3, 1, 53)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"positions must be in \[0, length"):
        call(tf.constant([[position], [0], [1]]))


def test_jax_backend(tiny, inputs, golden, tmp_path):
    pytest.importorskip("jax")
    (tmp_path / "data.pickle").write_bytes(pickle.dumps((tiny, inputs, golden)))
    run_python(
        """
import pickle, sys, keras, jax, numpy as np
from keras_bert_zh import BertEncoder
from tests.heads.common import loaded
tiny, inputs, golden = pickle.load(open(sys.argv[1], "rb"))
encoder, head = BertEncoder(tiny, output_key="sequence_output"), loaded(tiny)
table = encoder.embeddings.word.embeddings
positions = golden["mlm_positions"]
logits = np.asarray(head(encoder(inputs), positions, table))
assert np.abs(logits.reshape(6, 718) - golden["mlm_logits"]).max() < 1e-5
for call in (head, jax.jit(head)):
    odd = np.asarray(call(encoder(inputs), np.array([[0, -1], [-16, 15], [16, -17]]), table.value))
    assert np.isnan(odd).all(axis=-1).tolist() == [[False, True], [True, False], [True, True]]
def loss(value):
    with keras.StatelessScope([(table, value)]):
        return (head(encoder(inputs), positions, table) ** 2).sum()
gradient = np.asarray(jax.jit(jax.grad(loss))(table.value))
assert gradient.any(axis=-1).all()
""",
        tmp_path / "data.pickle",
        KERAS_BACKEND="jax",
    )


def test_the_example_runs():
    result = doctest.testmod(masked_lm_head)
    assert result.attempted == 8
    assert result.failed == 0
