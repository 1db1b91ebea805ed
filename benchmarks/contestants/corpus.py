"""What makes vectors of a whole file of texts; each in a process of its own."""

import pathlib
import tempfile

import numpy as np

# The folder that `Writer` writes, and the file of texts, both in one place.
MODEL, LINES = "sentence_transformers", "lines.txt"
MAX_LENGTH = 128
POOLING = "mean"


class Writer:
    """Writes one model for all contestants: the small checkpoint, with a mean over its tokens."""

    def __init__(self, place: str):
        from keras_bert_zh import SentenceEncoder, save_checkpoint

        model = SentenceEncoder("small", POOLING, normalize=True, max_length=MAX_LENGTH)
        save_checkpoint(model, pathlib.Path(place, MODEL), "huggingface")


class Command:
    """`embed` of an exported model, from reading the file to the last Parquet file."""

    def __init__(self, place: str, engine: str, dtype: str | None, workers: int | None = None):
        from keras_bert_zh.corpus.job import embed_corpus
        from keras_bert_zh.corpus.options import Options

        self._embed = embed_corpus
        self._workers = workers
        self._folder = tempfile.TemporaryDirectory(dir=place)
        self._options = Options(_exported(place, self._folder.name, engine, dtype), engine=engine)

    def embed(self, file: str) -> int:
        vectors = pathlib.Path(self._folder.name, "vectors")
        return self._embed([file], vectors, self._options, workers=self._workers).vectors


class Engine:
    """The engine of `Command` alone: it is given batches of ids that are sorted by length."""

    def __init__(self, place: str, engine: str, dtype: str | None):
        from keras_bert_zh import ExportedModel

        with tempfile.TemporaryDirectory() as folder:
            self._model = ExportedModel(_exported(place, folder, engine, dtype), engine)
        self._batches: list[dict[str, np.ndarray]] = []

    def prepare(self, file: str) -> None:
        from keras_bert_zh.corpus.embedder import batches_by_tokens
        from keras_bert_zh.corpus.options import Options

        ids = {name: np.asarray(value) for name, value in _ids(self._model, file).items()}
        lengths = ids["input_mask"].sum(1)
        for places in batches_by_tokens(lengths, Options().batch_tokens):
            longest = lengths[places].max()
            batch = {name: value[places, :longest] for name, value in ids.items()}
            self._batches.append(batch)

    def embed(self, file: str) -> int:
        return sum(len(self._model(batch)) for batch in self._batches)


class Predict:
    """`SentenceEncoder.predict`, in the order of the file."""

    def __init__(self, place: str):
        from keras_bert_zh import SentenceEncoder

        self._model = SentenceEncoder(f"{place}/{MODEL}")

    def embed(self, file: str) -> int:
        return len(self._model.predict(_lines(file), batch_size=32, verbose=0))


class SentenceTransformers:
    """`encode` of sentence-transformers, which sorts by length."""

    def __init__(self, place: str, dtype: str):
        import torch
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(
            f"{place}/{MODEL}", device="cpu", model_kwargs={"dtype": getattr(torch, dtype)}
        )

    def embed(self, file: str) -> int:
        return len(self._model.encode(_lines(file), batch_size=32, show_progress_bar=False))


def _exported(place: str, folder: str, engine: str, dtype: str | None) -> str:
    from keras_bert_zh import SentenceEncoder, export_model
    from keras_bert_zh.corpus.model import CALIBRATED_ON
    from keras_bert_zh.engines.load import FORMATS

    model = SentenceEncoder(f"{place}/{MODEL}")
    texts = None
    if (engine, dtype) == ("openvino", "int8"):  # As `embed` exports it.
        texts = _lines(f"{place}/{LINES}")[:CALIBRATED_ON]
    format = FORMATS[engine]
    return str(export_model(model, f"{folder}/model", format, dtype, calibration=texts))


def _lines(file: str) -> list[str]:
    return pathlib.Path(file).read_text(encoding="utf-8").splitlines()


def _ids(model, file):
    return model.preprocess(_lines(file))
