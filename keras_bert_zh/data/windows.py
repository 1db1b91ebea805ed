"""What a model makes of the windows of long texts, put together again; and windows as a dataset."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf


def join_tokens(values: Any, windows: Mapping[str, Any]) -> "tf.RaggedTensor":
    """Returns the values of the tokens of each text, each from the window with the most context.

    Args:
        values: `[W, S, ...]`, a value for each place in the windows: the logits of a tagger, or
            `windows["starts"]` and other keys.
        windows: what `BertPreprocess.windows` returned.

    Returns:
        `tf.RaggedTensor` `[B, (tokens), ...]`: the tokens of `BertPreprocess.tokenize`, none left
        out and none twice. Of pairs, those of the second texts.

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
    """Returns the mean over the windows of each text, such as that of logits or vectors.

    Args:
        values: `[W, ...]`, a value for each window.
        windows: what `BertPreprocess.windows` returned.

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
    """Returns what the first window of each text has, as if texts had been cut.

    Args:
        values: `[W, ...]`, a value for each window.
        windows: what `BertPreprocess.windows` returned.

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
