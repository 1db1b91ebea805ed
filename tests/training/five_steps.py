"""Five steps on texts full of repeated tokens, for every way in which they can be computed."""

import keras
import numpy as np

from keras_bert_zh import BertConfig, BertEncoder, MaskedLM

CONFIG = BertConfig(
    vocab_size=30,
    hidden_size=12,
    num_hidden_layers=1,
    num_attention_heads=3,
    intermediate_size=17,
    max_position_embeddings=11,
    hidden_dropout_prob=0,
    attention_probs_dropout_prob=0,
)


def batch(seed, size=8):
    """Texts of three tokens, of which one stands everywhere."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 10, (size, 1))
    inputs = {
        "input_ids": rng.choice([2, 2, 3, 4], (size, 9)).astype("int32"),
        "input_mask": (np.arange(9) < lengths).astype("int32"),
        "segment_ids": rng.integers(0, 2, (size, 9)).astype("int32"),
    }
    return inputs, rng.integers(0, 2, size)


def make(masked_lm=False):
    """A classifier, or a masked language model; always with the same weights."""
    encoder = BertEncoder(None, config=CONFIG)
    if masked_lm:
        model = MaskedLM(encoder)
    else:
        model = keras.Sequential([encoder, keras.layers.Dense(2, name="classifier")])
    model(batch(0)[0])
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.3, w.shape).astype("float32") for w in model.get_weights()])
    return model


def data(masked_lm, seed):
    inputs, labels = batch(seed)
    if not masked_lm:
        return inputs, labels
    rng = np.random.default_rng(seed)
    return inputs | {"mlm_positions": rng.integers(0, 3, (8, 2))}, rng.choice([2, 3], (8, 2))


def loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def train(optimizer, batches, *, masked_lm=False, **how):
    """Returns the weights after these batches, by path; `how` are arguments of `compile`."""
    model = make(masked_lm)
    model.compile(optimizer, loss(), **how)
    for inputs, labels in batches:
        model.train_on_batch(inputs, labels)
    return {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights}
