"""What `attention=True` shows is what the blocks compute with."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder
from keras_bert_zh.layers.attention import SelfAttention
from tests.encoder.common import SMALL, as_tensors, difference, small_inputs
from tests.encoder.masks import MASKS, inputs_of, pair
from tests.process import run_python


@pytest.fixture(scope="module")
def encoders():
    return pair(dropout=0.0)


def attended(attention, hidden, probabilities):
    """What a layer of attention makes of these probabilities, in NumPy."""
    batch, length, size = hidden.shape
    value = np.asarray(attention.value(hidden)).reshape(batch, length, attention.num_heads, -1)
    contexts = np.einsum("bnqk,bknh->bqnh", probabilities, value).reshape(batch, length, size)
    return attention.projection(contexts)


@MASKS
@pytest.mark.parametrize("layout", [0, 1], ids=["padding-free", "padded"])
def test_the_blocks_compute_with_it(encoders, layout, mask):
    encoder = encoders[layout]
    outputs = encoder(inputs_of(mask), as_dict=True, all_layers=True, attention=True)
    assert [a.shape for a in outputs["attention"]] == [(len(mask), 3, 11, 11)] * 2
    real = mask[:, None, :, None] * mask[:, None, None, :]
    for probabilities in map(np.asarray, outputs["attention"]):
        assert difference(probabilities * (1 - real), 0 * real) == 0
        sums = probabilities.sum(-1)
        assert difference(sums, np.broadcast_to(mask[:, None], sums.shape)) < 1e-5
    attention, hidden = encoder.blocks[1].attention, np.asarray(outputs["encoder_outputs"][0])
    ours = attended(attention, hidden, np.asarray(outputs["attention"][1]))
    theirs = attention(hidden, layout=mask)
    assert difference(mask[..., None] * ours, mask[..., None] * theirs) < 1e-5


def test_transformers_sees_the_same(data, inputs):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = data / "tiny_huggingface"
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    names = {"input_mask": "attention_mask", "segment_ids": "token_type_ids"}
    tensors = {names.get(key, key): torch.tensor(value) for key, value in inputs.items()}
    with torch.no_grad():
        theirs = model(**tensors, output_attentions=True).attentions
    ours = BertEncoder(folder)(inputs, as_dict=True, attention=True)["attention"]
    real = inputs["input_mask"][:, None, :, None]
    for our_layer, their_layer in zip(ours, theirs, strict=True):
        assert difference(our_layer, their_layer.numpy() * real) < 1e-5


@pytest.mark.parametrize(
    "options", [{"jit_compile": True}, {"remat": True}, {"padding_free": False}]
)
def test_however_it_is_computed(encoders, options):
    """In training, too: dropout comes after it."""
    encoder = BertEncoder(None, config=SMALL, dropout=0.0, **options)
    encoder.set_weights(encoders[0].get_weights())
    inputs = as_tensors(small_inputs())
    expected = encoders[0](inputs, as_dict=True, attention=True)["attention"]
    found = encoder(inputs, as_dict=True, attention=True, training=True)["attention"]
    assert difference(found, expected) < 1e-5


def test_gradients_flow_through_it(encoders):
    slopes = []
    for encoder in encoders:
        query = encoder.blocks[1].attention.query.kernel
        with tf.GradientTape() as tape:
            outputs = encoder(small_inputs(), as_dict=True, attention=True)
            loss = tf.reduce_sum(tf.stack(outputs["attention"]) ** 2)
        slopes.append(tape.gradient(loss, query))
    assert difference(*slopes) < 1e-4
    assert np.abs(slopes[0]).max() > 1e-3


def test_symbolic_shapes():
    symbolic = {"input_ids": keras.Input((None,), dtype="int32", name="input_ids")}
    encoder = BertEncoder(None, config=SMALL, dtype="mixed_bfloat16")
    outputs = encoder(symbolic, as_dict=True, attention=True)["attention"]
    assert [(o.shape, o.dtype) for o in outputs] == [((None, 3, None, None), "bfloat16")] * 2
    found = encoder(small_inputs(), as_dict=True, attention=True)["attention"]
    assert [(o.shape, o.dtype) for o in found] == [((3, 3, 7, 7), "bfloat16")] * 2


def test_nothing_is_computed_that_is_not_asked_for(encoders, monkeypatch):
    monkeypatch.delattr(SelfAttention, "probabilities")
    outputs = encoders[0](small_inputs(), as_dict=True)
    assert set(outputs) == {"pooled_output", "sequence_output"}
    with pytest.raises(ValueError, match="attention=True adds attention to the dict of outputs"):
        encoders[0](small_inputs(), attention=True)


def test_jax_backend(encoders, tmp_path):
    pytest.importorskip("jax")
    inputs = small_inputs()
    expected = encoders[0](inputs, as_dict=True, attention=True)["attention"]
    arrays = {f"weight_{i}": value for i, value in enumerate(encoders[0].get_weights())}
    np.savez(tmp_path / "file.npz", **inputs, **arrays, expected=np.stack(expected))
    run_python(
        """
import sys
import jax, numpy as np
from keras_bert_zh import BertEncoder
from tests.encoder.common import SMALL
file = dict(np.load(sys.argv[1]))
encoder = BertEncoder(None, config=SMALL, dropout=0.0)
count = len(encoder.get_weights())
encoder.set_weights([file.pop(f"weight_{i}") for i in range(count)])
expected = file.pop("expected")
found = jax.jit(lambda inputs: encoder(inputs, as_dict=True, attention=True)["attention"])(file)
assert np.abs(np.stack(found) - expected).max() < 1e-5
""",
        tmp_path / "file.npz",
        KERAS_BACKEND="jax",
    )
