"""Real tokens get what they get among padding, and nothing else is computed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_bert_zh import BertEncoder
from keras_bert_zh.layers.attention import SelfAttention
from keras_bert_zh.layers.feed_forward import FeedForward
from tests.encoder.common import SMALL, as_tensors, difference, randomized, zeroed

_ROWS = {
    "tails": [[1] * 11, [1] * 3 + [0] * 8, [1] * 7 + [0] * 4, [1] + [0] * 10, [1] * 11],
    "holes": [[1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1], [1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1], [1] * 11],
    "first masked": [[0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1] + [0] * 9, [0] * 10 + [1]],
    "one row": [[1] * 5 + [0] * 6],
    "full": [[1] * 11] * 3,
    "two tokens": [[1, 1] + [0] * 9] * 2,
    "groups": [[1] * 7 + [0] * 4, [1] * 3 + [0] * 8, [1] * 4 + [0] * 7],
    "many rows": np.tril(np.ones((11, 11), int)).tolist() * 2,
}
MASKS = pytest.mark.parametrize(
    "mask", [np.array(rows, "int32") for rows in _ROWS.values()], ids=_ROWS.keys()
)


def inputs_of(mask):
    rng = np.random.default_rng(2)
    return {
        "input_ids": rng.integers(0, 53, mask.shape).astype("int32"),
        "input_mask": mask,
        "segment_ids": rng.integers(0, 3, mask.shape).astype("int32"),
    }


def pair(**kwargs):
    """The same weights without and with padding."""
    packed = BertEncoder(None, config=SMALL, padding_free=True, **kwargs)
    randomized(packed, scale=0.2)
    padded = BertEncoder(None, config=SMALL, padding_free=False, **kwargs)
    padded.set_weights(packed.get_weights())
    return packed, padded


@MASKS
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("dtype", "bound"),
    [("float32", 1e-5), ("float64", 1e-12), ("mixed_bfloat16", 0.1), ("mixed_float16", 0.01)],
)
def test_outputs(mask, training, dtype, bound):
    packed, padded = pair(dtype=dtype, dropout=0.0)
    inputs = inputs_of(mask)
    ours, theirs = (
        encoder(inputs, as_dict=True, all_layers=True, training=training)
        for encoder in (packed, padded)
    )

    def compare(ours, theirs):
        ours, theirs = (np.asarray(ops.cast(value, "float64")) for value in (ours, theirs))
        assert difference(ours, zeroed(theirs, mask)) < bound

    compare(ours["sequence_output"], theirs["sequence_output"])
    for our_layer, their_layer in zip(
        ours["encoder_outputs"], theirs["encoder_outputs"], strict=True
    ):
        compare(our_layer, their_layer)
    pooled = [ops.cast(o["pooled_output"], "float64") for o in (ours, theirs)]
    assert difference(*pooled) < bound
    # Where nothing else is asked for, the last block computes the first tokens alone.
    for encoder in (packed, padded):
        alone = encoder(inputs, training=training)
        assert difference(ops.cast(alone, "float64"), pooled[0]) < bound


@MASKS
def test_gradients(mask):
    inputs = inputs_of(mask)
    for key in ("pooled_output", "sequence_output"):
        gradients = []
        for encoder in pair(dtype="float64", dropout=0.0, output_key=key):
            with tf.GradientTape() as tape:
                output = encoder(inputs, training=True)
                if key == "sequence_output":
                    output *= mask[:, :, None]
                loss = tf.reduce_sum(tf.sin(output))
            gradients.append(tape.gradient(loss, encoder.trainable_variables))
        for pair_of_gradients in zip(*gradients, strict=True):
            if pair_of_gradients[1] is None:
                assert pair_of_gradients[0] is None
            else:
                assert difference(*map(tf.convert_to_tensor, pair_of_gradients)) < 1e-9
        assert max(np.abs(tf.convert_to_tensor(g)).max() for g in gradients[0] if g is not None) > 1


@MASKS
@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-4), ("mixed_bfloat16", 0.1)])
def test_outputs_and_gradients_in_a_graph(mask, dtype, bound):
    inputs = inputs_of(mask)
    outputs, gradients = [], []
    for encoder in pair(dtype=dtype, dropout=0.0):

        @tf.function
        def step(inputs, encoder=encoder):
            with tf.GradientTape() as tape:
                output = tf.cast(encoder(inputs, training=True), "float32")
                loss = tf.reduce_sum(tf.sin(output))
            gradients = tape.gradient(loss, encoder.trainable_variables)
            return output, list(map(tf.convert_to_tensor, gradients))

        trained, of_encoder = step(as_tensors(inputs))
        predicted = tf.cast(tf.function(encoder)(as_tensors(inputs)), "float32")
        outputs += [trained, predicted]
        gradients.append(of_encoder)
    for output in outputs:
        assert difference(output, outputs[-1]) < (1e-5 if dtype == "float32" else bound)
    largest = max(np.abs(gradient).max() for gradient in gradients[1])
    assert max(map(difference, *gradients)) < bound * largest


def slope_and_gradient(encoder, inputs, around):
    """Returns a loss's slope in a random direction under dropout, and what its gradient says."""
    states = [v for v in encoder.non_trainable_variables if "seed" in v.path]
    start = [np.asarray(state) for state in states]
    kernels = [encoder.blocks[0].attention.key.kernel, encoder.blocks[0].feed_forward.inner.kernel]

    def loss(inputs):
        return tf.reduce_sum(tf.sin(3 * encoder(inputs, training=True)))

    def loss_and_gradients(inputs):
        with tf.GradientTape() as tape:
            value = loss(inputs)
        return value, tape.gradient(value, [kernel.value for kernel in kernels])

    loss, loss_and_gradients = around(loss), around(loss_and_gradients)

    def from_the_start(function):
        for state, value in zip(states, start, strict=True):
            state.assign(value)
        return function(inputs)

    _, gradients = from_the_start(loss_and_gradients)
    rng = np.random.default_rng(0)
    directions = [rng.normal(size=kernel.shape) for kernel in kernels]
    originals, ends = [np.asarray(kernel) for kernel in kernels], []
    for sign in (1, -1):
        for kernel, original, direction in zip(kernels, originals, directions, strict=True):
            kernel.assign(original + sign * 1e-5 * direction)
        ends.append(float(from_the_start(loss)))
    expected = sum(np.sum(g * d) for g, d in zip(gradients, directions, strict=True))
    return (ends[0] - ends[1]) / 2e-5, expected


@pytest.mark.parametrize("around", [lambda f: f, tf.function], ids=["eager", "graph"])
@pytest.mark.parametrize("remat", [False, True])
@pytest.mark.parametrize("padding_free", [False, True])
@pytest.mark.parametrize("rows", ["holes", "many rows"])
def test_gradients_under_dropout_are_slopes(rows, padding_free, remat, around):
    encoder = BertEncoder(
        None, config=SMALL, dropout=0.3, remat=remat, padding_free=padding_free, dtype="float64"
    )
    inputs = as_tensors(inputs_of(np.array(_ROWS[rows], "int32")))
    slope, gradient = slope_and_gradient(randomized(encoder, scale=0.2), inputs, around)
    assert abs(gradient) > 1e-3
    assert slope == pytest.approx(gradient, rel=1e-4)


def test_gradients_of_a_compiled_encoder_in_a_graph_are_slopes():
    """XLA compiles the forward pass there; the gradients are traced outside of it."""
    for remat in (False, True):
        encoder = BertEncoder(
            None, config=SMALL, dropout=0.3, remat=remat, jit_compile=True, dtype="float64"
        )
        inputs = as_tensors(inputs_of(np.array(_ROWS["tails"], "int32")))
        slope, gradient = slope_and_gradient(randomized(encoder, scale=0.2), inputs, tf.function)
        assert slope == pytest.approx(gradient, rel=1e-4)


def test_a_row_without_tokens_looks_at_its_first_position():
    encoder = randomized(
        BertEncoder(None, config=SMALL, dropout=0.0, padding_free=True, dtype="float64")
    )
    mask = np.array([[0] * 11, [1] * 9 + [0] * 2], "int32")
    slope, gradient = slope_and_gradient(encoder, as_tensors(inputs_of(mask)), lambda f: f)
    assert slope == pytest.approx(gradient, rel=1e-4)


def test_gradients_of_gradients():
    inputs = inputs_of(np.array(_ROWS["tails"], "int32"))
    results = []
    for encoder in pair(dtype="float64", dropout=0.0):
        kernel = encoder.blocks[0].attention.query.kernel.value
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                loss = tf.reduce_sum(tf.sin(encoder(inputs, training=True)))
            loss = tf.reduce_sum(tf.sin(inner.gradient(loss, kernel)))
        results.append(outer.gradient(loss, kernel))
    assert np.abs(results[0]).max() > 1e-3
    assert difference(*results) < 1e-9


def test_graphs_of_open_and_closed_shapes():
    packed, padded = pair(output_key="sequence_output")
    open_spec = tf.TensorSpec((None, None), "int32")
    graph = tf.function(
        packed, input_signature=[dict.fromkeys(inputs_of(np.ones((1, 1))), open_spec)]
    )
    for rows in _ROWS.values():
        inputs = inputs_of(np.array(rows, "int32"))
        expected = zeroed(padded(inputs), inputs["input_mask"])
        assert difference(graph(as_tensors(inputs)), expected) < 1e-5
        assert difference(tf.function(packed)(as_tensors(inputs)), expected) < 1e-5
    assert graph.experimental_get_tracing_count() == 1


@pytest.fixture
def computed(monkeypatch):
    """The shapes of what the layers compute on."""
    shapes = {"feed_forward": [], "scores": []}
    feed_forward, attend = FeedForward.call, SelfAttention._attend

    def spy_on_feed_forward(self, hidden):
        shapes["feed_forward"].append(tuple(hidden.shape))
        return feed_forward(self, hidden)

    def spy_on_attention(self, query, key, *rest, **kwargs):
        shapes["scores"].append((query.shape[0], query.shape[2], key.shape[2]))
        return attend(self, query, key, *rest, **kwargs)

    monkeypatch.setattr(FeedForward, "call", spy_on_feed_forward)
    monkeypatch.setattr(SelfAttention, "_attend", spy_on_attention)
    return shapes


def test_work_is_in_proportion_to_the_tokens(computed):
    mask = np.array([[1] * length + [0] * (11 - length) for length in (2, 11, 3, 2, 10)], "int32")
    encoder = BertEncoder(None, config=SMALL, output_key="sequence_output")
    assert encoder.padding_free is None
    encoder(inputs_of(mask))
    assert computed["feed_forward"] == [(28, 12)] * 2
    assert computed["scores"] == [(1, 11, 11), (1, 10, 10), (1, 3, 3), (2, 2, 2)] * 2


def test_the_last_block_computes_first_tokens_for_the_pooler(computed):
    mask = np.ones((3, 7), "int32")
    for padding_free, tokens in ((True, (21, 12)), (False, (3, 7, 12))):
        encoder = BertEncoder(None, config=SMALL, padding_free=padding_free)
        encoder(inputs_of(mask))
        assert computed["feed_forward"][-2:] == [tokens, (3, 12)]
        encoder(inputs_of(mask), as_dict=True)
        assert computed["feed_forward"][-2:] == [tokens] * 2


def test_one_sentence_is_one_group(computed):
    encoder = BertEncoder(None, config=SMALL, output_key="sequence_output")
    encoder(inputs_of(np.ones((1, 5), "int32")))
    assert computed["scores"] == [(1, 5, 5)] * 2


def test_padding_is_kept_where_asked_and_inside_xla(computed):
    mask = np.array(_ROWS["tails"], "int32")
    inputs = as_tensors(inputs_of(mask))
    _, padded = pair(output_key="sequence_output")
    raw = padded(inputs)
    assert computed["feed_forward"] == [(5, 11, 12)] * 2
    assert np.abs(raw[1, 3:]).max() > 0
    # Zeros in padding by every route, unless padding was asked for.
    expected = zeroed(raw, mask)
    default = BertEncoder(None, config=SMALL, output_key="sequence_output")
    default.set_weights(padded.get_weights())
    compiled = tf.function(default, jit_compile=True)
    assert difference(compiled(inputs), expected) < 1e-5

    @tf.function(jit_compile=True)
    def around(inputs):
        return tf.function(default)(inputs)

    assert difference(around(inputs), expected) < 1e-5
    default.jit_compile = True
    assert difference(default(inputs), expected) < 1e-5
    assert set(computed["feed_forward"]) == {(5, 11, 12)}


def test_models_are_saved_and_exported(tmp_path):
    mask = np.array(_ROWS["holes"], "int32")
    encoder = BertEncoder(None, config=SMALL, output_key="sequence_output", padding_free=True)
    inputs = inputs_of(mask)
    symbolic = {name: keras.Input((None,), dtype="int32", name=name) for name in inputs}
    model = keras.Model(symbolic, encoder(symbolic))
    expected = model.predict(inputs, verbose=0)
    assert difference(expected * (1 - mask)[:, :, None], 0) == 0
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[-1].padding_free is True
    assert difference(loaded.predict(inputs, verbose=0), expected) == 0
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    assert difference(exported.serve(as_tensors(inputs)), expected) < 1e-6


def test_errors():
    for value in ("yes", 0):
        with pytest.raises(ValueError, match="padding_free must be True, False or None, got "):
            BertEncoder(None, config=SMALL, padding_free=value)
    with pytest.raises(ValueError, match="jit_compile=True and padding_free=True exclude"):
        BertEncoder(None, config=SMALL, padding_free=True, jit_compile=True)
    encoder = BertEncoder(None, config=SMALL, padding_free=True)
    with pytest.raises(ValueError, match="can't be compiled by XLA"):
        tf.function(encoder, jit_compile=True)(as_tensors(inputs_of(np.ones((2, 4), "int32"))))
