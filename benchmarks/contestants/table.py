"""The encoders that are compared, and the ways of calling and of training them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.workloads import INT8, ONNX, REVIEW_LENGTH, STATIC_INT8


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


_OURS = "benchmarks.contestants.ours:Ours"
_OURS_CONSTANT = "benchmarks.contestants.ours:Constants"
_KERAS_HUB = "benchmarks.contestants.keras_hub:KerasHub"
_PYTORCH = "benchmarks.contestants.pytorch:PyTorch"
_EXPORTER = "benchmarks.contestants.pytorch:Exporter"
_ONNX_RUNTIME = "benchmarks.contestants.onnxruntime:OnnxRuntime"
_QUANTIZER = "benchmarks.contestants.onnxruntime:Quantizer"
_OPENVINO = "benchmarks.contestants.openvino:OpenVino"
_MODULE = "benchmarks.contestants.tf1_module:Module"
_MODULE_WRITER = "benchmarks.contestants.tf1_module_writer:ModuleWriter"
_OURS_TRAINING = "benchmarks.contestants.ours:Training"
_KERAS_HUB_TRAINING = "benchmarks.contestants.keras_hub:Training"
_FIRST_STEP = "benchmarks.contestants.first_step:FirstStep"
_PYTORCH_TRAINING = "benchmarks.contestants.pytorch:Training"

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
    "ours-constant-bfloat16": Kind(_OURS_CONSTANT, ("bfloat16",), {}, exact=False, sequence=False),
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

_STATIC_QUANTIZER = "benchmarks.contestants.exported:StaticQuantizer"
_EXPORT_NEEDS = {"onnx": "onnx", "onnxscript": "onnxscript", "tf2onnx": "tf2onnx"}
_OURS_ORT = _EXPORT_NEEDS | {"onnxruntime": "onnxruntime"}
_OURS_OPENVINO = _EXPORT_NEEDS | {"openvino": "openvino"}
_NNCF = {"nncf": "nncf"}

# Our exports: the encoder's output, the dtype, and whether int8 is calibrated, by folder.
EXPORTS = {
    "ours_float32": ("pooled_output", None, False),
    "ours_both_outputs": (None, None, False),
    "ours_int8": ("pooled_output", "int8", False),
    "ours_static_int8": ("pooled_output", "int8", True),
}


def _exported(name: str) -> str:
    return f"{name}/model.onnx"


# Each engine with the usual export, by Transformers, and with ours.
ENGINE_KINDS = {
    "usual-onnxruntime-float32": KINDS["onnxruntime-float32"],
    "ours-onnxruntime-float32": Kind(_ONNX_RUNTIME, (_exported("ours_float32"),), _OURS_ORT),
    "ours-onnxruntime-both": Kind(_ONNX_RUNTIME, (_exported("ours_both_outputs"),), _OURS_ORT),
    "usual-onnxruntime-int8": KINDS["onnxruntime-int8"],
    "ours-onnxruntime-int8": Kind(_ONNX_RUNTIME, (_exported("ours_int8"),), _OURS_ORT, exact=False),
    "usual-openvino-bfloat16": KINDS["openvino-bfloat16"],
    "ours-openvino-bfloat16": Kind(
        _OPENVINO, ("bf16", _exported("ours_float32")), _OURS_OPENVINO, exact=False
    ),
    "ours-openvino-both": Kind(
        _OPENVINO, ("bf16", _exported("ours_both_outputs")), _OURS_OPENVINO, exact=False
    ),
    "usual-openvino-int8": Kind(
        _OPENVINO,
        ("bf16", STATIC_INT8),
        _OPENVINO_NEEDS | _NNCF,
        (_EXPORTER, _STATIC_QUANTIZER),
        exact=False,
    ),
    "ours-openvino-int8": Kind(
        _OPENVINO, ("bf16", _exported("ours_static_int8")), _OURS_OPENVINO | _NNCF, exact=False
    ),
}

# What ours can't be faster than.
CEILING_KIND = Kind("benchmarks.contestants.ours:Ceiling", (), {})


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
    Entry("ours bfloat16, SavedModel", "ours-constant-bfloat16"),
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
ENGINE_ENTRIES = (
    Entry("ONNX Runtime float32, usual", "usual-onnxruntime-float32"),
    Entry("ONNX Runtime float32, ours", "ours-onnxruntime-float32"),
    Entry(
        "ONNX Runtime float32, usual, `sequence_output`", "usual-onnxruntime-float32", "sequence"
    ),
    Entry("ONNX Runtime float32, ours, `sequence_output`", "ours-onnxruntime-both", "sequence"),
    Entry("ONNX Runtime int8, usual", "usual-onnxruntime-int8"),
    Entry("ONNX Runtime int8, ours", "ours-onnxruntime-int8"),
    Entry("OpenVINO bfloat16, usual", "usual-openvino-bfloat16"),
    Entry("OpenVINO bfloat16, ours", "ours-openvino-bfloat16"),
    Entry("OpenVINO bfloat16, usual, `sequence_output`", "usual-openvino-bfloat16", "sequence"),
    Entry("OpenVINO bfloat16, ours, `sequence_output`", "ours-openvino-both", "sequence"),
    Entry("OpenVINO int8, usual", "usual-openvino-int8"),
    Entry("OpenVINO int8, ours", "ours-openvino-int8"),
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

# Of size, dtype policy, kind of model and whether the optimiser is ours.
FIRST_STEPS = {
    "small, Sequential": Kind(_FIRST_STEP, ("preset", "float32", "Sequential", True), {}),
    "small, TextClassifier": Kind(_FIRST_STEP, ("preset", "float32", "TextClassifier", True), {}),
    "small, TextClassifier, mixed_bfloat16": Kind(
        _FIRST_STEP, ("preset", "mixed_bfloat16", "TextClassifier", True), {}
    ),
    "small, TextClassifier, Keras's AdamW": Kind(
        _FIRST_STEP, ("preset", "float32", "TextClassifier", False), {}
    ),
    "base, Sequential": Kind(_FIRST_STEP, ("base", "float32", "Sequential", True), {}),
    "base, TextClassifier": Kind(_FIRST_STEP, ("base", "float32", "TextClassifier", True), {}),
    "base, TextClassifier, mixed_bfloat16": Kind(
        _FIRST_STEP, ("base", "mixed_bfloat16", "TextClassifier", True), {}
    ),
}
