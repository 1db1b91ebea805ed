"""The table of servers that are compared, and the model that all of them serve.

Clients see the same in all: `POST /v1/embeddings`, as OpenAI has it.
"""

import pathlib
from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.workloads import HUGGINGFACE

# The folder that `Writer` writes, which is also what requests call the model.
MODEL = "model"
# The same with an ONNX file, for infinity: all it finds in a folder is for one engine.
MODEL_WITH_ONNX = "with_onnx"
PATH = "/v1/embeddings"
# What infinity's engine optimum cuts at, whatever the folder says.
MAX_LENGTH = 512
# The encoders that can be served: of random weights, or the checkpoint of the package.
MODELS = ("base", "small", "tiny")


class Kind(NamedTuple):
    """One server.

    Args:
        command: what starts it, with `{python}`, `{infinity}`, `{root}`, `{model}` and `{port}`.
        ready: the path that answers 200 when it is ready.
        folder: the one that it is started in, which has the model.
        engine: that of ours and its dtype, which is timed in process, too.
    """

    command: tuple[str, ...]
    ready: str
    folder: str = MODEL
    engine: tuple[str, str] | None = None


def _ours(engine: str, dtype: str, *options: str) -> Kind:
    # The whole path: its last part is the name of the model.
    command = ("{python}", "-m", "keras_bert_zh", "serve", "{model}", "--port", "{port}")
    options = ("--engine", engine, "--dtype", dtype, *options)
    return Kind(command + options, "/ready", engine=(engine, dtype))


def _infinity(engine: str, folder: str, *options: str) -> Kind:
    # It finds an ONNX file only in the folder that it is started in.
    command = ("{infinity}/bin/infinity_emb", "v2", "--model-id", ".", "--engine", engine)
    command += ("--served-model-name", MODEL, "--url-prefix", "/v1", "--device", "cpu")
    command += ("--pooling-method", "mean", "--no-bettertransformer", "--no-compile")
    command += ("--host", "127.0.0.1", "--port", "{port}", "--log-level", "error")
    return Kind(command + options, "/health", folder)


def _uvicorn(dtype: str) -> Kind:
    app = f"benchmarks.contestants.encode_app:{dtype}"
    command = ("{python}", "-m", "uvicorn", "--factory", app, "--app-dir", "{root}")
    return Kind((*command, "--port", "{port}", "--log-level", "error"), "/ready")


SERVERS: Mapping[str, Kind] = {
    "ours, ONNX Runtime": _ours("onnxruntime", "float32"),
    "ours, OpenVINO bfloat16": _ours("openvino", "bfloat16"),
    "ours, ONNX Runtime, one text a batch": _ours(
        "onnxruntime", "float32", "--batch-tokens", "1", "--max-wait-ms", "0"
    ),
    "infinity, torch": _infinity("torch", MODEL, "--dtype", "float32"),
    "infinity, torch bfloat16": _infinity("torch", MODEL, "--dtype", "bfloat16"),
    "infinity, optimum": _infinity("optimum", MODEL_WITH_ONNX),
    "sentence-transformers, FastAPI": _uvicorn("float32"),
    "sentence-transformers bfloat16, FastAPI": _uvicorn("bfloat16"),
}


class Writer:
    """Writes the model for all servers, with a mean over its tokens and vectors of length 1.

    Args:
        place: the folder of all files.
        checkpoint: `"small"`, or `None` for what is in the place as `HUGGINGFACE`.
    """

    def __init__(self, place: str, checkpoint: str | None):
        from keras_bert_zh import SentenceEncoder, save_checkpoint

        source = checkpoint or pathlib.Path(place, HUGGINGFACE)
        model = SentenceEncoder(source, "mean", normalize=True, max_length=MAX_LENGTH)
        save_checkpoint(model, pathlib.Path(place, MODEL), "huggingface")


class InProcess:
    """An engine without a server."""

    def __init__(self, place: str, engine: str, dtype: str):
        from keras_bert_zh import ExportedModel, SentenceEncoder, export_model
        from keras_bert_zh.engines.load import FORMATS

        model = SentenceEncoder(pathlib.Path(place, MODEL))
        folder = pathlib.Path(place, f"{engine}_{dtype}")
        self._model = ExportedModel(export_model(model, folder, FORMATS[engine], dtype), engine)

    def embed(self, text: str) -> list[float]:
        return self._model([text])[0].tolist()
