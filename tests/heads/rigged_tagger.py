"""A tagger whose label of a token is known beforehand."""

import dataclasses

import numpy as np

from keras_bert_zh import BertEncoder, BertPreprocess, TokenTagger
from tests.conformance.cases import ONE_BLOCK

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "E-LOC", "S-LOC")
_OFTEN_O = [0.3, *[0.7 / 6] * 6]


def rigged_tagger(max_length, seed=0, **kwargs):
    """Returns a TokenTagger that looks at each token alone, and the logits by id, [V, K].

    Nothing but the word embeddings reaches the head: one number for the label that was drawn for
    the token, and noise, by which probabilities differ.
    """
    preprocess = BertPreprocess(None, max_length=max_length)
    size = len(preprocess.vocabulary)
    config = dataclasses.replace(ONE_BLOCK, vocab_size=size, max_position_embeddings=max_length)
    encoder = BertEncoder(None, config=config, dropout=0.0)
    model = TokenTagger(encoder, LABELS, preprocess=preprocess, **kwargs)
    rng = np.random.default_rng(seed)
    rows = rng.uniform(-0.3, 0.3, (size, config.hidden_size))
    rows[np.arange(size), rng.choice(len(LABELS), size, p=_OFTEN_O)] += 1
    for name, variable in model.named_variables().items():
        if not name.endswith("gamma"):
            variable.assign(np.zeros(variable.shape))
        if name == "embeddings.word.embeddings":
            variable.assign(rows)
        if name == "classifier.kernel":
            variable.assign(np.eye(*variable.shape))
    hidden = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
    return model, hidden[:, : len(LABELS)].astype("float32")
