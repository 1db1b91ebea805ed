"""Choices that several commands have."""

DTYPES = ("float32", "float16", "bfloat16", "int8")
ENGINES = ("tensorflow", "onnxruntime", "openvino")
