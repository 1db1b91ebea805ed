"""Transformers on PyTorch, and its export to ONNX; imported in processes of their own."""

import pathlib
from typing import Any

import numpy as np
import torch
from transformers import BertModel

from benchmarks.contest import cores
from benchmarks.contestants.encoder import Encoder
from benchmarks.contestants.training import CLASSES, LEARNING_RATE, labels_of, take_steps
from benchmarks.workloads import HUGGINGFACE, ONNX, Arrays

_NAMES = ("input_ids", "attention_mask", "token_type_ids")


class PyTorch(Encoder):
    """`BertModel` with scaled_dot_product_attention."""

    def __init__(self, place: str, dtype: str):
        super().__init__()
        torch.set_num_threads(cores())
        self._model = load(place, "sdpa").eval().to(getattr(torch, dtype))
        outputs = {"pooled": "pooler_output", "sequence": "last_hidden_state"}
        self.ways = {way: self._caller(output) for way, output in outputs.items()}

    def _caller(self, output: str):
        def call(inputs: dict[str, np.ndarray]) -> np.ndarray:
            with torch.inference_mode():
                return getattr(self._model(**arguments(inputs)), output).float().numpy()

        return call


class Training:
    """A classifier on `BertModel`, trained by a fused AdamW."""

    def __init__(self, place: str, autocast: bool):
        self._arguments = (place, autocast)

    def run(self, inputs: Arrays, steps: int) -> dict[str, Any]:
        torch.set_num_threads(cores())
        return take_steps(lambda: self._make(inputs), steps)

    def _make(self, inputs: Arrays):
        place, autocast = self._arguments
        encoder = load(place, "sdpa").train()
        dense = torch.nn.Linear(encoder.config.hidden_size, CLASSES)
        parameters = [*encoder.parameters(), *dense.parameters()]
        optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, fused=True)
        labels = torch.from_numpy(labels_of(inputs))

        def step() -> float:
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                logits = dense(encoder(**arguments(inputs)).pooler_output)
                loss = torch.nn.functional.cross_entropy(logits, labels)
            loss.backward()
            optimizer.step()
            return loss.item()

        return step


class Exporter:
    """Writes ONNX, with sequence and pooled output."""

    def __init__(self, place: str):
        # In the one form that ONNX Runtime recognises at this opset and fuses.
        model = load(place, "eager", activation="gelu_new").eval()
        example = torch.ones(2, 16, dtype=torch.long)
        outputs = ("sequence_output", "pooled_output")
        axes = {name: {0: "batch", 1: "length"} for name in (*_NAMES, "sequence_output")}
        torch.onnx.export(
            _Outputs(model),
            (example, example, 0 * example),
            str(pathlib.Path(place, ONNX)),
            input_names=_NAMES,
            output_names=outputs,
            dynamic_axes=axes | {"pooled_output": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )


class _Outputs(torch.nn.Module):
    def __init__(self, model: BertModel):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        outputs = self.model(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        )
        return outputs.last_hidden_state, outputs.pooler_output


def load(place: str, attention: str, activation: str = "gelu_pytorch_tanh") -> BertModel:
    """Returns the model; `gelu_new` is the same function in several steps, and slower."""
    return BertModel.from_pretrained(
        pathlib.Path(place, HUGGINGFACE), attn_implementation=attention, hidden_act=activation
    )


def arguments(inputs: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    arrays = (inputs[name] for name in ("input_ids", "input_mask", "segment_ids"))
    return {
        name: torch.from_numpy(array).long() for name, array in zip(_NAMES, arrays, strict=True)
    }
