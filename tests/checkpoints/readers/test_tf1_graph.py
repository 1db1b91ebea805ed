import re

import pytest

from keras_bert_zh.checkpoints.readers import tf1_graph

TRAIN = (("train",),)
INFERENCE = ((),)


def matching(meta_graph, pattern):
    """Returns the nodes whose name ends as the pattern says; there must be some."""
    nodes = [node for node in meta_graph.graph_def.node if re.search(pattern + "$", node.name)]
    assert nodes, pattern
    return nodes


def removed(pattern):
    def change(meta_graph):
        for node in matching(meta_graph, pattern):
            meta_graph.graph_def.node.remove(node)

    return change


def renamed(pattern, name):
    def change(meta_graph):
        for node in matching(meta_graph, pattern):
            node.name = re.sub(pattern + "$", name, node.name)

    return change


def floats(pattern, value):
    def change(meta_graph):
        for node in matching(meta_graph, pattern):
            node.attr["value"].tensor.float_val[:] = [value]

    return change


def operations(**replacements):
    def change(meta_graph):
        for node in matching(meta_graph, "layer_[0-9]/intermediate/dense/.*"):
            node.op = replacements.get(node.op, node.op)

    return change


def read(module):
    return tf1_graph.read(module / "saved_model.pb")


def test_what_the_graph_tells(tiny_module):
    graph = read(tiny_module)
    assert graph.hyperparameters == {
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "hidden_act": "gelu_tanh",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
    }
    assert graph.head_size == 8
    assert graph.lowercase is True
    assert graph.vocabulary_file == "vocab.txt"


@pytest.mark.parametrize(
    ("change", "activation"),
    [
        (operations(Tanh="Erf", Pow="Mul"), "gelu_erf"),
        (operations(Tanh="Relu", Pow="Mul"), "relu"),
    ],
)
def test_activation(module, edit_graph, change, activation):
    edit_graph(change)
    assert read(module).hyperparameters["hidden_act"] == activation


@pytest.mark.parametrize(
    "change",
    [operations(Tanh="Sigmoid", Pow="Mul"), operations(Pow="Mul"), operations(Pow="Erf")],
)
def test_an_activation_that_is_not_known(module, edit_graph, change):
    edit_graph(change)
    with pytest.raises(ValueError, match=r"hidden_act can't be found; .*Pow\+Tanh or Erf or Relu"):
        read(module)


def test_an_activation_that_differs_between_blocks(module, edit_graph):
    def change(meta_graph):
        for node in matching(meta_graph, "layer_1/intermediate/dense/(Tanh|Pow)"):
            node.op = {"Tanh": "Erf", "Pow": "Mul"}[node.op]

    edit_graph(change)
    with pytest.raises(ValueError, match="hidden_act can't be found"):
        read(module)


def test_the_two_dropout_rates_are_told_apart(module, edit_graph):
    edit_graph(floats("attention/self/dropout/rate", 0.25), TRAIN)
    edit_graph(floats("embeddings/dropout/rate", 0.3), TRAIN)
    edit_graph(floats("output/dropout/rate", 0.3), TRAIN)
    hyperparameters = read(module).hyperparameters
    assert hyperparameters["attention_probs_dropout_prob"] == 0.25
    assert hyperparameters["hidden_dropout_prob"] == 0.3


def test_dropout_as_older_tensorflow_writes_it(module, edit_graph):
    edit_graph(floats("dropout/rate", 0.7), TRAIN)
    edit_graph(renamed("dropout/rate", "dropout/keep_prob"), TRAIN)
    assert read(module).hyperparameters["hidden_dropout_prob"] == 0.3


def test_dropout_as_newer_tensorflow_writes_it(module, edit_graph):
    edit_graph(removed("dropout/GreaterEqual"), TRAIN)
    edit_graph(renamed("dropout/rate", "dropout/GreaterEqual/y"), TRAIN)
    assert read(module).hyperparameters["hidden_dropout_prob"] == 0.1


def test_a_graph_without_dropout_has_rate_zero(module, edit_graph):
    edit_graph(removed("attention/self/dropout/.*"), TRAIN)
    hyperparameters = read(module).hyperparameters
    assert hyperparameters["attention_probs_dropout_prob"] == 0.0
    assert hyperparameters["hidden_dropout_prob"] == 0.1


@pytest.mark.parametrize(
    ("change", "tags", "message"),
    [
        (
            removed("layer_1/attention/self/Reshape/shape/2"),
            INFERENCE,
            "untagged graph: num_attention_heads can't be found; expected a constant int scalar in "
            "bert/encoder/layer_1/attention/self/Reshape/shape/2",
        ),
        (
            removed("embeddings/LayerNorm/batchnorm/add/y"),
            INFERENCE,
            "layer_norm_eps can't be found",
        ),
        (
            floats("layer_1/output/LayerNorm/batchnorm/add/y", 1e-6),
            INFERENCE,
            r"layer_norm_eps must be the same everywhere, got .*1e-06",
        ),
        (
            removed("truncated_normal/stddev"),
            INFERENCE,
            "initializer_range can't be found",
        ),
        (
            removed("layer_0/output/dropout/rate"),
            TRAIN,
            'graph tagged "train": hidden_dropout_prob can\'t be found',
        ),
        (
            removed("dropout/rate"),
            TRAIN,
            "hidden_dropout_prob can't be found; .*dropout/keep_prob",
        ),
        (
            removed("bert/encoder/layer_0/.*"),
            INFERENCE,
            r"num_hidden_layers can't be found; .* got nodes of the layers \[1\]",
        ),
        (
            removed("bert/encoder/.*"),
            INFERENCE,
            r"num_hidden_layers can't be found; .* got nodes of the layers \[\]",
        ),
        (
            removed("Const"),
            INFERENCE,
            "do_lower_case can't be found; expected a constant bool scalar in Const",
        ),
    ],
)
def test_a_missing_or_odd_constant(module, edit_graph, change, tags, message):
    edit_graph(change, tags)
    with pytest.raises(ValueError, match=message) as caught:
        read(module)
    assert str(module / "saved_model.pb") in str(caught.value)


@pytest.mark.parametrize("oddity", ["vector", "dtype", "operation", "empty"])
def test_a_head_count_that_is_no_int_scalar(module, edit_graph, oddity):
    def change(meta_graph):
        (node,) = matching(meta_graph, "layer_0/attention/self/Reshape/shape/2")
        tensor = node.attr["value"].tensor
        if oddity == "vector":
            tensor.tensor_shape.dim.add(size=1_000_000_000_000)
        elif oddity == "dtype":
            tensor.dtype = 1
        elif oddity == "operation":
            node.op = "Placeholder"
        else:
            del node.attr["value"]

    edit_graph(change)
    with pytest.raises(ValueError, match="num_attention_heads can't be found"):
        read(module)


def test_lowercase_may_be_false(module, edit_graph):
    def change(meta_graph):
        for node in matching(meta_graph, "^Const"):
            node.attr["value"].tensor.bool_val[:] = [False]

    edit_graph(change)
    assert read(module).lowercase is False


def test_no_tokenization_signature(module, edit_graph):
    edit_graph(lambda meta_graph: meta_graph.signature_def.pop("tokenization_info"))
    with pytest.raises(ValueError, match=r"signature tokenization_info with outputs .* got \[\]"):
        read(module)


@pytest.mark.parametrize("name", ["../vocab.txt", "/etc/passwd", "a/vocab.txt"])
def test_a_vocabulary_outside_of_the_assets(module, edit_graph, name):
    def change(meta_graph):
        del meta_graph.collection_def["saved_model_assets"]
        asset = meta_graph.asset_file_def.add(filename=name)
        asset.tensor_info.name = "vocab_file:0"

    edit_graph(change)
    with pytest.raises(ValueError, match=rf"the vocabulary can't be found; .*{name}"):
        read(module)


def test_assets_as_tensorflow_lists_them(module, edit_graph):
    def change(meta_graph):
        del meta_graph.collection_def["saved_model_assets"]
        asset = meta_graph.asset_file_def.add(filename="words.txt")
        asset.tensor_info.name = "vocab_file:0"

    edit_graph(change)
    assert read(module).vocabulary_file == "words.txt"


def test_no_vocabulary_among_the_assets(module, edit_graph):
    def change(meta_graph):
        del meta_graph.collection_def["saved_model_assets"]

    edit_graph(change)
    with pytest.raises(ValueError, match=r"the vocabulary can't be found; .* got \[\]"):
        read(module)


def test_a_damaged_list_of_assets(module, edit_graph):
    def change(meta_graph):
        meta_graph.collection_def["saved_model_assets"].any_list.value[0].value = b"\xff\xff"

    edit_graph(change)
    with pytest.raises(ValueError, match="the list of assets is damaged"):
        read(module)


def test_no_training_graph(module, edit_graph):
    edit_graph(lambda meta_graph: meta_graph.meta_info_def.tags.append("serve"), TRAIN)
    with pytest.raises(ValueError, match=r"one tagged \"train\".*\['train', 'serve'\]"):
        read(module)
