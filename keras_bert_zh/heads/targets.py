"""Converts labels and class weights from users into the form that losses take."""

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_bert_zh.arguments import check_number
from keras_bert_zh.heads.batches import has_strings


def label_numbers(y: Any, labels: Sequence[str], *, several: bool = False) -> Any:
    """Returns names of labels as numbers; values that are already numbers do not change.

    Args:
        y: list, tuple, array or tensor of the names; with `several`, a list of lists of them.
        labels: the names of the outputs.
        several: whether a text can have any number of labels.

    Returns:
        `<int32>[B]`, or `<float32>[B, K]` with 1 for the labels that a text has.

    Raises:
        ValueError: if a value is not one of these names.
    """
    if isinstance(y, tuple) and all(isinstance(name, str) for name in y):
        y = list(y)
    elif hasattr(y, "__array__") and has_strings(y):
        y = [row.decode() if isinstance(row, bytes) else row for row in np.asarray(y).tolist()]
    if not isinstance(y, list):
        return y
    rows = [list(row) if isinstance(row, (list, tuple, set)) else [row] for row in y]
    none_at_all = several and not any(rows)
    if not none_at_all and not any(isinstance(name, str) for row in rows for name in row):
        return y
    numbers_of = {label: number for number, label in enumerate(labels)}
    for place, row in enumerate(rows):
        strange = [name for name in row if not isinstance(name, str) or name not in numbers_of]
        if strange:
            raise ValueError(
                f"Row {place} has the label {strange[0]!r}, but the model has {_shown(labels)}. "
                "Create the model with all labels of your data."
            )
        if not several and len(row) != 1:
            raise ValueError(
                f"Row {place} has {len(row)} labels, {row}, but the model takes one for each text. "
                'For several labels, create it with problem_type="multi_label_classification".'
            )
    if not several:
        return np.array([numbers_of[row[0]] for row in rows], "int32")
    found = np.zeros((len(rows), len(labels)), "float32")
    for place, row in enumerate(rows):
        found[place, [numbers_of[name] for name in row]] = 1
    return found


def check_numbers(y: Any, labels: Sequence[str], rank: int) -> None:
    """Raises ValueError for labels of a wrong shape, and for numbers without a label.

    Args:
        y: labels; only numbers in a list or an array are checked.
        labels: the names of the outputs.
        rank: int, the number of dimensions of the labels: 1 for texts, 2 for tokens.
    """
    if not isinstance(y, (list, np.ndarray)):
        return
    try:
        found = np.asarray(y)
    except ValueError:  # Rows of different lengths, of which Keras tells.
        return
    if found.dtype.kind in "iuf" and found.ndim > rank and found.shape[-1] != 1:
        raise ValueError(
            f"Labels must be numbers, <int32>[{'B, S'[: 3 * rank - 2]}], got the shape "
            f"{list(found.shape)}. For one-hot labels, use np.argmax(labels, axis=-1)."
        )
    if found.dtype.kind == "f" and not np.all(found == np.floor(found)):
        odd = found[found != np.floor(found)][0]
        raise ValueError(
            f"Labels must be whole numbers from 0 to {len(labels) - 1}, got {odd}. To predict "
            "numbers such as scores, create a TextClassifier with one label and "
            'problem_type="regression".'
        )
    if found.dtype.kind not in "iu":
        return
    strange = found[(found < 0) | (found >= len(labels))]
    if strange.size:
        raise ValueError(
            f"Labels must be numbers from 0 to {len(labels) - 1}, got {strange[0]}: the model has "
            f"{_shown(labels)}."
        )


def check_several(y: Any, labels: Sequence[str]) -> None:
    """Raises ValueError unless each text has a row with one number for each label.

    Args:
        y: the value that `label_numbers` returned; only numbers in a list or an array are checked.
        labels: the names of the outputs.
    """
    if not isinstance(y, (list, np.ndarray)):
        return
    try:
        got = f"the shape {list(np.shape(y))}"
        is_right = np.shape(y)[1:] == (len(labels),)
    except ValueError:
        got, is_right = "rows of different lengths", False
    if not is_right:
        raise ValueError(
            "For several labels in each text, pass lists of their names, or "
            f"<float>[B, {len(labels)}] of 0 and 1; got {got}."
        )


def check_values(y: Any, outputs: int) -> None:
    """Raises ValueError unless there is a number for each output of a regression.

    Args:
        y: numbers; only those in a list or an array are checked.
        outputs: the number of outputs of the model.
    """
    if not isinstance(y, (list, np.ndarray)):
        return
    try:
        given = np.shape(y)
    except ValueError:  # Rows of different lengths, of which Keras tells.
        return
    if given[1:] != (outputs,) and not (outputs == 1 and len(given) == 1):
        raise ValueError(
            f"This regression needs {outputs} number{'s' * (outputs > 1)} for each text, "
            f"<float>[B, {outputs}], got the shape {list(given)}."
        )


def check_given(model: Any, x: Any, y: Any) -> None:
    """Raises ValueError for texts or ids without the labels that the model needs."""
    if y is None and isinstance(x, (list, tuple, dict, np.ndarray)):
        raise ValueError(
            f"{type(model).__name__} needs labels, got none: pass them after the texts, as in "
            "fit(texts, labels)."
        )


def check_of_tokens(y: Any) -> None:
    """Raises ValueError for labels that are names, or that belong to words and not to tokens.

    Args:
        y: labels; only lists, arrays and ragged tensors are checked.
    """
    is_ragged, kind = hasattr(y, "row_splits"), ""
    if isinstance(y, (list, np.ndarray)):
        try:
            kind = np.asarray(y).dtype.kind
        except ValueError:  # Rows of different lengths.
            is_ragged = True
    if is_ragged or kind in ("O", "U", "S"):
        raise ValueError(
            "TokenTagger needs labels as numbers, <int32>[B, S], one for each token. For names, or "
            "for labels of words, use align_labels(labels, word_ids, model.labels) with the "
            "word_ids of BertPreprocess(word_ids=True)."
        )


def check_length(x: Any, y: Any, preprocess: Any) -> None:
    """Raises ValueError if the number of labels is not the number of tokens of a text.

    Args:
        x: texts, or a dict of ids.
        y: labels; only those in an array are checked.
        preprocess: BertPreprocess, or `None`.
    """
    if not isinstance(y, np.ndarray) or y.ndim != 2:
        return
    if isinstance(x, dict) and "input_ids" in x:
        length = np.shape(x["input_ids"])[1]
    else:
        length = y.shape[1] if preprocess is None else preprocess.max_length
    if y.shape[1] != length:
        raise ValueError(
            f"Labels must be numbers for {length} tokens in each text, <int32>[B, {length}], got "
            f"the shape {list(y.shape)}. For labels of words, use align_labels."
        )


def check_dataset(x: Any) -> None:
    """Raises ValueError if the labels in a `tf.data` dataset are names."""
    spec = getattr(x, "element_spec", None)
    if isinstance(spec, tuple) and len(spec) > 1:
        kinds = {str(getattr(part, "dtype", None)) for part in keras.tree.flatten(spec[1])}
        if any("string" in kind for kind in kinds):
            raise ValueError(
                "The labels in a dataset must be numbers, got strings: look them up in "
                "model.labels before you create the dataset, or pass texts and labels as lists."
            )


def weights_of_classes(class_weight: Mapping, labels: Sequence[str]) -> dict[int, float]:
    """Returns a weight for the number of each label; 1 for labels without a weight.

    Keras also uses 1 for labels that are left out, but fails on them in `tf.data`.

    Args:
        class_weight: the argument of `fit`, by numbers or names of labels.
        labels: the names of the outputs.

    Raises:
        ValueError: if it is not a dict, or a label does not exist.
    """
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            "class_weight must be a dict from names or numbers of labels to weights, got "
            f"{class_weight!r}."
        )
    found = dict.fromkeys(range(len(labels)), 1.0)
    for key, weight in class_weight.items():
        number = labels.index(key) if isinstance(key, str) and key in labels else key
        if not isinstance(number, numbers.Integral) or number not in found:
            raise ValueError(f"class_weight has {key!r}, but the model has {_shown(labels)}.")
        found[int(number)] = check_number(f"class_weight[{key!r}]", weight, 0)
    return found


def _shown(labels: Sequence[str]) -> str:
    named = ", ".join(f"{label!r}" for label in labels[:20])
    return f"the {len(labels)} labels {named}{', ...' if len(labels) > 20 else ''}"
