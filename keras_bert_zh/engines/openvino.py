"""Runs exported models in OpenVINO."""

from keras_bert_zh.engines.engine import Engine
from keras_bert_zh.export.onnx.names import GRAPH
from keras_bert_zh.extras import imported

# What OpenVINO computes in where a model says nothing else, by the model's dtype: int8 is for the
# products that are in int8 in the file, and the rest is in bfloat16 where the CPU has it.
_PRECISIONS = {"float32": "f32", "float16": "f16", "bfloat16": "bf16", "int8": "bf16"}

# What OpenVINO keeps of shapes that it has seen, in operators. By default it is 5,000, which takes
# gigabytes where each batch has other lengths.
_SHAPES = 500


class OpenVINO(Engine):
    """Runs ONNX on a CPU."""

    def __init__(self, folder, description, threads):
        openvino = imported("openvino", "openvino", "This model")
        options: dict[str, str | int] = {
            "INFERENCE_PRECISION_HINT": _PRECISIONS[description.dtype],
            "CPU_RUNTIME_CACHE_CAPACITY": _SHAPES,
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        self._model = openvino.Core().compile_model(str(folder / GRAPH), "CPU", options)
        self._inputs = description.inputs
        # A tensor may have several names.
        places = {name: i for i, port in enumerate(self._model.outputs) for name in port.names}
        self._outputs = [places[name] for name in description.names]

    def __call__(self, inputs):
        given = {}
        for ours, theirs in self._inputs.items():
            port = self._model.input(theirs)
            given[theirs] = inputs[ours].astype(port.element_type.to_dtype(), copy=False)
        found = list(self._model(given).values())
        return [found[place] for place in self._outputs]
