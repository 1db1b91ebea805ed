import itertools
import re

import ml_dtypes
import numpy as np
import pytest

from keras_bert_zh.checkpoints import load_checkpoint, names
from keras_bert_zh.checkpoints.schemes import TF1
from keras_bert_zh.config import BertConfig

QUERY = "bert/encoder/layer_1/attention/self/query/kernel"


def test_configuration(tiny_module):
    assert load_checkpoint(tiny_module).config == BertConfig(
        vocab_size=718,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        hidden_act="gelu_tanh",
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
        max_position_embeddings=64,
        type_vocab_size=2,
        initializer_range=0.02,
        layer_norm_eps=1e-12,
    )


def test_vocabulary(tiny_module):
    checkpoint = load_checkpoint(tiny_module)
    assert len(checkpoint.vocabulary) == 718
    assert checkpoint.vocabulary[0] == "[PAD]"
    assert checkpoint.vocabulary[100:104] == ("[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert checkpoint.lowercase is True


def test_each_weight_is_the_tensor_of_its_name(tiny_module, raw):
    weights = load_checkpoint(tiny_module).weights
    theirs = names.translation(TF1.names, 2, ("pooler", "masked_lm"))
    assert len(weights) == 5 + 16 * 2 + 2 + 5
    assert list(weights) == list(theirs)
    for ours, weight in weights.items():
        assert weight.dtype == "float32"
        np.testing.assert_array_equal(weight, raw[theirs[ours]], err_msg=ours)
    for (name, weight), (other, second) in itertools.combinations(weights.items(), 2):
        assert not np.array_equal(weight, second), (name, other)


def test_leftovers_of_training_are_left_out(module, save, raw):
    raw |= {
        "global_step": np.int64(7),
        "cls/squad/output_bias": np.zeros(2, "float32"),
        "output_weights": np.zeros((3, 32), "float32"),
        f"{QUERY}/adam_m": np.zeros((32, 32), "float32"),
        f"{QUERY}/adam_v": np.zeros((32, 32), "float32"),
    }
    save(raw)
    head = r"variables: the head is not read \(cls/squad/output_bias, output_weights\)\. Train a"
    with pytest.warns(UserWarning, match=head):
        checkpoint = load_checkpoint(module)
    assert not any("adam" in name or "output" in name for name in checkpoint.weights)
    assert set(checkpoint.leftovers) == {
        "global_step",
        "cls/squad/output_bias",
        "output_weights",
        f"{QUERY}/adam_m",
        f"{QUERY}/adam_v",
    }


def test_the_next_sentence_head_is_read(module, save, raw):
    kernel = np.arange(64, dtype="float32").reshape(2, 32)
    raw |= {
        "cls/seq_relationship/output_weights": kernel,
        "cls/seq_relationship/output_bias": np.array([3, 4], "float32"),
    }
    save(raw)
    checkpoint = load_checkpoint(module)
    assert checkpoint.missing == ()
    np.testing.assert_array_equal(checkpoint.weights["next_sentence.kernel"], kernel.T)
    np.testing.assert_array_equal(checkpoint.weights["next_sentence.bias"], [3, 4])


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({QUERY: None}, [f"missing: {QUERY}"]),
        (
            {QUERY: None, QUERY + "_": np.zeros((32, 32), "float32")},
            [f"missing: {QUERY}", f"unexpected: {QUERY}_"],
        ),
        ({"bert/extra": np.zeros(3, "float32")}, ["unexpected: bert/extra"]),
        (
            {QUERY: np.zeros((32, 31), "float32")},
            [f"misshapen: {QUERY} is [32, 31], expected [32, 32]"],
        ),
        (
            {"bert/embeddings/word_embeddings": np.zeros((718, 31), "float32")},
            ["misshapen: bert/embeddings/word_embeddings is [718, 31], expected [718, 32]"],
        ),
        (
            {"bert/embeddings/position_embeddings": np.zeros((64), "float32")},
            ["misshapen: bert/embeddings/position_embeddings is [64], expected [?, 32]"],
        ),
        (
            {"bert/embeddings/word_embeddings": None},
            ["missing: bert/embeddings/word_embeddings"],
        ),
        (
            {"cls/predictions/output_bias": None},
            ["missing: cls/predictions/output_bias"],
        ),
        (
            {"cls/seq_relationship/output_bias": np.zeros(2, "float32")},
            ["missing: cls/seq_relationship/output_weights"],
        ),
        ({QUERY: np.zeros((32, 32), "int32")}, [f"not float32: {QUERY} is int32"]),
        (
            {QUERY: np.zeros((32, 32), ml_dtypes.bfloat16)},
            [f"not float32: {QUERY} is bfloat16"],
        ),
        (
            {
                "bert/pooler/dense/bias": None,
                "bert/odd": np.zeros(3, "float32"),
                QUERY: np.zeros(5, "float32"),
            },
            ["missing: bert/pooler/dense/bias", "unexpected: bert/odd", f"misshapen: {QUERY} is"],
        ),
    ],
)
def test_variables_that_do_not_fit(module, save, raw, change, lines):
    tensors = {n: tensor for n, tensor in (raw | change).items() if tensor is not None}
    save(tensors)
    with pytest.raises(ValueError, match=f"variables.index .*{len(lines)} found:") as caught:
        load_checkpoint(module)
    assert str(module) in str(caught.value)
    for line in lines:
        assert f"\n  {line}" in str(caught.value)


def test_the_graph_decides_how_many_blocks_there_are(module, save, raw):
    save({name: tensor for name, tensor in raw.items() if "layer_1/" not in name})
    with pytest.raises(ValueError, match="16 found:\n  missing: bert/encoder/layer_1/attention"):
        load_checkpoint(module)


def test_no_variables_at_all(module, save):
    save({"global_step": np.int64(7)})
    with pytest.raises(ValueError, match="39 found"):
        load_checkpoint(module)


def test_heads_that_do_not_multiply_to_the_hidden_size(module, edit_graph):
    def change(meta_graph):
        for node in meta_graph.graph_def.node:
            if re.search(r"attention/self/Reshape(_1)?/shape/2$", node.name):
                node.attr["value"].tensor.int_val[:] = [8]

    edit_graph(change)
    with pytest.raises(ValueError, match=r"8 heads of size 8, but hidden_size is 32\."):
        load_checkpoint(module)


def test_values_that_no_configuration_may_have(module, edit_graph):
    def change(meta_graph):
        for node in meta_graph.graph_def.node:
            if node.name.endswith("dropout/rate"):
                node.attr["value"].tensor.float_val[:] = [1.5]

    edit_graph(change)
    with pytest.raises(ValueError, match=rf"{module}: hidden_dropout_prob must be in \[0, 1\)"):
        load_checkpoint(module)


def test_a_folder_whose_name_tensorflow_takes_for_a_pattern(copy_to, tmp_path):
    folder = copy_to(tmp_path / "bert[zh]")
    with pytest.raises(ValueError, match=r"as wildcards\. Rename the folder"):
        load_checkpoint(folder)


def test_a_folder_with_a_chinese_name(copy_to, tmp_path):
    assert load_checkpoint(copy_to(tmp_path / "模型 一")).config.vocab_size == 718


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "vocab.txt has 0 lines, expected one for each of the 718 rows"),
        (b"a\n" * 717, "vocab.txt has 717 lines"),
        (b"a\n" * 718 + b"b", "vocab.txt has 719 lines"),
        (b"a\n" * 718, r"vocab.txt: .*\[PAD\], \[UNK\], \[CLS\], \[SEP\] missing"),
        (b"\x93\xfa" * 718, "vocab.txt is not UTF-8 text"),
    ],
)
def test_a_vocabulary_that_does_not_fit(module, content, message):
    (module / "assets" / "vocab.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_checkpoint(module)
    assert str(module / "assets") in str(caught.value)


def test_a_missing_vocabulary(module):
    (module / "assets" / "vocab.txt").unlink()
    with pytest.raises(ValueError, match=f"{module}/assets/vocab.txt is not a file"):
        load_checkpoint(module)


@pytest.mark.parametrize("end", ["", "\n"])
def test_lines_end_at_line_feeds_only_and_are_stripped(module, end):
    lines = ["[PAD]\r", "\u2028", "##\u2028", " a ", "b\u2029c", "\x0b", "d\x85e"]
    tokens = ("[PAD]", "", "##", "a", "b\u2029c", "", "d\x85e", "[UNK]", "[CLS]", "[SEP]")
    tokens += tuple(map(str, range(708)))
    text = "\n".join([*lines, *tokens[7:]]) + end
    (module / "assets" / "vocab.txt").write_bytes(text.encode())
    assert load_checkpoint(module).vocabulary == tokens
