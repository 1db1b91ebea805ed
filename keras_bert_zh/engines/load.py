"""Selects the engine that runs an exported model."""

import importlib
import pathlib

from keras_bert_zh.arguments import check_choice, check_int
from keras_bert_zh.engines.engine import Engine
from keras_bert_zh.export.description import Description

# The engines of each format, the default one first: the module that has it, and its class.
ENGINES = {
    "onnx": {"onnxruntime": "ONNXRuntime", "openvino": "OpenVINO"},
    "savedmodel": {"tensorflow": "TensorFlow"},
    "litert": {"litert": "LiteRT"},
}

# The format that each engine runs.
FORMATS = {engine: format for format, engines in ENGINES.items() for engine in engines}


def process_threads(described: Description, threads: int | None) -> int | None:
    """Returns the threads to load an engine with; for TensorFlow, sets those of the whole process.

    Args:
        described: the description of the model.
        threads: int, or `None`. TensorFlow must not have computed anything before.
    """
    if threads is None or described.format != "savedmodel":
        return threads
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    return None


def load_engine(
    folder: pathlib.Path, described: Description, engine: str | None, threads: int | None
) -> Engine:
    """Loads an exported model into an engine.

    Args:
        folder: a folder that `export_model` wrote.
        described: the description in it.
        engine: str, or `None` for the default engine of its format.
        threads: int, the number of threads; `None` for the engine's default.

    Raises:
        ValueError: if no engine, or not this one, runs the format.
        TypeError: if an argument has another type.
        ImportError: if the engine is not installed.
    """
    engines = ENGINES.get(described.format)
    if engines is None:
        raise ValueError(
            f"{folder} contains a model in the format {described.format!r}, which this version of "
            f"keras_bert_zh can't run. It runs {', '.join(ENGINES)}: update keras_bert_zh."
        )
    name = check_choice("engine", next(iter(engines)) if engine is None else engine, [*engines])
    threads = None if threads is None else check_int("threads", threads, 1)
    module = importlib.import_module(f"keras_bert_zh.engines.{name}")
    return getattr(module, engines[name])(folder, described, threads)
