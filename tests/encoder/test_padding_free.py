"""Real tokens get what they get among padding, and nothing else is computed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_bert_zh import BertEncoder
from keras_bert_zh.layers import kernels
from keras_bert_zh.layers.feed_forward import FeedForward
from tests.encoder.common import SMALL, SMALL_BLOCK, as_tensors, difference, zeroed
from tests.encoder.masks import MASKS, ROWS, inputs_of, pair

BOUNDS = {"float32": 1e-5, "float64": 1e-12, "mixed_bfloat16": 0.1, "mixed_float16": 0.01}


@pytest.fixture(scope="module", params=BOUNDS)
def encoders(request):
    """One without and one with padding, and how far apart they may be."""
    return pair(dtype=request.param, dropout=0.0), BOUNDS[request.param]


@MASKS
@pytest.mark.parametrize("training", [False, True])
def test_outputs(mask, training, encoders):
    (packed, padded), bound = encoders
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


def test_graphs_of_open_and_closed_shapes():
    packed, padded = pair(SMALL_BLOCK, output_key="sequence_output")
    open_spec = tf.TensorSpec((None, None), "int32")
    graph = tf.function(
        packed, input_signature=[dict.fromkeys(inputs_of(np.ones((1, 1))), open_spec)]
    )
    closed = tf.function(packed)
    for rows in ROWS.values():
        inputs = inputs_of(np.array(rows, "int32"))
        expected = zeroed(padded(inputs), inputs["input_mask"])
        assert difference(graph(as_tensors(inputs)), expected) < 1e-5
        assert difference(closed(as_tensors(inputs)), expected) < 1e-5
    assert graph.experimental_get_tracing_count() == 1


@pytest.fixture
def computed(monkeypatch):
    """The shapes of what the layers compute on."""
    shapes = {"feed_forward": [], "scores": []}
    feed_forward, attention = FeedForward.call, kernels.attention

    def spy_on_feed_forward(self, hidden, **kwargs):
        shapes["feed_forward"].append(tuple(hidden.shape))
        return feed_forward(self, hidden, **kwargs)

    def spy_on_attention(query, key, *rest, **kwargs):
        shapes["scores"].append((query.shape[0], query.shape[2], key.shape[2]))
        return attention(query, key, *rest, **kwargs)

    monkeypatch.setattr(FeedForward, "call", spy_on_feed_forward)
    monkeypatch.setattr(kernels, "attention", spy_on_attention)
    return shapes


def test_work_is_in_proportion_to_the_tokens(computed):
    mask = np.array([[1] * length + [0] * (11 - length) for length in (2, 11, 3, 2, 10)], "int32")
    encoder = BertEncoder(None, config=SMALL, output_key="sequence_output")
    assert encoder.padding_free is None
    encoder(inputs_of(mask))
    assert computed["feed_forward"] == [(28, 12)] * 2
    # The longest rows are alone, since lengths differ most there.
    assert computed["scores"] == [(1, 11, 11), (1, 10, 10), (3, 3, 3)] * 2


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
    mask = np.array(ROWS["tails"], "int32")
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


@pytest.mark.slow
def test_models_are_saved_and_exported(tmp_path):
    mask = np.array(ROWS["holes"], "int32")
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
    with pytest.raises(
        ValueError, match="jit_compile=True can't be combined with padding_free=True"
    ):
        BertEncoder(None, config=SMALL, padding_free=True, jit_compile=True)
    encoder = BertEncoder(None, config=SMALL, padding_free=True)
    with pytest.raises(ValueError, match="can't be compiled by XLA"):
        tf.function(encoder, jit_compile=True)(as_tensors(inputs_of(np.ones((2, 4), "int32"))))
