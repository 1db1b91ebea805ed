import ast
import sys

import pytest

from keras_bert_zh.checkpoints import names
from keras_bert_zh.checkpoints.schemes import TF1
from keras_bert_zh.config import BertConfig

# Distinct sizes, so that a swapped axis shows.
CONFIG = BertConfig(
    vocab_size=101,
    hidden_size=6,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=23,
    max_position_embeddings=17,
    type_vocab_size=5,
)


def test_tf1_names_are_those_of_the_original():
    theirs = names.translation(TF1.names, 2)
    assert list(theirs.values())[:5] == [
        "bert/embeddings/word_embeddings",
        "bert/embeddings/token_type_embeddings",
        "bert/embeddings/position_embeddings",
        "bert/embeddings/LayerNorm/gamma",
        "bert/embeddings/LayerNorm/beta",
    ]
    block = {
        "attention.query": "attention/self/query",
        "attention.key": "attention/self/key",
        "attention.value": "attention/self/value",
        "attention.projection": "attention/output/dense",
        "attention_norm": "attention/output/LayerNorm",
        "feed_forward.inner": "intermediate/dense",
        "feed_forward.outer": "output/dense",
        "feed_forward_norm": "output/LayerNorm",
    }
    for i in range(2):
        for ours, original in block.items():
            for part in ("gamma", "beta") if "norm" in ours else ("kernel", "bias"):
                expected = f"bert/encoder/layer_{i}/{original}/{part}"
                assert theirs[f"blocks.{i}.{ours}.{part}"] == expected
    assert theirs["pooler.dense.kernel"] == "bert/pooler/dense/kernel"
    assert theirs["pooler.dense.bias"] == "bert/pooler/dense/bias"


@pytest.mark.parametrize("layers", [1, 3, 12])
def test_tf1_names_read_both_ways(layers):
    theirs = names.translation(TF1.names, layers)
    ours = {name: own for own, name in theirs.items()}
    assert len(ours) == len(theirs) == 5 + 16 * layers + 2
    assert {name: own for own, name in ours.items()} == theirs


def test_the_base_model_has_199_tensors_and_102_million_parameters():
    shapes = names.shapes(BertConfig())
    assert len(shapes) == 199
    sizes = [shape[0] * (shape[1] if len(shape) > 1 else 1) for shape in shapes.values()]
    assert sum(sizes) == 102_267_648


def test_names_are_in_forward_order():
    shapes = names.shapes(CONFIG)
    assert list(shapes) == list(names.translation(TF1.names, 3))
    blocks = [name.split(".")[1] for name in shapes if name.startswith("blocks.")]
    assert blocks == ["0"] * 16 + ["1"] * 16 + ["2"] * 16
    assert list(shapes)[-1] == "pooler.dense.bias"


def test_shapes():
    shapes = names.shapes(CONFIG)
    assert shapes["embeddings.word.embeddings"] == (101, 6)
    assert shapes["embeddings.segment.embeddings"] == (5, 6)
    assert shapes["embeddings.position.embeddings"] == (17, 6)
    assert shapes["blocks.2.attention.projection.kernel"] == (6, 6)
    assert shapes["blocks.2.feed_forward.inner.kernel"] == (6, 23)
    assert shapes["blocks.2.feed_forward.inner.bias"] == (23,)
    assert shapes["blocks.2.feed_forward.outer.kernel"] == (23, 6)
    assert shapes["blocks.2.feed_forward.outer.bias"] == (6,)
    assert shapes["pooler.dense.kernel"] == (6, 6)


def test_sizes_undo_shapes():
    assert names.sizes(names.shapes(CONFIG)) == {
        "vocab_size": 101,
        "hidden_size": 6,
        "intermediate_size": 23,
        "max_position_embeddings": 17,
        "type_vocab_size": 5,
    }


def test_sizes_follow_the_majority():
    shapes = names.shapes(CONFIG)
    shapes["embeddings.word.embeddings"] = (101, 7)
    shapes["embeddings.position.embeddings"] = (17,)
    sizes = names.sizes(shapes)
    assert sizes["hidden_size"] == 6
    assert sizes["vocab_size"] == 101
    assert sizes["max_position_embeddings"] is None


def test_differences():
    expected = {"a": (2, 3), "b": (2,), "c": (None, 3), "d": (None, 3)}
    found = {"b": (2, 1), "c": (9, 3), "d": (9, 4), "x": (1,), "a/adam_m": (2, 3)}
    assert names.differences(expected, found, ("*adam_m",)) == [
        "missing: a",
        "unexpected: x",
        "misshapen: b is [2, 1], expected [2]",
        "misshapen: d is [9, 4], expected [?, 3]",
    ]
    assert names.differences(expected, found)[2] == "unexpected: a/adam_m"
    assert names.differences(found, found) == []


def test_names_needs_the_standard_library_only():
    with open(names.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    modules = {
        module.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for module in (
            [node.module]
            if isinstance(node, ast.ImportFrom)
            else [name.name for name in node.names]
        )
    }
    assert modules
    assert modules <= sys.stdlib_module_names
