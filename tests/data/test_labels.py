"""Labels of words to labels of tokens, and back."""

import random
import warnings

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess, align_labels, batch_by_length, labels_per_word
from keras_bert_zh.label_schemes import find_fault, to_spans

BIO = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
BIOES = [*BIO, "E-LOC", "S-LOC", "E-PER", "S-PER"]
NAMES = {"BIO": BIO, "BIOES": BIOES}
# With 0 to 4 pieces.
WORDS = ["我", "好", "Keras", "unaffable", "\u200b", ""]
LENGTH = 24


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(None, max_length=LENGTH, word_ids=True)


@pytest.fixture(scope="module")
def texts():
    generator = random.Random(1)
    return [generator.choices(WORDS, k=generator.randrange(16)) for _ in range(60)]


@pytest.fixture(scope="module")
def word_ids(preprocess, texts):
    return preprocess(texts)["word_ids"].numpy()


def labels_of(texts, scheme):
    """Labels that mark whole entities."""
    generator = random.Random(2)
    rows = []
    for words in texts:
        row = []
        while len(row) < len(words):
            kind, size = generator.choice(["LOC", "PER"]), generator.randrange(1, 4)
            if generator.random() < 0.5 or len(row) + size > len(words):
                row.append("O")
            elif scheme == "BIO":
                row += [f"B-{kind}", *[f"I-{kind}"] * (size - 1)]
            elif size == 1:
                row.append(f"S-{kind}")
            else:
                row += [f"B-{kind}", *[f"I-{kind}"] * (size - 2), f"E-{kind}"]
        rows.append(row)
    return rows


def aligned(*arguments, **options):
    return [values.numpy() for values in align_labels(*arguments, **options)]


@pytest.mark.parametrize("scheme", NAMES)
def test_the_first_piece_has_the_label_of_its_word(texts, word_ids, scheme):
    rows = labels_of(texts, scheme)
    labels, weights = aligned(rows, word_ids, NAMES[scheme])
    assert (labels.dtype, weights.dtype) == (np.int32, np.float32)
    for row, ids, of_tokens, with_weight in zip(rows, word_ids, labels, weights, strict=True):
        expected = [
            (NAMES[scheme].index(row[word]), 1) if word >= 0 and word != before else (0, 0)
            for before, word in zip([-1, *ids], ids, strict=False)
        ]
        assert list(zip(of_tokens, with_weight, strict=True)) == expected


@pytest.mark.parametrize("scheme", NAMES)
def test_all_pieces_mark_the_same_entities(texts, word_ids, scheme):
    """The spans of pieces are those of words, as far as words have pieces."""
    rows, names = labels_of(texts, scheme), NAMES[scheme]
    labels, weights = aligned(rows, word_ids, names, pieces="all")
    np.testing.assert_array_equal(weights, word_ids >= 0)
    for row, ids, of_tokens in zip(rows, word_ids, labels, strict=True):
        tokens = [
            (names[label], word) for label, word in zip(of_tokens, ids, strict=True) if word >= 0
        ]
        pieces = [label for label, _ in tokens]
        if set(ids) >= set(range(len(row))):  # Nothing was cut, nor is without tokens.
            assert find_fault(pieces, scheme) is None
            of_words = [
                (span.kind, tokens[span.start][1], tokens[span.end - 1][1] + 1)
                for span in to_spans(pieces)
            ]
            assert of_words == to_spans(row)
        assert all(row[word][2:] == label[2:] for label, word in tokens)


@pytest.mark.parametrize("pieces", ["first", "all"])
@pytest.mark.parametrize("scheme", NAMES)
def test_there_and_back(texts, word_ids, scheme, pieces):
    rows, names = labels_of(texts, scheme), NAMES[scheme]
    labels, _ = align_labels(rows, word_ids, names, pieces=pieces)
    with pytest.warns(UserWarning, match=r"words of \d+ texts were cut off at 24 tokens"):
        answers = labels_per_word(
            labels, word_ids, map(len, texts), names, pieces=pieces, default="?"
        )
    for row, ids, answer in zip(rows, word_ids, answers, strict=True):
        assert answer == [row[word] if word in ids else "?" for word in range(len(row))]
    assert any("?" in answer for answer in answers)


def test_every_form_of_labels_gives_one_answer(texts, word_ids):
    rows = labels_of(texts, "BIO")
    indices = [[BIO.index(label) for label in row] for row in rows]
    expected = aligned(rows, word_ids, BIO, pieces="all")
    counts = [len(row) for row in rows]
    in_graph = tf.function(align_labels)(
        tf.ragged.constant(rows), word_ids, BIO, pieces="all", word_counts=counts
    )
    for found in (
        aligned(indices, word_ids, BIO, pieces="all"),
        aligned(tf.ragged.constant(rows), word_ids, BIO, pieces="all", word_counts=counts),
        aligned(tf.ragged.constant(indices), word_ids, BIO, pieces="all"),
        in_graph,
    ):
        np.testing.assert_array_equal(found, expected)
    without_names = aligned(indices, word_ids)
    np.testing.assert_array_equal(without_names, aligned(rows, word_ids, BIO))
    dense = np.array([["O", "B-LOC"]])
    np.testing.assert_array_equal(aligned(dense, [[-1, 0, 1, -1]], BIO)[0], [[0, 0, 1, 0]])


def test_in_tf_data_and_batched_by_length(preprocess, texts, word_ids):
    rows = labels_of(texts, "BIO")

    def to_tokens(words, labels):
        return words, *align_labels(
            labels, preprocess(words)["word_ids"], BIO, word_counts=words.row_lengths()
        )

    data = tf.data.Dataset.from_tensor_slices((tf.ragged.constant(texts), tf.ragged.constant(rows)))
    data = data.batch(16).map(to_tokens).unbatch()
    found = []
    for _, labels, weights in batch_by_length(data, preprocess, 7, labels_per_token=True):
        padding = [[0, 0], [0, LENGTH - labels.shape[1]]]
        found += np.concatenate([np.pad(labels, padding), np.pad(weights, padding)], 1).tolist()
    expected = np.concatenate(aligned(rows, word_ids, BIO), 1)
    assert sorted(found) == sorted(expected.tolist())


def test_a_word_without_tokens_shifts_no_label(preprocess):
    words = [["\u200b", "我", "", "好", "\ufffd"]]
    ids = preprocess(words)["word_ids"]
    labels, _ = align_labels([[1, 2, 3, 4, 1]], ids)
    assert labels.numpy()[0, :4].tolist() == [0, 2, 4, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Nothing was cut.
        assert labels_per_word(labels, ids, [5], default=9) == [[9, 2, 9, 4, 9]]


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([["O"], ["O", "B-ORG"]], {}, r"Text 1: the label B-ORG is not one of O, B-LOC"),
        ([[0], [0, 5]], {}, r"Text 1: the label 5 is not one of O, B-LOC"),
        ([["O"], ["O"]], {}, "Text 1 has 1 labels and 2 words or more"),
        ([["O"], ["O", "O", "O"]], {"word_counts": [1, 2]}, "Text 1 has 3 labels and 2 words"),
        ([["O"]], {}, "There are labels for 1 texts, but 2 texts"),
    ],
)
def test_labels_that_do_not_fit(labels, options, message, in_graph):
    word_ids = np.array([[-1, 0, -1, -1], [-1, 0, 1, -1]])
    if in_graph:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            tf.function(align_labels)(tf.ragged.constant(labels), word_ids, BIO, **options)
        return
    with pytest.raises(ValueError, match=message):
        align_labels(labels, word_ids, BIO, **options)


def test_arguments():
    ids = [[-1, 0, -1]]
    for labels, names, options, message in [
        ([["O"]], None, {}, "pass names"),
        ([["O"]], ["O", "O"], {}, "different from each other"),
        ([["O"]], "O", {}, "names must be a list of str"),
        ([["O"]], ["O", "S-LOC"], {"pieces": "all"}, "the label S-LOC need .* with the prefix I,"),
        ([["O"]], BIO, {"pieces": "last"}, "pieces must be 'first' or 'all'"),
        ([["O", 1]], BIO, {}, "Text 0: labels must all be str, .* got 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            align_labels(labels, ids, names, **options)
    for predictions, names, counts, message in [
        ([[0, 1, 0]], None, [1], "default must be an index .* got 'O'"),
        ([[0, 9, 0]], BIO, [1], "Text 0: 9 is neither one of O, B-LOC"),
        ([[0, 1, 0]], BIO, [0], "Text 0 has 0 words, but word_ids has 1"),
        ([[0, 1, 0]], BIO, [1, 1], r"word_counts \[batch\], got .* \[2\]"),
        ([[0.5, 1, 0]], BIO, [1], "take the argmax"),
    ]:
        with pytest.raises(ValueError, match=message):
            labels_per_word(predictions, ids, counts, names)
