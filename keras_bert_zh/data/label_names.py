"""Label names: from names to indices and back, from words to their pieces and back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_bert_zh.arguments import is_int
from keras_bert_zh.data.row_checks import check_rows
from keras_bert_zh.label_schemes import (
    Label,
    find_scheme,
    joined_prefix,
    parsed,
    prefixes_of_pieces,
)
from keras_bert_zh.messages import listing

if TYPE_CHECKING:
    import tensorflow as tf

# What pieces of a word there are, in the order of `LabelNames.of_pieces`.
_INNER, _LAST, _FIRST, _ONLY = range(4)


class LabelNames:
    """K labels, by name and by index.

    Args:
        names: sequence of K different str; `None` for labels that are only indices.

    Raises:
        ValueError: if it is something else.
    """

    def __init__(self, names: Sequence[str] | None):
        if names is not None and (
            isinstance(names, str) or not names or not all(isinstance(n, str) for n in names)
        ):
            raise ValueError(f"names must be a list of str, the labels, got {names!r}.")
        self.names = tuple(names or ())
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"names must be different from each other, got {names!r}.")
        self._in_scheme: dict[Label, int] = {}
        if find_scheme(self.names):
            self._in_scheme = {parsed(name): index for index, name in enumerate(self.names)}

    def to_ids(self, labels: Any) -> "tf.RaggedTensor":
        """Returns the index of each label, ragged `<int32>[B, (words)]`.

        Raises:
            ValueError: if a label is neither in `names` nor the index of a name. In a graph it is
                `tf.errors.InvalidArgumentError`.
        """
        import tensorflow as tf

        labels = _to_ragged(labels)
        values = labels.values
        if values.dtype == tf.string:
            if not self.names:
                raise ValueError("Labels are strings: pass names, the list of all labels.")
            hits = values[:, None] == tf.constant(self.names)
            ids = tf.argmax(hits, 1, tf.int32)
            unknown = ~tf.reduce_any(hits, 1)
        elif values.dtype.is_integer:
            ids = tf.cast(values, tf.int32)
            unknown = ids < 0
            if self.names:
                unknown |= ids >= len(self.names)
        else:
            raise ValueError(f"Labels must be str or ints, got {values.dtype.name}.")
        expected = f"one of {listing(self.names, 20)}" if self.names else "an index from 0 on"
        checked = check_rows(
            unknown,
            f"Text {{}}: the label {{}} is not {expected}.",
            labels.value_rowids(),
            values,
        )
        with tf.control_dependencies(checked):
            return labels.with_values(tf.identity(ids))

    def of_pieces(
        self, ids: "tf.Tensor", is_first: "tf.Tensor", is_last: "tf.Tensor"
    ) -> "tf.Tensor":
        """Returns the labels of pieces of words, given those of the words; both `<int32>[B, S]`."""
        import tensorflow as tf

        if not self._in_scheme:
            return ids
        kind = 2 * tf.cast(is_first, tf.int32) + tf.cast(is_last, tf.int32)
        return tf.gather_nd(tf.constant(self._pieces()), tf.stack([ids, kind], -1))

    def to_names(self, rows: list[list]) -> list[list]:
        """Returns the names of indices; what is a name already, or has none, stays as it is."""
        if not self.names:
            return [[_decoded(label) for label in labels] for labels in rows]
        return [[self._name(row, label) for label in labels] for row, labels in enumerate(rows)]

    def of_word(self, first: str, last: str) -> str:
        """Returns the label of a word, given those of its first and of its last piece.

        It is that of the first one, unless the entity begins with the first and ends with the last.
        """
        if not self._in_scheme:
            return first
        begin, end = parsed(first), parsed(last)
        prefix = joined_prefix(begin.prefix, end.prefix if begin.kind == end.kind else "O")
        index = self._in_scheme.get(begin._replace(prefix=prefix))
        return first if index is None else self.names[index]

    def _name(self, row: int, label: Any) -> str:
        if is_int(label) and 0 <= label < len(self.names):
            return self.names[label]
        name = _decoded(label)
        if name not in self.names:
            raise ValueError(
                f"Text {row}: {name!r} is neither one of {listing(self.names, 20)} nor its index."
            )
        return name

    def _pieces(self) -> np.ndarray:
        """Returns what becomes of each label at a piece of a word, `<int32>[K, 4]`."""
        table = np.zeros([len(self.names), 4], np.int32)
        for label, index in self._in_scheme.items():
            first, inner, last = list(prefixes_of_pieces(label.prefix, 3))
            prefixes = {_INNER: inner, _LAST: last, _FIRST: first, _ONLY: label.prefix}
            for kind, prefix in prefixes.items():
                needed = label._replace(prefix=prefix)
                if needed not in self._in_scheme:
                    raise ValueError(
                        f"The pieces of a word with the label {self.names[index]} need a label of "
                        f"the same type with the prefix {prefix}, which is not in names: add it, "
                        'or pass pieces="first".'
                    )
                table[index, kind] = self._in_scheme[needed]
        return table


def _to_ragged(labels: Any) -> "tf.RaggedTensor":
    import tensorflow as tf

    if isinstance(labels, tf.RaggedTensor) or tf.is_tensor(labels):
        if labels.shape.rank != 2:
            raise ValueError(f"labels must have the shape [batch, (words)], got {labels.shape}.")
        is_ragged = isinstance(labels, tf.RaggedTensor)
        return labels if is_ragged else tf.RaggedTensor.from_tensor(labels)
    rows = [list(row) for row in labels]
    values = [label for row in rows for label in row]
    kind = str if values and isinstance(values[0], str) else int
    for row, of_row in enumerate(rows):
        for label in of_row:
            if not (isinstance(label, str) if kind is str else is_int(label)):
                raise ValueError(
                    f"Text {row}: labels must all be {kind.__name__}, like the first one, got "
                    f"{label!r}."
                )
    return tf.RaggedTensor.from_row_lengths(
        tf.constant(values, tf.string if kind is str else tf.int32), [len(row) for row in rows]
    )


def _decoded(label: Any) -> Any:
    return label.decode() if isinstance(label, bytes) else label
