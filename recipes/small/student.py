"""The student: layers of the teacher, with Google's Chinese vocabulary."""

from collections.abc import Sequence

import numpy as np

from keras_bert_zh import BertEncoder, Checkpoint, MaskedLM
from recipes.small.multilingual_e5 import MultilingualE5

# Six of the twelve layers; the fourth of them learns from the hidden states of the eighth.
LAYERS, TAUGHT_BLOCK, TAUGHT_LAYER = (0, 2, 4, 7, 9, 11), 3, 7
SPECIAL = {
    "[PAD]": "<pad>",
    "[UNK]": "<unk>",
    "[CLS]": "<s>",
    "[SEP]": "</s>",
    "[MASK]": "<mask>",
}
FIRST_TEXT_TOKEN = 104  # Before it stand special and unused tokens.


def make(model: MultilingualE5, vocabulary: Sequence[str], frequencies: np.ndarray) -> MaskedLM:
    """Returns the untrained student.

    The bias of its head comes from the token frequencies, and its other logits are small. So it
    starts at a loss that other models only reach after a million tokens.
    """
    config = model.config(len(LAYERS), len(vocabulary)).with_dropout(0.0)
    width = config.hidden_size
    words = transplant(model, vocabulary)
    pooler = np.random.default_rng(0).normal(0, 0.02, (width, width)).astype(np.float32)
    weights = model.weights(LAYERS, words) | {
        "pooler.dense.kernel": pooler,
        "pooler.dense.bias": np.zeros(width, np.float32),
    }
    checkpoint = Checkpoint(config, tuple(vocabulary), True, weights)
    student = MaskedLM(BertEncoder(checkpoint, dtype="mixed_bfloat16", output_key=None))
    known = np.log(frequencies + 2e-8)
    student.masked_lm.bias.assign(known - known.mean())
    norm = np.linalg.norm(words[FIRST_TEXT_TOKEN:], axis=1).mean()
    student.masked_lm.norm.gamma.assign(np.full(width, 0.5 / norm))
    return student


def transplant(model: MultilingualE5, vocabulary: Sequence[str]) -> np.ndarray:
    """Returns word embeddings: of the piece with the same spelling, or the mean of its kind."""
    theirs = model.word_embeddings()
    pieces = {piece: index for index, piece in enumerate(model.pieces)}
    embeddings = np.zeros((len(vocabulary), theirs.shape[1]), np.float32)
    found = np.zeros(len(vocabulary), bool)
    for index, token in enumerate(vocabulary):
        piece = next((pieces[name] for name in _spellings(index, token) if name in pieces), None)
        if piece is not None:
            embeddings[index], found[index] = theirs[piece], True
    ideographs = np.array([_is_ideograph(token) for token in vocabulary])
    for kind in (ideographs, ~ideographs):
        embeddings[kind & ~found] = embeddings[kind & found].mean(axis=0)
    return embeddings


def _spellings(index: int, token: str) -> tuple[str, ...]:
    """Returns possible SentencePiece spellings of a token; `▁` is the space before a word."""
    if index < FIRST_TEXT_TOKEN:
        return (SPECIAL[token],) if token in SPECIAL else ()
    if token.startswith("##"):
        return token[2:], f"▁{token[2:]}"
    return (token, f"▁{token}") if _is_ideograph(token) else (f"▁{token}", token)


def _is_ideograph(token: str) -> bool:
    return len(token) == 1 and "\u4e00" <= token <= "\u9fff"
