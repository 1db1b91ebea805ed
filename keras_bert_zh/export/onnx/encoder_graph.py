"""BertEncoder in the operators of ONNX, without padding."""

import contextlib
import math
from collections.abc import Collection, Iterator
from typing import Any

from keras_bert_zh.encoder import BertEncoder
from keras_bert_zh.export.onnx.packing import Packing
from keras_bert_zh.export.onnx.quantize import Products
from keras_bert_zh.export.onnx.weights import joined, weight


class EncoderGraph:
    """Writes an encoder into a graph, with its weights once for all of its calls.

    All operators are those that ONNX Runtime and OpenVINO join with each other, and of a block
    there are less than 60. What they join differs with what the products are to be:

    - In float32, hidden states are `[T, 1, D]`, of all T tokens of a batch. With three axes
      OpenVINO joins an operator with the rounding that follows it.
    - For int8 by the range of each batch they are `[T, D]`. With two axes ONNX Runtime does not
      join additions with normalisations, which takes it longer.
    - For int8 by ranges that are known, the context is a product with 2, of values that are
      halved: OpenVINO joins the quantisation of it with that product, and with nothing before it.

    Args:
        encoder: BertEncoder.
        builder: `onnxscript.GraphBuilder` of the graph.
        name: str, what names of weights and operators begin with.
        products: what the products with weights are to be.
    """

    def __init__(self, encoder: BertEncoder, builder: Any, name: str, products: Products):
        self._encoder = encoder
        self._builder = builder
        self._op = builder.op
        self._name = name
        self._flat = products is Products.INT8_BY_BATCH
        self._doubles = products is Products.INT8_BY_RANGES
        self._calls = 0
        self._scopes: list[str] = []
        self._weights: dict[str, Any] = {}
        self._size = encoder.config.hidden_size
        self._heads = encoder.config.num_attention_heads

    def outputs(self, inputs: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
        """Returns outputs of the encoder for some inputs, by their keys.

        Args:
            inputs: values `<int32>[B, S]` of the graph, by the encoder's names for them.
            keys: which of `"pooled_output"` and `"sequence_output"` are needed.
        """
        op, encoder = self._op, self._encoder
        self._calls += 1
        with self._inside(self._name if self._calls == 1 else f"{self._name}_again_{self._calls}"):
            with self._inside("packing"):
                packing = Packing(op, inputs["input_mask"], self._heads, flat=self._flat)
            hidden = self._embeddings(inputs, packing)
            # Of the last block, the pooler sees the first tokens and nothing else.
            first_alone = "sequence_output" not in keys
            for block in encoder.blocks:
                first = first_alone and block is encoder.blocks[-1]
                with self._inside(block.name):
                    hidden = self._block(block, hidden, packing, first=first)
            found = {}
            if "pooled_output" in keys:
                with self._inside("pooler"):
                    first = hidden if first_alone else op.Gather(hidden, packing.first)
                    pooled = op.Tanh(self._dense(encoder.pooler.dense, first))
                    found["pooled_output"] = pooled if self._flat else op.Squeeze(pooled, [1])
            if "sequence_output" in keys:
                with self._inside("padding"):
                    found["sequence_output"] = packing.scatter(hidden, self._size)
        return found

    def _embeddings(self, inputs, packing):
        op, layer = self._op, self._encoder.embeddings
        tables = {"input_ids": layer.word, "segment_ids": layer.segment}
        tables |= {} if layer.task is None else {"task_type_ids": layer.task}
        with self._inside("embeddings"):
            hidden = op.Gather(self._weight(layer.position, "embeddings"), packing.positions)
            for key, table in tables.items():
                rows = op.Gather(self._weight(table, "embeddings"), packing.gather(inputs[key]))
                hidden = op.Add(hidden, rows)
            hidden = self._norm(layer.norm, hidden)
            return hidden if layer.projection is None else self._dense(layer.projection, hidden)

    def _block(self, block, hidden, packing, *, first):
        """Returns what a block makes of hidden states; `first`: of the first tokens alone."""
        op = self._op
        with self._inside("attention"):
            attended = self._attention(block.attention, hidden, packing, first=first)
            if first:
                hidden = op.Gather(hidden, packing.first)
            hidden = self._norm(block.attention_norm, op.Add(attended, hidden))
        with self._inside("feed_forward"):
            inner = self._dense(block.feed_forward.inner, hidden)
            outer = self._dense(
                block.feed_forward.outer, self._activated(block.feed_forward.activation, inner)
            )
            return self._norm(block.feed_forward_norm, op.Add(outer, hidden))

    def _activated(self, name, hidden):
        if name == "relu":
            return self._op.Relu(hidden)
        return self._op.Gelu(hidden, approximate="tanh" if name == "gelu_tanh" else "none")

    def _attention(self, layer, hidden, packing, *, first):
        op, size = self._op, self._size // self._heads
        parts = (layer.query, layer.key, layer.value)
        # Queries and values are scaled by their weights.
        scales = (1 / math.sqrt(size), 1, 0.5 if self._doubles else 1)
        kernel, bias = (
            self._once(f"query_key_value.{name}", lambda name=name: joined(parts, name, scales))
            for name in ("kernel", "bias")
        )
        product = op.MatMul(hidden, kernel, _name=self._named("query_key_value"))
        heads = op.Reshape(op.Add(product, bias), [-1, size])
        contexts = []
        for group in packing.groups:
            query = op.Gather(heads, group.first if first else group.query)
            key, value = op.Gather(heads, group.key), op.Gather(heads, group.value)
            scores = op.MatMul(query, op.Transpose(key, perm=[0, 1, 3, 2]))
            probabilities = op.Softmax(op.Add(scores, group.penalty), axis=-1)
            context = op.MatMul(probabilities, value)
            if not first:
                context = op.Gather(op.Reshape(context, [-1, size]), group.back)
            contexts.append(context)
        merged = op.Concat(*contexts, axis=0)
        if first:
            merged = op.Gather(merged, packing.rank)
        shape = [-1, self._size] if self._flat else [-1, 1, self._size]
        context = op.Reshape(merged, shape)
        return self._dense(layer.projection, op.Mul(context, 2.0) if self._doubles else context)

    def _dense(self, layer, hidden):
        kernel, bias = self._weight(layer, "kernel"), self._weight(layer, "bias")
        return self._op.Add(self._op.MatMul(hidden, kernel, _name=self._named(layer.name)), bias)

    def _norm(self, layer, hidden):
        gamma, beta = self._weight(layer, "gamma"), self._weight(layer, "beta")
        return self._op.LayerNormalization(hidden, gamma, beta, epsilon=layer.epsilon)

    def _weight(self, layer, name):
        return self._once(f"{layer.name}.{name}", lambda: weight(layer, name))

    def _once(self, name, tensor):
        path = "/".join([*self._scopes[1:], name])
        if path not in self._weights:
            self._weights[path] = self._op.initializer(tensor(), name)
        return self._weights[path]

    def _named(self, name):
        return "/".join([*self._scopes, name])

    @contextlib.contextmanager
    def _inside(self, scope: str) -> Iterator[None]:
        self._builder.push_module(scope)
        self._scopes.append(scope)
        yield
        self._scopes.pop()
        self._builder.pop_module()
