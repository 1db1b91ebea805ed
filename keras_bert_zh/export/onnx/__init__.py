"""ONNX: the padding-free encoder as a graph of its own, and what stands on it."""
