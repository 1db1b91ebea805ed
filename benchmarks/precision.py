"""The cost of half precision and int8: accuracy and vectors of a fine-tuned model, by engine.

    python examples/classify_reviews.py --output out/reviews
    python -m benchmarks.precision out/reviews/model.keras [--write] [--rows N]

Every export of the classifier classifies reviews that it was not trained on, and every export of a
SentenceEncoder with the same encoder computes their vectors. int8 by ranges is calibrated with 96
of the training reviews. `make bench-peers` installs the engines. `--write` saves the report in
`benchmarks/RESULTS.md`.
"""

import argparse
import pathlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from benchmarks.report import circumstances, installed, table, write_section
from examples.parts.reviews import Part, load_reviews
from keras_bert_zh import ExportedModel, SentenceEncoder, export_model
from keras_bert_zh.export.recast import recast

PACKAGES = (
    "keras",
    "tensorflow",
    "onnxruntime",
    "openvino",
    "nncf",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "numpy",
)
_SAMPLES = 96


class Way(NamedTuple):
    """One export in one engine.

    Args:
        name: str, what the row is called.
        engine: str.
        arguments: those of `export_model`.
        calibrated: bool, whether texts give the ranges.
    """

    name: str
    engine: str
    arguments: Mapping[str, Any]
    calibrated: bool = False


WAYS = (
    Way("ONNX Runtime float32", "onnxruntime", {}),
    Way("ONNX Runtime float16", "onnxruntime", {"dtype": "float16"}),
    Way("ONNX Runtime bfloat16", "onnxruntime", {"dtype": "bfloat16"}),
    Way("ONNX Runtime int8, by batch", "onnxruntime", {"dtype": "int8"}),
    Way("ONNX Runtime int8, by ranges", "onnxruntime", {"dtype": "int8"}, calibrated=True),
    Way("OpenVINO float32", "openvino", {}),
    Way("OpenVINO bfloat16", "openvino", {"dtype": "bfloat16"}),
    Way("OpenVINO int8, by batch", "openvino", {"dtype": "int8"}),
    Way("OpenVINO int8, by ranges", "openvino", {"dtype": "int8"}, calibrated=True),
    Way("LiteRT float32", "litert", {"format": "litert"}),
    Way("LiteRT int8", "litert", {"format": "litert", "dtype": "int8"}),
)


class Cost(NamedTuple):
    """What one way gives.

    Args:
        accuracy: share of texts with the right label.
        same: share of texts with the label of the Keras model.
        cosine: mean and least cosine of vectors with those of the Keras model.
        megabytes: size of the classifier's files.
    """

    accuracy: float
    same: float
    cosine: tuple[float, float]
    megabytes: float


class Reference(NamedTuple):
    """What exports are compared with.

    Args:
        models: classifier and SentenceEncoder.
        held_out: texts and their labels.
        samples: texts that the classifier was trained on.
        logits, vectors: what the models make of the texts.
    """

    models: tuple[keras.Model, keras.Model]
    held_out: Part
    samples: list[str]
    logits: np.ndarray
    vectors: np.ndarray


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    parts = load_reviews()
    # It was trained in half precision, perhaps.
    classifier = recast(keras.saving.load_model(options.model, compile=False), "float32")
    encoder = SentenceEncoder(classifier.encoder, "mean", preprocess=classifier.preprocess)
    held_out = parts["held_out"].first(options.rows)
    samples = list(parts["train"].texts[:_SAMPLES])
    logits, vectors = (
        model.predict(held_out.texts, batch_size=32, verbose=0) for model in (classifier, encoder)
    )
    accuracy = float((logits.argmax(1) == held_out.labels).mean())
    reference = Reference((classifier, encoder), held_out, samples, logits, vectors)
    costs = {way.name: _cost(way, reference) for way in WAYS}
    report = show(len(held_out.texts), accuracy, costs)
    print(report)
    if options.write:
        write_section("Precision", report)


def _cost(way: Way, reference: Reference) -> Cost:
    _, held_out, _, logits, vectors = reference
    with tempfile.TemporaryDirectory() as place:
        found, sizes = zip(*_exported(way, reference, pathlib.Path(place)), strict=True)
    cosines = (found[1] * vectors).sum(1) / (
        np.linalg.norm(found[1], axis=1) * np.linalg.norm(vectors, axis=1)
    )
    labels = found[0].argmax(1)
    return Cost(
        accuracy=float((labels == held_out.labels).mean()),
        same=float((labels == logits.argmax(1)).mean()),
        cosine=(float(cosines.mean()), float(cosines.min())),
        megabytes=sizes[0],
    )


def _exported(
    way: Way, reference: Reference, place: pathlib.Path
) -> Iterator[tuple[np.ndarray, float]]:
    """Yields what the export of each model makes of the texts, and its size."""
    arguments = {**way.arguments}
    if way.calibrated:
        arguments["calibration"] = reference.samples
    for number, model in enumerate(reference.models):
        folder = export_model(model, place / str(number), **arguments)
        size = sum(file.stat().st_size for file in folder.glob("model.*"))
        exported = ExportedModel(folder, way.engine)
        yield exported.predict(reference.held_out.texts, batch_size=32, verbose=0), size / 1e6


def show(rows: int, accuracy: float, costs: Mapping[str, Cost]) -> str:
    """Returns the report as Markdown."""
    lines = [
        (
            name,
            f"{cost.accuracy:.4f}",
            f"{cost.accuracy - accuracy:+.4f}",
            f"{cost.same:.4f}",
            f"{cost.cosine[0]:.5f}",
            f"{cost.cosine[1]:.5f}",
            f"{cost.megabytes:.0f}",
        )
        for name, cost in costs.items()
    ]
    header = ("", "accuracy", "change", "same label", "mean cosine", "least cosine", "MB")
    return f"""\
`python -m benchmarks.precision MODEL`: the classifier of examples/classify_reviews.py on {rows:,}
reviews that it was not trained on, and mean vectors of its encoder, against those of the Keras
model in float32, whose accuracy is {accuracy:.4f}.

{circumstances(installed(PACKAGES))}

{table(header, lines)}"""


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "model", metavar="MODEL", help="model.keras of examples/classify_reviews.py"
    )
    parser.add_argument("--rows", type=int, help="the number of reviews (default: all)")
    parser.add_argument("--write", action="store_true", help="save the results in RESULTS.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
