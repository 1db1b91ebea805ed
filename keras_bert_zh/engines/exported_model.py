"""ExportedModel: runs models that `export_model` wrote."""

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
    """Runs a model that `export_model` wrote, with the interface of a Keras model's `predict`.

    Args:
        folder: the path that `export_model` wrote to.
        engine: the runtime: `"onnxruntime"` or `"openvino"` for `"onnx"`, `"tensorflow"` for
            `"savedmodel"`, `"litert"` for `"litert"`. `None` for the first one of its format.
        threads: int, the number of threads. `None` for the engine's default.

    Call arguments:
        x: one batch of the inputs of `predict`; one `str` is a batch of one.

    Returns:
        NumPy arrays in the structure of the Keras model's outputs.

    Attributes:
        folder: pathlib.Path.
        preprocess: BertPreprocess, or `None` if the model only takes ids.
        labels: tuple of str, the names of the outputs, or `None`.
        problem_type: str, as in TextClassifier, or `None`.

    Raises:
        FileNotFoundError: if there is no exported model in the folder.
        ValueError: if it is damaged or of another version, the engine can't run its format, or
            the Keras model would not take such inputs.
        TypeError: if texts contain anything but text.
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
        """Returns the outputs of the model for all rows.

        Args:
            x: texts, as a list, array or tensor of strings; pairs of them, as a tuple of two, or a
                dict of `text_a` and `text_b`; ids, as the dict that BertPreprocess returns; or a
                `tf.data.Dataset` of batches of these, with or without labels.
            batch_size: int, the number of rows in a batch. A dataset has its own batches.
            verbose: 0 for no output, 1 or `"auto"` for a progress bar, 2 for one line.

        Returns:
            NumPy arrays in the structure of the Keras model's outputs.

        Raises:
            ValueError: as for a call; and if a dataset has no batches.
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
        """Returns the number of tokens of each text before it is cut, with `[CLS]` and `[SEP]`.

        Args:
            texts: single texts, as for a call. If there is a prompt, its tokens are counted too.

        Returns:
            `<int64>[B]`.

        Raises:
            ValueError: if the model does not take single texts.
        """
        if self._texts is None:
            raise ValueError(
                "This model takes ids, not texts: there are no texts to count tokens in."
            )
        return self._texts.count(texts)

    def _rows(self, x: Any) -> dict[str, Any]:
        """Returns checked arrays and tensors by name, each with one entry per row."""
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
    """Returns one row that is valid for every model."""
    shape = (1, *rows.shape[1:])
    if rows.dtype == object:
        return np.full(shape, "", object)
    return (np.ones if name == "input_mask" else np.zeros)(shape, rows.dtype)


def _batches(rows: dict[str, Any], size: int) -> tuple[Iterator[dict[str, Any]], int]:
    """Returns batches of rows, at least one, and the number of batches."""
    count = next(iter(rows.values())).shape[0]
    starts = range(0, max(count, 1), size)
    cut = ({name: value[i : i + size] for name, value in rows.items()} for i in starts)
    return cut, len(starts)
