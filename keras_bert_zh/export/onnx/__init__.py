"""ONNX: the padding-free encoder as its own graph, and everything that is built on it."""
