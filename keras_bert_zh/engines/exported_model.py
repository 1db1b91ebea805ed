"""ExportedModel: runs what `export_model` has written."""

import os
import pathlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_bert_zh.arguments import check_int
from keras_bert_zh.engines.ids import checked_ids
from keras_bert_zh.engines.load import load_engine
from keras_bert_zh.engines.tensors import named_tensors
from keras_bert_zh.export.description import preprocess_in, read_description
from keras_bert_zh.heads.on_text import are_ids
from keras_bert_zh.heads.pooled import normalized
from keras_bert_zh.input_keys import INPUT_KEYS


class ExportedModel:
    """Runs what `export_model` has written, with the interface of a Keras model's `predict`.

    Args:
        folder: the path that `export_model` wrote to.
        engine: what computes: for `"onnx"` `"onnxruntime"` or `"openvino"`, for `"savedmodel"`
            `"tensorflow"`, for `"litert"` `"litert"`. `None` for the first one of its format.
        threads: int, how many threads compute. `None`: as many as the engine takes by itself.

    Call arguments:
        x: one batch of what `predict` takes; one `str` is a batch of one.

    Returns:
        NumPy arrays in the structure of the outputs of the Keras model.

    Attributes:
        folder: pathlib.Path.
        preprocess: BertPreprocess, or `None` where only ids are taken.
        labels: tuple of str, the names of the outputs, or `None`.
        problem_type: str, as in TextClassifier, or `None`.

    Raises:
        FileNotFoundError: if there is no exported model in the folder.
        ValueError: if it is damaged or of another version, the engine does not run its format, or
            inputs are not what the Keras model took.
        TypeError: if there is anything but text among texts.
        ImportError: if the engine is not installed.

    Example:

    >>> import tempfile
    >>> from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess, TextClassifier
    >>> from keras_bert_zh import ExportedModel, export_model
    >>> config = BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=4)
    >>> preprocess = BertPreprocess(None, max_length=16)
    >>> encoder = BertEncoder(None, config=config)
    >>> model = TextClassifier(encoder, ["差评", "好评"], preprocess=preprocess)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     exported = ExportedModel(export_model(model, f"{place}/model", "savedmodel"))
    >>> exported.predict(["房间很干净", "电池不行"], verbose=0).shape, exported.labels
    ((2, 2), ('差评', '好评'))
    """

    def __init__(
        self, folder: str | os.PathLike, engine: str | None = None, *, threads: int | None = None
    ):
        if not isinstance(folder, (str, os.PathLike)):
            raise TypeError(f"folder must be a path, got {folder!r}.")
        place = pathlib.Path(folder).expanduser()
        self.folder, self._description = place, read_description(place)
        described = self._description
        self._engine = load_engine(place, described, engine, threads)
        self.preprocess = preprocess_in(place, described)
        self.labels = described.labels and tuple(described.labels)
        self.problem_type = described.problem_type
        self._texts = None
        if self.preprocess is not None:
            from keras_bert_zh.engines.texts import Texts  # It imports TensorFlow.

            self._texts = Texts(self.preprocess, described)

    def __call__(self, x: Any) -> Any:
        return self._description.packed(self._outputs(self._rows(x)))

    def predict(self, x: Any, batch_size: int = 32, verbose: str | int = "auto") -> Any:
        """Returns what the model makes of all rows.

        Args:
            x: texts, as a list, array or tensor of strings; pairs of them, as a tuple of two, or a
                dict of `text_a` and `text_b`; ids, as the dict that BertPreprocess returns; or a
                `tf.data.Dataset` of batches of these, with or without labels.
            batch_size: int, how many rows are computed at once. A dataset has batches of its own.
            verbose: 0 for silence, 1 or `"auto"` for a progress bar, 2 for one line.

        Returns:
            NumPy arrays in the structure of the outputs of the Keras model.

        Raises:
            ValueError: as for calling it; and for a dataset without batches.
        """
        batch_size = check_int("batch_size", batch_size, 1)
        verbose = 1 if verbose == "auto" else check_int("verbose", verbose, 0)
        if hasattr(x, "element_spec"):
            given = (keras.utils.unpack_x_y_sample_weight(element)[0] for element in x)
            batches: Iterator[Any] = map(self._rows, given)
            count = int(x.cardinality())
        else:
            batches, count = _batches(self._rows(x), batch_size)
        bar = keras.utils.Progbar(count if count > 0 else None, verbose=verbose, unit_name="step")
        found = []
        for batch in batches:
            found.append(self._outputs(batch))
            bar.update(len(found), finalize=False)
        if not found:
            raise ValueError("The dataset has no batches: pass at least one.")
        bar.update(len(found), finalize=True)
        outputs = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        return self._description.packed(outputs)

    def count_tokens(self, texts: Any) -> np.ndarray:
        """Returns how many tokens each text has before it is cut, with `[CLS]` and `[SEP]`.

        Args:
            texts: single texts, as for calling it. A prompt that is put before them counts.

        Returns:
            `<int64>[B]`.

        Raises:
            ValueError: if the model takes no single texts.
        """
        if self._texts is None:
            raise ValueError("This model takes ids, and has no tokens of texts to count.")
        return self._texts.count(texts)

    def _rows(self, x: Any) -> dict[str, Any]:
        """Returns arrays and tensors by name, checked, all with one entry a row."""
        if self._description.takes == "tensors":
            return named_tensors(x, self._description)
        if self._texts is not None:
            x = self._texts.without_names(x)
        if are_ids(x) or self._texts is None:
            return checked_ids(x, self._description)
        return self._texts.rows(x)

    def _outputs(self, rows: dict[str, Any]) -> list[np.ndarray]:
        if "input_ids" in rows or self._texts is None:
            outputs = self._computed(rows)
        elif self._engine.takes_texts:
            return self._engine(rows)
        else:
            ids = self._texts.ids(rows)
            names = [name for name in INPUT_KEYS if name in self._description.inputs]
            needed = checked_ids({name: ids[name] for name in names}, self._description)
            outputs = self._texts.joined(self._computed(needed), ids)
        if self._description.scaled_after:
            outputs = [normalized(vectors) for vectors in outputs]
        return [np.asarray(value) for value in outputs]

    def _computed(self, rows: dict[str, Any]) -> list[np.ndarray]:
        if next(iter(rows.values())).shape[0]:
            return self._engine(rows)
        # Not every engine can compute on no rows.
        one = {name: _row(name, np.asarray(value)) for name, value in rows.items()}
        return [output[:0] for output in self._engine(one)]


def _row(name: str, rows: np.ndarray) -> np.ndarray:
    """Returns a row that every model takes."""
    shape = (1, *rows.shape[1:])
    if rows.dtype == object:
        return np.full(shape, "", object)
    return (np.ones if name == "input_mask" else np.zeros)(shape, rows.dtype)


def _batches(rows: dict[str, Any], size: int) -> tuple[Iterator[dict[str, Any]], int]:
    """Returns batches of rows, at least one, and how many there are."""
    count = next(iter(rows.values())).shape[0]
    starts = range(0, max(count, 1), size)
    cut = ({name: value[i : i + size] for name, value in rows.items()} for i in starts)
    return cut, len(starts)
