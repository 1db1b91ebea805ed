"""The teacher's outputs for the student's texts: one vector per text, and hidden states."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from keras_bert_zh import BertEncoder, Checkpoint
from recipes.small.multilingual_e5 import BEGIN, END, PAD, UNKNOWN, MultilingualE5
from recipes.small.rows import rows

# E5 is trained with one of two words before each text; this one is for symmetric tasks.
PREFIX = "query: "
SPECIAL_IDS = {"[CLS]": BEGIN, "[SEP]": END, "[PAD]": PAD}
INPUTS = {
    name: tf.TensorSpec((None, None), tf.int32)
    for name in ("input_ids", "input_mask", "segment_ids")
}


class Lesson(NamedTuple):
    """What a student learns from a batch.

    Attributes:
        vectors: `<float>[B, 384]`, the mean hidden state of each text, of length 1.
        hidden: `<float>[B, S, 384]`, for each token of the student the hidden state, in the middle
            of the teacher, of the piece that its first character belongs to.
        weights: `<float>[B, S]`, 1 for tokens that have one.
    """

    vectors: tf.Tensor
    hidden: tf.Tensor
    weights: np.ndarray


class Teacher:
    """multilingual-e5-small, which reads the same text with its own tokeniser.

    Args:
        model: MultilingualE5.
        layer: int, the index of the layer whose hidden states are taught, from 0.
        vocabulary: list of str, the student's.
    """

    def __init__(self, model: MultilingualE5, layer: int, vocabulary: Sequence[str]):
        self._tokenizer = _tokenizer(model)
        self._encoder = _encoder(model)
        self._layer = layer
        self._spelling = Spelling(vocabulary)
        self._run = tf.function(self._compute, input_signature=[INPUTS])

    def teach(self, spans: Sequence[np.ndarray], length: int) -> Lesson:
        """Returns the lesson for spans of the student's tokens.

        Its rows are padded to `length`, which includes [CLS] and [SEP].
        """
        spelled = [self._spelling.spell(span) for span in spans]
        pieces = self._tokenizer.encode_batch([PREFIX + text for text, _ in spelled])
        vectors, hidden = self._run(rows([piece.ids for piece in pieces], SPECIAL_IDS))
        owners = np.zeros((len(spans), length), np.int32)
        weights = np.zeros((len(spans), length), np.float32)
        for row, (piece, (_, begins)) in enumerate(zip(pieces, spelled, strict=True)):
            firsts = np.array([begin for begin, _ in piece.offsets])
            owner = np.searchsorted(firsts, np.add(begins, len(PREFIX)), side="right") - 1
            places = slice(1, len(begins) + 1)  # After [CLS]; the piece stands after <s>.
            owners[row, places], weights[row, places] = owner + 1, 1
        return Lesson(vectors, tf.gather(hidden, owners, batch_dims=1), weights)

    def _compute(self, inputs):
        outputs = self._encoder(inputs, as_dict=True, all_layers=True)
        mask = tf.cast(inputs["input_mask"], tf.float32)[..., None]
        last = tf.cast(outputs["sequence_output"], tf.float32)
        mean = tf.reduce_sum(last * mask, axis=1) / tf.reduce_sum(mask, axis=1)
        hidden = tf.cast(outputs["encoder_outputs"][self._layer], tf.float32)
        return tf.math.l2_normalize(mean, axis=-1), hidden


class Spelling:
    """Converts ids to text, and finds where each token begins in it."""

    def __init__(self, vocabulary: Sequence[str]):
        self._tokens = [
            "□" if token == "[UNK]" else token.removeprefix("##") for token in vocabulary
        ]
        self._is_glued = [
            token.startswith("##") or not token[:1].isascii() or not token[:1].isalnum()
            for token in vocabulary
        ]

    def spell(self, ids: np.ndarray) -> tuple[str, list[int]]:
        """Returns the text, with spaces between Latin words, and the start of each token."""
        parts, begins, size = [], [], 0
        for token, is_glued in ((self._tokens[i], self._is_glued[i]) for i in ids.tolist()):
            if parts and not is_glued and parts[-1][-1:].isascii():
                parts.append(" ")
                size += 1
            begins.append(size)
            parts.append(token)
            size += len(token)
        return "".join(parts), begins


def _tokenizer(model: MultilingualE5) -> Tokenizer:
    pieces = zip(model.pieces, map(float, model.scores), strict=True)
    tokenizer = Tokenizer(models.Unigram(list(pieces), unk_id=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def _encoder(model: MultilingualE5) -> BertEncoder:
    layers = model.header.layers
    width = model.header.hidden_size
    weights = model.weights(range(layers), model.word_embeddings())
    # The pooler is not asked for; BertEncoder wants to have one.
    weights |= {
        "pooler.dense.kernel": np.zeros((width, width), np.float32),
        "pooler.dense.bias": np.zeros(width, np.float32),
    }
    config = model.config(layers, model.header.vocab_size)
    return BertEncoder(Checkpoint(config, None, None, weights), dtype="bfloat16", output_key=None)
