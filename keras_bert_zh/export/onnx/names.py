"""What the files of a graph are called."""

# The graph, and its weights beside it.
GRAPH, WEIGHTS = "model.onnx", "model.onnx.data"
