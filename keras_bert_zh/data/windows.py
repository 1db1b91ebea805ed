"""Joins the outputs of the windows of long texts, and makes datasets of windows."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from keras_bert_zh.arguments import check_int
from keras_bert_zh.data.text_datasets import check_texts
from keras_bert_zh.preprocess import BertPreprocess

if TYPE_CHECKING:
    import tensorflow as tf

# The tokeniser is many times faster on a batch than on one text after the other.
_CUT_AT_ONCE = 64


def join_tokens(values: Any, windows: Mapping[str, Any]) -> "tf.RaggedTensor":
    """Returns a value for each token of each text, from the window with the most context.

    Args:
        values: `[W, S, ...]`, a value for each place in the windows: the logits of a tagger, or
            `windows["starts"]` and other keys.
        windows: the result of `BertPreprocess.windows`.

    Returns:
        `tf.RaggedTensor` `[B, (tokens), ...]`: each token of `BertPreprocess.tokenize` exactly
        once. For pairs, the tokens of the second texts.

    Example:

    >>> from keras_bert_zh import BertPreprocess, join_tokens
    >>> preprocess = BertPreprocess(None, max_length=6)
    >>> windows = preprocess.windows(["今天天气很好", "很好"], stride=2)
    >>> join_tokens(windows["input_ids"], windows).to_list()
    [[791, 1921, 1921, 3698, 2523, 1962], [2523, 1962]]
    >>> preprocess.tokenize(["今天天气很好", "很好"]).to_list()
    [[791, 1921, 1921, 3698, 2523, 1962], [2523, 1962]]
    """
    import tensorflow as tf

    # Windows are in the order of their texts, and so are the tokens that have the most context.
    chosen = windows["is_max_context"]
    counts = tf.math.count_nonzero(chosen, axis=1)
    return tf.RaggedTensor.from_row_lengths(
        tf.boolean_mask(values, chosen), tf.math.segment_sum(counts, windows["text_ids"])
    )


def join_mean(values: Any, windows: Mapping[str, Any]) -> "tf.Tensor":
    """Returns the mean over the windows of each text, for example of logits or vectors.

    Args:
        values: `[W, ...]`, a value for each window.
        windows: the result of `BertPreprocess.windows`.

    Returns:
        `[B, ...]`.

    Example:

    >>> from keras_bert_zh import BertPreprocess, join_mean
    >>> preprocess = BertPreprocess(None, max_length=6)
    >>> windows = preprocess.windows(["今天天气很好", "很好"], stride=2)
    >>> join_mean([1.0, 2.0, 5.0], windows).numpy().tolist()
    [1.5, 5.0]
    """
    import tensorflow as tf

    return tf.math.segment_mean(values, windows["text_ids"])


def join_first(values: Any, windows: Mapping[str, Any]) -> "tf.Tensor":
    """Returns the value of the first window of each text, as if the texts had been cut.

    Args:
        values: `[W, ...]`, a value for each window.
        windows: the result of `BertPreprocess.windows`.

    Returns:
        `[B, ...]`.

    Example:

    >>> from keras_bert_zh import BertPreprocess, join_first
    >>> preprocess = BertPreprocess(None, max_length=6)
    >>> windows = preprocess.windows(["今天天气很好", "很好"], stride=2)
    >>> join_first([1.0, 2.0, 5.0], windows).numpy().tolist()
    [1.0, 5.0]
    """
    import tensorflow as tf

    text_ids = tf.convert_to_tensor(windows["text_ids"])
    return tf.gather(values, tf.math.segment_min(tf.range(tf.size(text_ids)), text_ids))


def batch_windows(
    dataset: "tf.data.Dataset",
    preprocess: BertPreprocess,
    batch_size: int,
    *,
    stride: int | None = None,
) -> "tf.data.Dataset":
    """Turns a dataset of texts into batches of windows, each with the label of its text.

    Shuffle the texts before you call this. To shuffle the windows, `unbatch` the result, shuffle
    it and batch it again.

    Args:
        dataset: `tf.data.Dataset` of single elements: `text`, `(text, label)` or
            `(text, label, weight)`. A text is `<string>[]`, ragged `<string>[(words)]`, or a pair
            of these as a tuple or as a dict of `text_a` and `text_b`. A tuple of two strings is a
            pair.
        preprocess: BertPreprocess.
        batch_size: int, the number of windows in a batch; the last batch may have fewer.
        stride: int, as for `preprocess.windows`.

    Returns:
        `tf.data.Dataset` of batches, in the structure of `dataset`, with the dict of
        `preprocess.windows` in place of the text; `text_ids <int64>[W]` count the texts of the
        whole dataset.

    Raises:
        TypeError: if `dataset` is not a `tf.data.Dataset`.
        ValueError: if the texts are already batched or are not strings, or a label is a string.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert_zh import BertPreprocess, batch_windows
    >>> data = tf.data.Dataset.from_tensor_slices((["好" * 20, "很好"], [0, 1]))
    >>> for windows, labels in batch_windows(data, BertPreprocess(None, max_length=12), 2):
    ...     print(windows["input_ids"].shape, windows["text_ids"].numpy(), labels.numpy())
    (2, 12) [0 0] [0 0]
    (2, 12) [0 1] [0 1]
    """
    import tensorflow as tf

    has_labels = check_texts(dataset)
    batch_size = check_int("batch_size", batch_size, 1)
    stride = None if stride is None else check_int("stride", stride, 1)

    def cut(number, element):
        texts, *rest = element if has_labels else (element,)
        windows = preprocess.windows(texts, stride)
        text_ids = windows["text_ids"]
        rest = tf.nest.map_structure(lambda part: tf.gather(part, text_ids), rest)
        windows["text_ids"] = number * _CUT_AT_ONCE + tf.cast(text_ids, tf.int64)
        return (windows, *rest) if has_labels else windows

    batches = dataset.batch(_CUT_AT_ONCE)
    return batches.enumerate().map(cut, tf.data.AUTOTUNE).unbatch().batch(batch_size)
