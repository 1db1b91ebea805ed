"""Special tokens that are meant where they are written in the text."""

import random
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess
from keras_bert_zh.vocabulary import SPECIAL_TOKENS, chinese_vocabulary

PIECES = [
    *SPECIAL_TOKENS,
    "[mask]",
    "[",
    "MASK]",
    "天气",
    "Keras ",
    "unaffable",
    " ",
    "é",
    "😀",
    "ΑΣ",
]


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(None, special_tokens_in_text=True, max_length=16)


@pytest.fixture(scope="module")
def texts():
    generator = random.Random(3)
    return ["".join(generator.choices(PIECES, k=generator.randrange(9))) for _ in range(300)]


def test_as_hugging_face(preprocess, texts):
    transformers = pytest.importorskip("transformers")
    tokens = {token: index for index, token in enumerate(chinese_vocabulary())}
    theirs = transformers.BertTokenizerFast(vocab=tokens, do_lower_case=True)
    plain = [text.replace("Σ", "") for text in texts]  # Theirs knows no final sigma.
    expected = theirs(plain, add_special_tokens=False, return_offsets_mapping=True)
    ids, starts, ends = preprocess.tokenize(plain, offsets=True)
    assert ids.to_list() == expected["input_ids"]
    places = tf.stack([starts.values, ends.values], 1)
    flat = [place for row in expected["offset_mapping"] for place in row]
    np.testing.assert_array_equal(places, flat)


@pytest.mark.parametrize("unit", ["characters", "bytes"])
def test_what_is_between_is_tokenised_as_a_text_of_its_own(preprocess, texts, unit):
    """Where bytes are not UTF-8, too."""
    ids = {token.encode(): index for token, index in preprocess.special_ids.items()}
    rows = [text.encode() for text in texts]
    rows += [row.replace(b" ", b"\xff\xe5\0") for row in rows]
    split = [re.split(rb"(\[(?:PAD|UNK|CLS|SEP|MASK)\])", row) for row in rows]
    pieces = [piece for of_row in split for piece in of_row]
    plain, found = (
        zip(*(column.to_list() for column in of.tokenize(given, offsets=unit)), strict=True)
        for of, given in ((BertPreprocess(None), pieces), (preprocess, rows))
    )
    for of_row, tokens in zip(split, found, strict=True):
        expected, begin = [], 0
        for piece in of_row:
            size = len(piece if unit == "bytes" else piece.decode("utf-8", "ignore"))
            columns = next(plain)
            if piece in ids:
                columns = [[ids[piece]], [0], [size]]
            for token, start, end in zip(*columns, strict=True):
                expected.append((token, begin + start, begin + end))
            begin += size
        assert list(zip(*tokens, strict=True)) == expected


def test_layout(preprocess, tmp_path):
    texts = ["天\0[MASK]", "", "[SEP][PAD]", "[MASK]" * 20]
    expected = [[101, 1921, 103, 102], [101, 102], [101, 102, 0, 102], [101, *[103] * 14, 102]]
    outputs = preprocess(texts)
    assert outputs["input_ids"].numpy().tolist() == [
        row + [0] * (16 - len(row)) for row in expected
    ]
    assert tf.reduce_sum(outputs["input_mask"], 1).numpy().tolist() == [4, 2, 4, 16]
    assert preprocess.tokenize([["[MASK]", "天"], []]).to_list() == [[103, 1921], []]
    strings = keras.Input((), dtype="string")
    keras.Model(strings, preprocess(strings)).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    found = loaded.predict(tf.constant(texts), verbose=0)
    np.testing.assert_array_equal(found["input_ids"], outputs["input_ids"])


def test_of_the_vocabulary_alone():
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "天", "[", "]", "mask"]
    preprocess = BertPreprocess(vocabulary=vocabulary, special_tokens_in_text=True)
    assert preprocess.tokenize("天[MASK][SEP]").numpy().tolist() == [4, 5, 7, 6, 3]
