"""Converts the inputs of `BertPreprocess` to string tensors."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_bert_zh.messages import says_it_all

PAIR_KEYS = ("text_a", "text_b")

_RANK = "expected strings of shape [], [batch] or [batch, 1]"
_ADVICE = "Pass a pair of texts as a tuple, pre-split words as a ragged tensor."
_UNEQUAL = "A pair needs the same number of first and second texts"
_NOT_SPLIT = (
    "with word_ids=True each text must be split into words: a list of words in the list of texts, "
    'such as [["今天", "很", "好"]], or a ragged tensor [batch, (words)]; got'
)
_EXPECTED = "str, a list of str, a string tensor of shape [batch] or [batch, 1], or ragged words"


class Texts(NamedTuple):
    """One or two texts in each row, `<string>[B]` or ragged words `<string>[B, (words)]`."""

    first: tf.Tensor | tf.RaggedTensor
    second: tf.Tensor | tf.RaggedTensor | None
    is_scalar: bool


@says_it_all
def split_pair(inputs: Any) -> list[tuple[str, Any]]:
    """Returns the one or two texts of the inputs, each with its name in errors.

    A pair is a tuple, a dict of `text_a` and `text_b`, or a list of tensors, into which Keras turns
    a tuple when it loads a model. Everything else is one text in each row.

    Raises:
        ValueError: for a tuple of a different length, or a dict with other keys.
    """
    if isinstance(inputs, tuple) or (
        isinstance(inputs, list) and inputs and all(map(_is_tensor, inputs))
    ):
        if len(inputs) != 2:
            raise ValueError(
                f"A pair of texts must be a tuple of two, got a tuple of {len(inputs)}. "
                "Pass a batch of single texts as a list of str or as one array."
            )
        return [("the first text", inputs[0]), ("the second text", inputs[1])]
    if isinstance(inputs, dict):
        if set(inputs) not in ({"text_a"}, set(PAIR_KEYS)):
            raise ValueError(
                "A dict of texts must have the keys 'text_a' and, for pairs, 'text_b'; "
                f"got {sorted(map(str, inputs))}."
            )
        return [(key, inputs[key]) for key in PAIR_KEYS if key in inputs]
    return [("texts", inputs)]


@says_it_all
def to_texts(inputs: Any, *, split: bool = False) -> Texts:
    """Converts all kinds of inputs that `BertPreprocess` accepts.

    Args:
        inputs: the texts.
        split: whether they must be split into words.

    Raises:
        TypeError: if a value is not text.
        ValueError: for tensors of a wrong rank, texts that are not split into words with
            `split=True`, and pairs that differ in batch size.
    """
    to_tensor = _to_words if split else _to_tensor
    parts = [to_tensor(name, value) for name, value in split_pair(inputs)]
    scalars = [part.shape.rank == 0 for part in parts]
    if any(scalars) and not all(scalars):
        raise ValueError("The two texts of a pair must both be scalar or both be batches.")
    if scalars[0]:
        parts = [part[None] for part in parts]
    if len(parts) == 1:
        return Texts(parts[0], None, scalars[0])
    first, second = _check_pair(*parts)
    return Texts(first, second, scalars[0])


def some_rows(inputs: Any, most: int) -> Any:
    """Returns at most `most` rows of inputs of `BertPreprocess`, spread evenly over all rows."""
    parts = [value for _, value in split_pair(inputs)]
    if isinstance(parts[0], (str, bytes)) or getattr(parts[0], "shape", None) == ():
        return inputs
    count = parts[0].shape[0] if hasattr(parts[0], "shape") else len(parts[0])
    some = tuple(part[:: max(1, -(-count // most))] for part in parts)
    return some if len(some) == 2 else some[0]


@says_it_all
def check_symbolic(name: str, tensor: keras.KerasTensor, *, split: bool = False) -> None:
    """Raises unless the tensor can contain texts, split into words if `split` is set."""
    _check_dtype(name, tensor.dtype)
    if not split:
        _check_rank(name, tensor.shape)
    elif len(tensor.shape) != 2:
        raise ValueError(f"{name}: " + _NOT_SPLIT + f" shape {list(tensor.shape)}.")


def _check_rank(name: str, shape: tuple[int | None, ...]) -> None:
    if len(shape) > 2 or (len(shape) == 2 and shape[1] not in (1, None)):
        raise ValueError(f"{name}: " + _RANK + f", got shape {list(shape)}. " + _ADVICE)


def _is_tensor(value: Any) -> bool:
    return tf.is_tensor(value) or isinstance(value, (keras.KerasTensor, tf.RaggedTensor))


def _to_tensor(name: str, value: Any) -> tf.Tensor | tf.RaggedTensor:
    if isinstance(value, (str, bytes)):
        return tf.constant(_encode(name, value))
    if isinstance(value, list):
        return _from_list(name, value)
    if isinstance(value, tf.RaggedTensor):
        _check_dtype(name, value.dtype.name)
        if value.ragged_rank != 1 or value.shape.rank != 2:
            raise ValueError(
                f"{name}: expected ragged words of shape [batch, (words)], got shape {value.shape}."
            )
        return value
    if isinstance(value, np.ndarray) or (hasattr(value, "__array__") and not tf.is_tensor(value)):
        array = np.asarray(value)
        if array.dtype.kind not in "OUS":
            raise TypeError(f"{name}: expected " + _EXPECTED + f", got an array of {array.dtype}.")
        _check_rank(name, array.shape)
        flat = [_encode(name, item) for item in array.reshape(-1).tolist()]
        return tf.constant(flat, tf.string, shape=array.shape[:1])
    if not tf.is_tensor(value):
        raise TypeError(f"{name}: expected " + _EXPECTED + f", got {_describe(value)}.")
    _check_dtype(name, value.dtype.name)
    if value.shape.rank is None:
        raise ValueError(f"{name}: the rank of the string tensor must be known, got {value}.")
    _check_rank(name, tuple(value.shape))
    return _only_column(name, value) if value.shape.rank == 2 else value


def _to_words(name: str, value: Any) -> tf.RaggedTensor:
    if isinstance(value, list) and not value:
        return tf.RaggedTensor.from_row_lengths(tf.constant([], tf.string), [])
    if hasattr(value, "shape") and len(value.shape) == 2 and not isinstance(value, tf.RaggedTensor):
        # As many words in each text; also what Sequential makes of ragged words in its graph.
        value = tf.convert_to_tensor(value)
        _check_dtype(name, value.dtype.name)
        return tf.RaggedTensor.from_tensor(value)
    words = _to_tensor(name, value)
    if not isinstance(words, tf.RaggedTensor):
        raise ValueError(f"{name}: " + _NOT_SPLIT + f" {_describe(value)}.")
    return words


def _only_column(name: str, value: tf.Tensor) -> tf.Tensor:
    if value.shape[1] == 1:
        return tf.squeeze(value, 1)
    message = f"{name}: {_RANK}. {_ADVICE}"
    one = tf.debugging.assert_equal(tf.shape(value)[1], 1, message=message)
    with tf.control_dependencies([one]):
        return value[:, 0]


def _from_list(name: str, values: list) -> tf.Tensor | tf.RaggedTensor:
    if not values or not all(isinstance(value, list) for value in values):
        return tf.constant([_encode(name, value) for value in values], tf.string)
    words = [_encode(name, word) for value in values for word in value]
    return tf.RaggedTensor.from_row_lengths(
        tf.constant(words, tf.string), [len(value) for value in values]
    )


def _encode(name: str, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        # A lone surrogate becomes invalid UTF-8, which the tokeniser drops.
        return value.encode("utf-8", "surrogatepass")
    raise TypeError(f"{name}: expected " + _EXPECTED + f", got {_describe(value)} among the texts.")


def _check_dtype(name: str, dtype: str) -> None:
    if dtype != "string":
        raise TypeError(f"{name}: expected " + _EXPECTED + f", got a tensor of dtype {dtype}.")


def _check_pair(first, second):
    given = first.shape[0], second.shape[0]
    if None not in given:
        if given[0] != given[1]:
            raise ValueError(_UNEQUAL + f", got {given[0]} and {given[1]}.")
        return first, second
    same = tf.debugging.assert_equal(_rows(first), _rows(second), message=_UNEQUAL)
    with tf.control_dependencies([same]):
        return tf.identity(first), tf.identity(second)


def _rows(texts: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
    return texts.nrows() if isinstance(texts, tf.RaggedTensor) else tf.shape(texts, tf.int64)[0]


def _describe(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
