"""Entities of labels, against seqeval's; their texts, against Python's slices."""

from random import Random

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh.text.entities import LabelTable, first_pieces, to_entities

KINDS = ("PER", "LOC", "A-B")
BIO = ("O", *(f"{role}-{kind}" for kind in KINDS for role in "BI"))
BIOES = ("O", *(f"{role}-{kind}" for kind in KINDS for role in "BIES"))
CHARACTERS = "中国aé1 \U0001f600\u200d\ufffd\0"


def table_of(labels):
    kinds = [label[2:] for label in labels]
    names = sorted({*kinds} - {""})
    return LabelTable(
        opens=np.array([label[0] in "BS" for label in labels]),
        closes=np.array([label[0] in "ES" for label in labels]),
        kinds=np.array([names.index(kind) if kind else -1 for kind in kinds], np.int32),
        names=np.array(names, object),
    )


def random_rows(count, rng, labels):
    """Texts of one word a character, with blanks between them, and a label for each word."""
    random = Random(0)
    lengths = rng.integers(0, 12, count)
    texts = [" ".join(random.choices(CHARACTERS, k=length)) for length in lengths]
    flat = rng.integers(0, labels, lengths.sum()).astype("int32")
    starts = tf.cast(2 * tf.ragged.range(lengths), tf.int32)
    return texts, starts, starts.with_values(tf.constant(flat))


@pytest.mark.parametrize("labels", [BIO, BIOES], ids=["BIO", "BIOES"])
def test_entities_are_those_of_seqeval(labels):
    get_entities = pytest.importorskip("seqeval.metrics.sequence_labeling").get_entities
    rng = np.random.default_rng(0)
    texts, starts, ids = random_rows(1000, rng, len(labels))
    scores = rng.random(ids.values.shape[0]).astype("float32")
    found = to_entities(
        tf.constant(texts), ids, ids.with_values(scores), starts, starts + 1, table=table_of(labels)
    )
    found = {key: value.to_list() for key, value in found.items()}
    splits = ids.row_splits.numpy()
    for row, text in enumerate(texts):
        expected = get_entities([labels[label] for label in ids[row].numpy()])
        assert [label.decode() for label in found["label"][row]] == [
            kind for kind, _, _ in expected
        ]
        places = [(2 * first, 2 * last + 1) for _, first, last in expected]
        assert list(zip(found["start"][row], found["end"][row], strict=True)) == places
        assert [part.decode() for part in found["text"][row]] == [text[a:b] for a, b in places]
        own = scores[splits[row] : splits[row + 1]]
        means = [own[first : last + 1].mean() for _, first, last in expected]
        np.testing.assert_allclose(found["score"][row], means, rtol=1e-6)


def test_bytes_that_are_not_utf_8_count_as_no_characters():
    text = b"\xff\xe5\x8c\x97\xe4\xba\xac\xed\xa0\x80\xe5\xb8\x82\xe5\x8c"
    assert text.decode("utf-8", "ignore") == "北京市"
    row = tf.RaggedTensor.from_tensor([[0, 1]])
    found = to_entities(
        tf.constant([text]),
        row + 1,
        tf.cast(row, tf.float32),
        tf.RaggedTensor.from_tensor([[0, 2]]),
        tf.RaggedTensor.from_tensor([[2, 3]]),
        table=table_of(("O", "B-LOC", "I-LOC")),
    )
    assert {key: value.to_list() for key, value in found.items()} == {
        "text": [["北京市".encode()]],
        "start": [[0]],
        "end": [[3]],
        "label": [[b"LOC"]],
        "score": [[0.5]],
    }


@pytest.mark.parametrize("rows", [0, 2])
def test_texts_without_tokens(rows):
    none = tf.RaggedTensor.from_row_lengths(tf.constant([], tf.int32), [0] * rows)
    table = table_of(BIO)
    texts = tf.constant([""] * rows, tf.string)
    found = to_entities(texts, none, tf.cast(none, tf.float32), none, none, table=table)
    assert {key: value.to_list() for key, value in found.items()} == dict.fromkeys(
        ("text", "start", "end", "label", "score"), [[]] * rows
    )
    first, ends = first_pieces(tf.cast(none, tf.bool), none)
    assert first.to_list() == ends.to_list() == [[]] * rows


def test_words_end_where_their_last_pieces_do():
    """Where the first token of a row says that it is a later piece, it begins a word anyway."""
    follows = tf.ragged.constant([[False, True, True, False], [], [True, True], [False]])
    ends = tf.ragged.constant([[1, 2, 5, 7], [], [3, 4], [2]], dtype=tf.int32)
    first, words = first_pieces(follows, ends)
    assert first.to_list() == [[True, False, False, True], [], [True, False], [True]]
    assert words.to_list() == [[5, 7], [], [4], [2]]
