"""Runs exported models in ONNX Runtime."""

from keras_bert_zh.engines.engine import Engine
from keras_bert_zh.export.onnx.names import GRAPH
from keras_bert_zh.extras import imported


class ONNXRuntime(Engine):
    """Runs ONNX on a CPU."""

    def __init__(self, folder, description, threads):
        onnxruntime = imported("onnxruntime", "onnxruntime", "This model")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        self._session = onnxruntime.InferenceSession(
            str(folder / GRAPH), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = description.inputs
        self._outputs = description.names
        types = {node.name: node.type for node in self._session.get_inputs()}
        self._wide = {name for name, kind in types.items() if kind == "tensor(int64)"}

    def __call__(self, inputs):
        given = {
            theirs: inputs[ours].astype("int64") if theirs in self._wide else inputs[ours]
            for ours, theirs in self._inputs.items()
        }
        return self._session.run(self._outputs, given)
