"""Choices that several commands have."""

from keras_bert_zh.checkpoints.pooling import MODES

# What is called pooled_output elsewhere has a shorter name here.
POOLINGS = {("pooled" if mode == "pooled_output" else mode): mode for mode in MODES}
DTYPES = ("float32", "float16", "bfloat16", "int8")
ENGINES = ("tensorflow", "onnxruntime", "openvino")
