"""From answers in texts to the labels that a SpanReader is trained on."""

from typing import Any

from keras_bert_zh.data.row_checks import check_rows
from keras_bert_zh.preprocess import BertPreprocess


def span_labels(
    preprocess: BertPreprocess,
    questions: Any,
    texts: Any,
    answers: Any,
    starts: Any,
    *,
    stride: int | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns windows of texts, and the position of the answer in each window.

    If an answer begins or ends within a token, the label is the whole token. The function also
    works in graphs, on batches of a dataset: `unbatch` the result, and batch it again.

    Args:
        preprocess: BertPreprocess.
        questions, texts: each `<string>[B]`.
        answers: `<string>[B]`, as they are in the texts; empty if there is no answer.
        starts: `<int>[B]`, where the answers begin, in characters as Python counts them; any
            number if there is no answer.
        stride: int, as for `preprocess.windows`.

    Returns:
        The windows that `preprocess.windows` returns for these pairs, and the labels for a
        SpanReader: a dict of `start_logits` and `end_logits`, each `<int32>[W]`. They are the
        positions of the first and the last token of the answer, or 0, the position of `[CLS]`, in
        windows that do not contain the whole answer.

    Raises:
        ValueError: if an answer is not at its start, or the numbers of answers, starts and texts
            differ.
        tf.errors.InvalidArgumentError: for the same reasons, in a graph.

    Example:

    >>> from keras_bert_zh import BertPreprocess, span_labels
    >>> preprocess = BertPreprocess(None, max_length=10)
    >>> windows, labels = span_labels(
    ...     preprocess, ["谁"], ["这本书是鲁迅写的"], ["鲁迅"], [4], stride=3
    ... )
    >>> labels["start_logits"].numpy().tolist(), labels["end_logits"].numpy().tolist()
    ([7, 4], [8, 5])

    Reference:
        `convert_examples_to_features` in google-research/bert `run_squad.py`.
    """
    import tensorflow as tf

    from keras_bert_zh.text.entities import characters
    from keras_bert_zh.text.inputs import to_texts
    from keras_bert_zh.text.spans import labels_of_spans

    windows = preprocess.windows((questions, texts), stride, offsets="characters", word_ids=False)
    answers, texts = to_texts(answers).first, to_texts(texts).first
    starts = tf.convert_to_tensor(starts)
    for name, part in (("answers", answers), ("starts", starts)):
        if not part.shape.is_compatible_with(texts.shape):
            raise ValueError(
                f"There must be as many {name} as texts, got {part.shape} and {texts.shape}."
            )
    starts = tf.where(answers == "", 0, tf.cast(starts, tf.int32))
    ends = starts + tf.strings.length(answers, unit="UTF8_CHAR")
    # Beyond the end of a text there is nothing to read.
    within = (starts >= 0) & (ends <= tf.strings.length(texts, unit="UTF8_CHAR"))
    rows = tf.range(tf.size(starts))
    found = characters(texts, rows, *(tf.where(within, place, 0) for place in (starts, ends)))
    message = (
        "Text {}: the answer {} is not at {}, where it should be. Starts are counted in "
        "characters, from 0."
    )
    checked = check_rows(~within | (found != answers), message, rows, answers, starts)
    with tf.control_dependencies(checked):
        first, last = labels_of_spans(windows, starts, ends)
    return windows, {"start_logits": first, "end_logits": last}
