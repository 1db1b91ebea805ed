"""From labels of words to labels of tokens, and back."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_bert_zh.arguments import check_choice, is_int
from keras_bert_zh.data.label_names import LabelNames
from keras_bert_zh.data.row_checks import check_rows

if TYPE_CHECKING:
    import tensorflow as tf

PIECES = ("first", "all")


def align_labels(
    labels: Any,
    word_ids: Any,
    names: Sequence[str] | None = None,
    *,
    pieces: str = "first",
    word_counts: Any = None,
) -> "tuple[tf.Tensor, tf.Tensor]":
    """Gives each token the label of its word, and tokens without a word the weight 0.

    `BertPreprocess(word_ids=True)` returns the word of each token. This function returns the
    labels and the `sample_weight` for `TokenTagger.fit`. It works in eager mode, and in the graph
    of `tf.data.Dataset.map` on batches of ragged words and labels.

    Args:
        labels: one label a word, str of `names` or ints: lists of lists, ragged `[B, (words)]`, or
            arrays or tensors `[B, words]`.
        word_ids: `<int32>[B, S]`, from `BertPreprocess`. For pairs, give labels for one of the two
            texts, and set `word_ids` to -1 where `segment_ids` is that of the other text.
        names: sequence of K different str, all labels; the label of a token is an index in it.
            `None` for labels that are already ints.
        pieces: `"first"` gives a weight only to the first piece of each word. `"all"` gives a
            weight to all pieces. They have the label of the word, but if `names` follow BIO or
            BIOES, an entity begins and ends only once: the pieces of B-LOC are B-LOC, I-LOC and so
            on.
        word_counts: `<int>[B]`, the number of words of each text, such as `words.row_lengths()`.
            With it, more labels than words are an error. Fewer labels are always an error.

    Returns:
        Labels `<int32>[B, S]` and weights `<float32>[B, S]`, both 0 for `[CLS]`, `[SEP]`, padding
        and, with `pieces="first"`, later pieces.

    Raises:
        ValueError: if a label is not in `names`, `pieces="all"` needs a label that is not in
            `names`, or the number of labels differs from that of words, or of rows from texts.
        tf.errors.InvalidArgumentError: for the same reasons, in a graph.

    Example:

    >>> from keras_bert_zh import BertPreprocess, align_labels
    >>> preprocess = BertPreprocess(None, max_length=8, word_ids=True)
    >>> words, labels = [["我", "用", "Keras"]], [["O", "O", "B-ORG"]]
    >>> word_ids = preprocess(words)["word_ids"]
    >>> names = ["O", "B-ORG", "I-ORG"]
    >>> labels, weights = align_labels(labels, word_ids, names, pieces="all")
    >>> labels.numpy().tolist(), weights.numpy().tolist()
    ([[0, 0, 0, 1, 2, 2, 0, 0]], [[0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]])

    For `fit`, from ragged words and labels:

    >>> import tensorflow as tf
    >>> def to_tokens(words, labels):
    ...     inputs = preprocess(words)
    ...     return inputs, *align_labels(labels, inputs["word_ids"], names)
    >>> words = tf.ragged.constant([["我", "用", "Keras"], ["好"]])
    >>> labels = tf.ragged.constant([["O", "O", "B-ORG"], ["O"]])
    >>> data = tf.data.Dataset.from_tensor_slices((words, labels)).batch(2).map(to_tokens)
    >>> next(iter(data))[1].numpy().tolist()
    [[0, 0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]]
    """
    import tensorflow as tf

    check_choice("pieces", pieces, PIECES)
    known = LabelNames(names)
    word_ids = tf.cast(tf.convert_to_tensor(word_ids), tf.int32)
    if word_ids.shape.rank != 2:
        raise ValueError(f"word_ids must have the shape [batch, length], got {word_ids.shape}.")
    ids = known.to_ids(labels)
    with tf.control_dependencies(_check_counts(ids, word_ids, word_counts)):
        # One more, so that there is something to gather.
        by_word = tf.pad(ids.to_tensor(), [[0, 0], [0, 1]])
        found = tf.gather(by_word, tf.maximum(word_ids, 0), batch_dims=1)
    edge = tf.fill([tf.shape(word_ids)[0], 1], -1)
    is_first = word_ids != tf.concat([edge, word_ids[:, :-1]], 1)
    is_last = word_ids != tf.concat([word_ids[:, 1:], edge], 1)
    has_weight = word_ids >= 0
    if pieces == "first":
        has_weight &= is_first
    else:
        found = known.of_pieces(found, is_first, is_last)
    return tf.where(has_weight, found, 0), tf.cast(has_weight, tf.float32)


def labels_per_word(
    predictions: Any,
    word_ids: Any,
    word_counts: Any,
    names: Sequence[str] | None = None,
    *,
    pieces: str = "first",
    default: str | int = "O",
) -> list[list]:
    """Returns one label for each word, from the predictions for tokens.

    A word has the label of its first piece. A word without tokens, such as a zero-width space,
    has the label `default`, and so has a word that was cut off. If words were cut off, a warning
    says how many.

    Args:
        predictions: `<int>[B, S]`, the labels of tokens as indices; or str.
        word_ids: `<int>[B, S]`, from `BertPreprocess(word_ids=True)`.
        word_counts: `<int>[B]`, the number of words of each text, such as `map(len, words)`.
        names: sequence of str, the names of the indices, such as the `labels` of a `TokenTagger`.
            `None` leaves predictions as they are.
        pieces: the value that `align_labels` was called with. With `"all"`, a word with the pieces
            B-LOC, I-LOC and E-LOC has the label S-LOC, since the entity begins and ends in it.
        default: the label of words without a prediction.

    Returns:
        List of B lists of labels.

    Raises:
        ValueError: if the shapes do not match, a text has fewer words than `word_ids` has, an
            index is outside `names`, or `default` is not an index although predictions are.

    Example:

    >>> from keras_bert_zh import BertPreprocess, labels_per_word
    >>> words = [["我", "\\u200b", "用", "Keras"]]
    >>> inputs = BertPreprocess(None, max_length=8, word_ids=True)(words)
    >>> predictions = [[0, 0, 0, 1, 2, 2, 0, 0]]
    >>> labels_per_word(predictions, inputs["word_ids"], map(len, words), ["O", "B-ORG", "I-ORG"])
    [['O', 'O', 'O', 'B-ORG']]
    """
    check_choice("pieces", pieces, PIECES)
    known = LabelNames(names)
    predictions, word_ids = np.asarray(predictions), np.asarray(word_ids)
    counts = [int(count) for count in _to_list(word_counts)]
    if predictions.shape != word_ids.shape or word_ids.ndim != 2 or len(counts) != len(word_ids):
        raise ValueError(
            "predictions and word_ids must have the shape [batch, length] and word_counts [batch], "
            f"got {predictions.shape}, {word_ids.shape} and [{len(counts)}]."
        )
    if predictions.dtype.kind == "f":
        raise ValueError("predictions must be labels, got floats: take the argmax of logits.")
    if names is None and pieces == "all":
        raise ValueError("pieces='all' needs names, the list of all labels.")
    if names is None and (predictions.dtype.kind in "iu") != is_int(default):
        raise ValueError(
            "default must be an index if predictions are indices, and a str if not, got "
            f"{default!r}. Or pass names, the list of all labels."
        )
    rows = known.to_names(predictions.tolist())
    answers, cut = [], []
    for row, (labels, ids, count) in enumerate(zip(rows, word_ids.tolist(), counts, strict=True)):
        of_words: dict[int, list] = {}
        for label, word in zip(labels, ids, strict=True):
            of_words.setdefault(word, []).append(label)
        of_words.pop(-1, None)
        seen = max(of_words, default=-1) + 1
        if seen > count:
            raise ValueError(f"Text {row} has {count} words, but word_ids has {seen}.")
        # Before its last token, which is [SEP], a row that is full has no padding.
        cut.append(count - seen if ids[-2:-1] != [-1] else 0)
        pieces_of = (of_words.get(word) for word in range(count))
        answers.append(
            [_of_word(found, pieces, known) if found else default for found in pieces_of]
        )
    if any(cut):
        warnings.warn(
            f"{sum(cut)} words of {np.count_nonzero(cut)} texts were cut off at "
            f"{word_ids.shape[1]} tokens and have the label {default!r}. Use a larger max_length "
            "or shorter texts.",
            stacklevel=2,
        )
    return answers


def _of_word(labels: list, pieces: str, known: LabelNames) -> Any:
    return labels[0] if pieces == "first" else known.of_word(labels[0], labels[-1])


def _check_counts(
    ids: "tf.RaggedTensor", word_ids: "tf.Tensor", word_counts: Any
) -> "list[tf.Operation]":
    """Raises unless there are as many labels as words; in a graph, returns what does so."""
    import tensorflow as tf

    texts = tf.shape(word_ids)[:1]
    rows = tf.cast(ids.nrows(), tf.int32)[None]
    same = check_rows(texts != rows, "There are labels for {} texts, but {} texts.", rows, texts)
    with tf.control_dependencies(same):
        counts = tf.cast(ids.row_lengths(), tf.int32)
    row = tf.range(tf.size(counts))
    seen = tf.reduce_max(tf.pad(word_ids, [[0, 0], [0, 1]], constant_values=-1), 1) + 1
    message = "Text {} has {} labels and {} words"
    if word_counts is None:
        return check_rows(counts < seen, f"{message} or more.", row, counts, seen)
    words = tf.cast(tf.convert_to_tensor(_to_list(word_counts)), tf.int32)
    return check_rows(
        (counts != words) | (words < seen),
        f"{message}, and word_ids has {{}} words or more.",
        row,
        counts,
        words,
        seen,
    )


def _to_list(counts: Any) -> Any:
    return counts if hasattr(counts, "shape") else list(counts)
