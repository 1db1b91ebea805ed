"""The encoders that are compared, the files that they read, and their processes."""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from benchmarks.contest import Contestant, cores
from benchmarks.workloads import INT8, ONNX, REVIEW_LENGTH, SIZES, Arrays

INSTALL = "make bench-peers, and use the Python of .venv-peers"


class Kind(NamedTuple):
    """What makes a contestant.

    Args:
        make: `"module:class"`, called with the folder of the files and `arguments`.
        arguments: what the class takes besides.
        needs: packages by the modules that they bring.
        writers: what writes its files before, each as `make`.
        exact: whether it computes in float32.
        sequence: whether it gives hidden states, too.
    """

    make: str
    arguments: tuple[Any, ...]
    needs: Mapping[str, str]
    writers: tuple[str, ...] = ()
    exact: bool = True
    sequence: bool = True


_OURS = "benchmarks.contestants_ours:Ours"
_OURS_FROZEN = "benchmarks.contestants_ours:Frozen"
_KERAS_HUB = "benchmarks.contestants_keras_hub:KerasHub"
_PYTORCH = "benchmarks.contestants_torch:PyTorch"
_EXPORTER = "benchmarks.contestants_torch:Exporter"
_ONNX_RUNTIME = "benchmarks.contestants_onnxruntime:OnnxRuntime"
_QUANTIZER = "benchmarks.contestants_onnxruntime:Quantizer"
_OPENVINO = "benchmarks.contestants_openvino:OpenVino"
_MODULE = "benchmarks.contestants_hub:Module"
_MODULE_WRITER = "benchmarks.tf1_module:ModuleWriter"
_OURS_TRAINING = "benchmarks.contestants_ours:Training"
_KERAS_HUB_TRAINING = "benchmarks.contestants_keras_hub:Training"
_PYTORCH_TRAINING = "benchmarks.contestants_torch:Training"

_KERAS_HUB_NEEDS = {"keras_hub": "keras-hub"}
_TORCH_NEEDS = {"torch": "torch", "transformers": "transformers"}
_MODULE_NEEDS = {
    "tensorflow_hub": "tensorflow-hub",
    "tf_keras": "tf_keras",
    "bert": "bert-tensorflow",
}
_RUNTIME_NEEDS = {"onnxruntime": "onnxruntime", "onnx": "onnx"} | _TORCH_NEEDS
_OPENVINO_NEEDS = {"openvino": "openvino", "onnx": "onnx"} | _TORCH_NEEDS

KINDS = {
    "ours-float32": Kind(_OURS, ("float32", REVIEW_LENGTH), {}),
    "ours-bfloat16": Kind(_OURS, ("bfloat16", REVIEW_LENGTH), {}, exact=False),
    "ours-frozen-bfloat16": Kind(_OURS_FROZEN, ("bfloat16",), {}, exact=False, sequence=False),
    "keras-hub-float32": Kind(_KERAS_HUB, ("float32", REVIEW_LENGTH), _KERAS_HUB_NEEDS),
    "keras-hub-bfloat16": Kind(
        _KERAS_HUB, ("mixed_bfloat16", REVIEW_LENGTH), _KERAS_HUB_NEEDS, exact=False
    ),
    "pytorch-float32": Kind(_PYTORCH, ("float32",), _TORCH_NEEDS),
    "pytorch-bfloat16": Kind(_PYTORCH, ("bfloat16",), _TORCH_NEEDS, exact=False),
    "onnxruntime-float32": Kind(_ONNX_RUNTIME, (ONNX,), _RUNTIME_NEEDS, (_EXPORTER,)),
    "onnxruntime-int8": Kind(
        _ONNX_RUNTIME, (INT8,), _RUNTIME_NEEDS, (_EXPORTER, _QUANTIZER), exact=False
    ),
    "openvino-float32": Kind(_OPENVINO, ("f32",), _OPENVINO_NEEDS, (_EXPORTER,)),
    "openvino-bfloat16": Kind(_OPENVINO, ("bf16",), _OPENVINO_NEEDS, (_EXPORTER,), exact=False),
    "tf1-module": Kind(_MODULE, (), _MODULE_NEEDS, (_MODULE_WRITER,)),
}


# What ours can't be faster than.
CEILING_KIND = Kind("benchmarks.contestants_ours:Ceiling", (), {})


class Entry(NamedTuple):
    """One way of calling a contestant."""

    name: str
    kind: str
    way: str = "pooled"


ENTRIES = (
    Entry("ours float32", "ours-float32"),
    Entry("ours float32, `sequence_output`", "ours-float32", "sequence"),
    Entry("ours float32, `predict`", "ours-float32", "predict"),
    Entry("ours float32, `predict_on_batch`", "ours-float32", "predict_on_batch"),
    Entry("ours bfloat16", "ours-bfloat16"),
    Entry("ours bfloat16, `sequence_output`", "ours-bfloat16", "sequence"),
    Entry("ours bfloat16, `FrozenModel`", "ours-frozen-bfloat16"),
    Entry("Keras Hub jit float32", "keras-hub-float32"),
    Entry("Keras Hub jit mixed_bfloat16", "keras-hub-bfloat16"),
    Entry("PyTorch sdpa float32", "pytorch-float32"),
    Entry("PyTorch sdpa bfloat16", "pytorch-bfloat16"),
    Entry("ONNX Runtime float32", "onnxruntime-float32"),
    Entry("ONNX Runtime int8", "onnxruntime-int8"),
    Entry("OpenVINO float32", "openvino-float32"),
    Entry("OpenVINO bfloat16", "openvino-bfloat16"),
    Entry("TF1 module, `hub.load`", "tf1-module"),
)
TEXT_ENTRIES = (
    Entry("ours float32", "ours-float32", "text"),
    Entry("ours bfloat16", "ours-bfloat16", "text"),
    Entry("Keras Hub jit float32", "keras-hub-float32", "text"),
    Entry("Keras Hub jit mixed_bfloat16", "keras-hub-bfloat16", "text"),
)


# By their names: there is one way of training a contestant.
TRAININGS = {
    "ours float32": Kind(_OURS_TRAINING, ("float32", False), {}),
    "ours float32, `remat=True`": Kind(_OURS_TRAINING, ("float32", True), {}),
    "ours mixed_bfloat16": Kind(_OURS_TRAINING, ("mixed_bfloat16", False), {}),
    "ours mixed_bfloat16, `remat=True`": Kind(_OURS_TRAINING, ("mixed_bfloat16", True), {}),
    "Keras Hub jit float32": Kind(_KERAS_HUB_TRAINING, ("float32",), _KERAS_HUB_NEEDS),
    "Keras Hub jit mixed_bfloat16": Kind(
        _KERAS_HUB_TRAINING, ("mixed_bfloat16",), _KERAS_HUB_NEEDS
    ),
    "PyTorch float32": Kind(_PYTORCH_TRAINING, (False,), _TORCH_NEEDS),
    "PyTorch bfloat16 autocast": Kind(_PYTORCH_TRAINING, (True,), _TORCH_NEEDS),
}


class Files(NamedTuple):
    """What the contestants read.

    Args:
        place: the folder.
        sizes: the fields of the `BertConfig`.
        reviews: the inputs that real reviews make.
    """

    place: pathlib.Path
    sizes: dict[str, Any]
    reviews: Arrays


def environment() -> dict[str, str]:
    """Returns the variables of contestants' processes: all cores, no network, no chatter."""
    return {
        "CUDA_VISIBLE_DEVICES": "-1",
        "HF_HUB_OFFLINE": "1",
        "KERAS_BACKEND": "tensorflow",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "OMP_NUM_THREADS": str(cores()),
        "PYTHONWARNINGS": "ignore",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": str(cores()),
        "TQDM_DISABLE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
    }


def check_installed(needs: Mapping[str, str]) -> None:
    """Exits with the line that installs what is missing of these packages, by their modules."""
    missing = [package for module, package in needs.items() if not find_spec(module)]
    if missing:
        raise SystemExit(f"{', '.join(sorted(set(missing)))} missing: {INSTALL}")


def needs_of(kinds: Iterable[Kind]) -> dict[str, str]:
    needs = {"snownlp": "snownlp", "sklearn": "scikit-learn"}
    for kind in kinds:
        needs |= kind.needs
    return needs


@contextlib.contextmanager
def written_files(kinds: Iterable[Kind], size: str) -> Iterator[Files]:
    """Writes what these contestants read to a temporary folder."""
    with tempfile.TemporaryDirectory() as place:
        writer = start("benchmarks.checkpoints:Writer", place, SIZES[size])
        reviews = writer.call("review_inputs", REVIEW_LENGTH).value
        sizes = writer.call("sizes").value
        writer.close()
        for make in dict.fromkeys(make for kind in kinds for make in kind.writers):
            start(make, place, TF_USE_LEGACY_KERAS="1").close()
        yield Files(pathlib.Path(place), sizes, reviews)


@contextlib.contextmanager
def started(kinds: Mapping[str, Kind], files: Files) -> Iterator[dict[str, Contestant]]:
    """Starts contestants, all at once in memory, and ends them."""
    contestants = {}
    try:
        for name, kind in kinds.items():
            contestants[name] = start(kind.make, str(files.place), *kind.arguments)
        yield contestants
    finally:
        for contestant in contestants.values():
            contestant.close()


def start(make: str, *arguments: Any, **variables: str) -> Contestant:
    """Starts a contestant on all cores."""
    variables = environment() | variables
    return Contestant(make, *arguments, environment=variables, all_cores=True)
