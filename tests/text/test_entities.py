"""Entities of labels, against seqeval's; their texts, against Python's slices."""

from random import Random

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh.text.entities import first_pieces, to_entities
from keras_bert_zh.text.plain_entities import join_entities, label_table, words_of

KINDS = ("PER", "LOC", "A-B")
BIO = ("O", *(f"{role}-{kind}" for kind in KINDS for role in "BI"))
BMES = ("O", *(f"{role}-{kind}" for kind in KINDS for role in "BIMES"))
CHARACTERS = "中国aé1 \U0001f600\u200d\ufffd\0"


def random_rows(count, rng, labels):
    """Texts of one word a character, with blanks between them, and a label for each word."""
    random = Random(0)
    lengths = rng.integers(0, 12, count)
    texts = [" ".join(random.choices(CHARACTERS, k=length)) for length in lengths]
    flat = rng.integers(0, labels, lengths.sum()).astype("int32")
    starts = tf.cast(2 * tf.ragged.range(lengths), tf.int32)
    return texts, starts, starts.with_values(tf.constant(flat))


@pytest.mark.parametrize("labels", [BIO, BMES], ids=["BIO", "BMES"])
def test_entities_are_those_of_seqeval(labels):
    get_entities = pytest.importorskip("seqeval.metrics.sequence_labeling").get_entities
    rng = np.random.default_rng(0)
    texts, starts, ids = random_rows(300, rng, len(labels))
    scores = rng.random(ids.values.shape[0]).astype("float32")
    table = label_table(labels)
    found = to_entities(
        tf.constant(texts), ids, ids.with_values(scores), starts, starts + 1, table=table
    )
    found = {key: value.to_list() for key, value in found.items()}
    splits = ids.row_splits.numpy()
    for row, text in enumerate(texts):
        names = [labels[label].replace("M-", "I-") for label in ids[row].numpy()]
        expected = get_entities(names)
        assert [label.decode() for label in found["label"][row]] == [
            kind for kind, _, _ in expected
        ]
        places = [(2 * first, 2 * last + 1) for _, first, last in expected]
        assert list(zip(found["start"][row], found["end"][row], strict=True)) == places
        assert [part.decode() for part in found["text"][row]] == [text[a:b] for a, b in places]
        own = scores[splits[row] : splits[row + 1]]
        means = [own[first : last + 1].mean() for _, first, last in expected]
        np.testing.assert_allclose(found["score"][row], means, rtol=1e-6)


@pytest.mark.parametrize("labels", [BIO, BMES, ("n", "v", "O", "M")], ids=["BIO", "BMES", "names"])
def test_entities_of_one_text_are_those_of_a_batch(labels):
    rng = np.random.default_rng(1)
    texts, starts, ids = random_rows(300, rng, len(labels))
    ends = tf.cast(starts + 1, tf.int32)
    scores = ids.with_values(rng.random(ids.values.shape[0]).astype("float32"))
    table = label_table(labels)
    found = to_entities(tf.constant(texts), ids, scores, starts, ends, table=table)
    found = {key: value.to_list() for key, value in found.items()}
    columns = [column.to_list() for column in (ids, scores, starts, ends)]
    for row, text in enumerate(texts):
        entities = join_entities(*(column[row] for column in columns), table=table, text=text)
        for key, theirs in found.items():
            ours = [entity[key] for entity in entities]
            assert [x.encode() if isinstance(x, str) else x for x in ours] == theirs[row]
    entities = join_entities([1], [0.1], [0], [1], table=table, text="a")
    assert type(entities[0]["score"]) is float
    assert join_entities([], [], [], [], table=table, text="") == []


@pytest.mark.parametrize(
    ("labels", "row", "expected"),
    [
        (["[PAD]", "O", "B-LOC", "I-LOC"], [2, 0, 3, 3, 1, 2], "0-1 LOC, 2-4 LOC, 5-6 LOC"),
        (["n", "v", "O", "M"], [0, 0, 1, 2, 3, 3, 1], "0-2 n, 2-3 v, 4-6 M, 6-7 v"),
        (["O", "PERSON", "E-MAIL"], [1, 2, 2, 0], "0-1 PERSON, 1-3 E-MAIL"),
        (["LABEL_0", "LABEL_1"], [0, 0, 1], "0-2 LABEL_0, 2-3 LABEL_1"),
        (["B", "M", "E", "S"], [0, 1, 2, 3, 0, 2], "0-3 , 3-4 , 4-6 "),
        (["B_LOC", "L_LOC", "U_LOC", "O"], [0, 1, 2, 2, 3], "0-2 LOC, 2-3 LOC, 3-4 LOC"),
        (["O"], [0, 0], ""),
    ],
)
def test_other_lists_of_labels(labels, row, expected):
    ids = tf.RaggedTensor.from_tensor([row])
    starts = tf.RaggedTensor.from_tensor([range(len(row))])
    scores = tf.cast(ids, tf.float32)
    found = to_entities(
        tf.constant(["a" * len(row)]), ids, scores, starts, starts + 1, table=label_table(labels)
    )
    parts = zip(*(found[key].values.numpy() for key in ("start", "end", "label")), strict=True)
    assert ", ".join(f"{start}-{end} {label.decode()}" for start, end, label in parts) == expected


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
        table=label_table(("O", "B-LOC", "I-LOC")),
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
    table = label_table(BIO)
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
    for row, (later, places) in enumerate(zip(follows.to_list(), ends.to_list(), strict=True)):
        firsts, lasts = words_of(later, places)
        assert [place in firsts for place in range(len(later))] == first.to_list()[row]
        assert lasts == words.to_list()[row]
