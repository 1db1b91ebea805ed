import pytest
import tensorflow as tf

from keras_bert_zh.checkpoints.readers import tf2_graph
from tests.checkpoints.readers import tf2_modules
from tests.checkpoints.readers.tf2_modules import matching

HYPERPARAMETERS = {
    "num_hidden_layers": 2,
    "hidden_act": "gelu_tanh",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "layer_norm_eps": 1e-12,
}


@pytest.fixture
def folder(tmp_path):
    return tf2_modules.copy(tmp_path / "bert_zh")


@pytest.fixture
def edit(folder):
    return lambda change: tf2_modules.edit_graph(folder, change)


def read(folder):
    return tf2_graph.read(folder / "saved_model.pb")


def removed(pattern):
    def change(meta_graph):
        for function, node in matching(meta_graph, pattern):
            function.node_def.remove(node)

    return change


def floats(pattern, value):
    def change(meta_graph):
        for _, node in matching(meta_graph, pattern):
            node.attr["value"].tensor.float_val[:] = [value]

    return change


def operations(**replacements):
    def change(meta_graph):
        for _, node in matching(meta_graph, "layer_[0-9].*/activation/"):
            node.op = replacements.get(node.op, node.op)

    return change


def child(name):
    def find(meta_graph):
        objects = meta_graph.object_graph_def.nodes
        (found,) = [child for child in objects[0].children if child.local_name == name]
        return found

    return find


def test_what_the_graph_tells():
    graph = read(tf2_modules.TINY)
    assert graph.hyperparameters == HYPERPARAMETERS
    assert graph.num_attention_heads is None
    assert graph.vocabulary_file == "vocab.txt"


@pytest.mark.parametrize("file", ["keras_metadata.pb", "fingerprint.pb"])
def test_files_that_older_modules_lack_are_not_needed(folder, file):
    (folder / file).unlink()
    assert read(folder) == read(tf2_modules.TINY)


@pytest.mark.parametrize(
    ("change", "activation"),
    [
        (operations(Tanh="Erf", Pow="Mul"), "gelu_erf"),
        (operations(Tanh="Relu", Pow="Mul"), "relu"),
    ],
)
def test_activation(folder, edit, change, activation):
    edit(change)
    assert read(folder).hyperparameters["hidden_act"] == activation


@pytest.mark.parametrize(
    "change",
    [
        operations(Tanh="Sigmoid", Pow="Mul"),
        operations(Pow="Erf"),
        removed("layer_1.*/activation/"),
        lambda meta_graph: setattr(
            matching(meta_graph, "layer_1.*/activation/Gelu/Tanh$")[0][1], "op", "Erf"
        ),
    ],
)
def test_an_activation_that_is_not_known_or_differs(folder, edit, change):
    edit(change)
    with pytest.raises(
        ValueError, match=r"hidden_act can't be found; .*Pow\+Tanh or Erf"
    ) as caught:
        read(folder)
    assert str(folder / "saved_model.pb") in str(caught.value)
    assert "layer_1" in str(caught.value)


def test_the_two_dropout_rates_are_told_apart(folder, edit):
    edit(floats("dropout/GreaterEqual/y$", 0.3))
    edit(floats("self_attention/dropout_[0-9]/dropout/GreaterEqual/y$", 0.25))
    hyperparameters = read(folder).hyperparameters
    assert hyperparameters["attention_probs_dropout_prob"] == 0.25
    assert hyperparameters["hidden_dropout_prob"] == 0.3


def test_a_graph_without_dropout_has_rate_zero(folder, edit):
    edit(removed("self_attention/.*dropout/"))
    hyperparameters = read(folder).hyperparameters
    assert hyperparameters["attention_probs_dropout_prob"] == 0.0
    assert hyperparameters["hidden_dropout_prob"] == 0.1


def test_dropout_of_rate_zero_inside_of_the_feed_forward_layers(folder, edit):
    # As Keras of TensorFlow 2.4 wrote it.
    def change(meta_graph):
        for function, node in matching(
            meta_graph, "layer_[0-9].*/dropout_2/dropout/GreaterEqual/y"
        ):
            zero = function.node_def.add()
            zero.CopyFrom(node)
            zero.name = node.name.replace("dropout_2", "dropout_1")
            zero.attr["value"].tensor.float_val[:] = [0.0]

    edit(change)
    assert read(folder).hyperparameters == HYPERPARAMETERS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            floats("layer_1.*output_layer_norm/batchnorm/add/y$", 1e-6),
            r"layer_norm_eps must be the same everywhere, got 1e-12 in \S*/y and 1e-06 in \S*layer_"
            r"1\S*/output_layer_norm/batchnorm/add/y\.",
        ),
        (
            floats("predictions.*LayerNorm/batchnorm/add/y$", 1e-6),
            "layer_norm_eps must be the same everywhere, .*predictions",
        ),
        (
            removed("layer_1.*batchnorm/add/y$"),
            r"layer_norm_eps can't be found in layer_1; expected constants there, got \[",
        ),
        (removed("batchnorm/add/y$"), "layer_norm_eps can't be found in layer_0, layer_1; .*"),
        (
            floats("__inference_dropout_layer.*GreaterEqual/y$", 0.5),
            "hidden_dropout_prob must be the same everywhere, got .*0.5 in __inference_dropout_lay",
        ),
        (
            removed("layer_0.*self_attention/.*GreaterEqual/y$"),
            "attention_probs_dropout_prob can't be found in layer_0; expected",
        ),
        (
            removed("/layer_0"),
            r"num_hidden_layers can't be found; expected .* transformer/layer_0/",
        ),
    ],
)
def test_a_missing_or_odd_constant(folder, edit, change, message):
    edit(change)
    with pytest.raises(ValueError, match=message) as caught:
        read(folder)
    assert str(folder / "saved_model.pb") in str(caught.value)


@pytest.mark.parametrize("oddity", ["vector", "dtype", "operation", "string"])
def test_an_epsilon_that_is_no_float_scalar(folder, edit, oddity):
    def change(meta_graph):
        _, node = matching(meta_graph, "layer_0.*output_layer_norm/batchnorm/add/y$")[0]
        tensor = node.attr["value"].tensor
        if oddity == "vector":
            tensor.tensor_shape.dim.add(size=1_000_000_000_000)
        elif oddity == "dtype":
            tensor.dtype = 3
        elif oddity == "operation":
            node.op = "Placeholder"
        else:
            tensor.dtype = 7
            tensor.string_val[:] = [b"0.1"]

    edit(change)
    with pytest.raises(ValueError, match=r"layer_norm_eps can't be found; .*layer_0\S*add/y\."):
        read(folder)


def test_no_encoder(folder, edit):
    edit(lambda meta_graph: meta_graph.graph_def.library.Clear())
    with pytest.raises(
        ValueError, match=r"num_hidden_layers can't be found; .* got nodes of the layers \[\]"
    ):
        read(folder)


def test_a_graph_of_2019(folder, edit):
    edit(tf2_modules.graph_of_2019)
    graph = read(folder)
    assert graph.hyperparameters == HYPERPARAMETERS
    assert graph.num_attention_heads == 4


@pytest.mark.parametrize("oddity", ["differs", "operation", "short", "scalar"])
def test_shapes_of_2019_that_tell_no_heads(folder, edit, oddity):
    def change(meta_graph):
        _, node = matching(meta_graph, "layer_1.*self_attention/key/Reshape/shape$")[0]
        tensor = node.attr["value"].tensor
        if oddity == "differs":
            tensor.int_val[:] = [32, 2, 16]
        elif oddity == "operation":
            node.op = "Pack"
        elif oddity == "short":
            tensor.tensor_shape.dim[0].size = 2
        else:
            tensor.tensor_shape.Clear()

    edit(tf2_modules.graph_of_2019)
    edit(change)
    with pytest.raises(ValueError, match=r"num_attention_heads can't be found; .*three axes"):
        read(folder)


def test_a_vocabulary_of_another_name(folder, edit):
    edit(lambda meta_graph: setattr(meta_graph.asset_file_def[0], "filename", "words.txt"))
    assert read(folder).vocabulary_file == "words.txt"


def test_no_vocabulary(folder, edit):
    edit(lambda m: m.object_graph_def.nodes[0].children.remove(child("vocab_file")(m)))
    assert read(folder).vocabulary_file is None


@pytest.mark.parametrize("name", ["../vocab.txt", "/etc/passwd", "a/vocab.txt", ""])
def test_a_vocabulary_outside_of_the_assets(folder, edit, name):
    edit(lambda meta_graph: setattr(meta_graph.asset_file_def[0], "filename", name))
    with pytest.raises(
        ValueError, match=rf"the vocabulary can't be found; .*\['{name}'\]"
    ) as caught:
        read(folder)
    assert str(folder / "saved_model.pb") in str(caught.value)


def asset_without_file(meta_graph):
    node = meta_graph.object_graph_def.nodes[child("vocab_file")(meta_graph).node_id]
    node.asset.asset_file_def_index = 1


@pytest.mark.parametrize(
    "change",
    [
        asset_without_file,
        lambda meta_graph: setattr(child("vocab_file")(meta_graph), "node_id", 1),
    ],
)
def test_a_vocabulary_that_is_no_asset(folder, edit, change):
    edit(change)
    with pytest.raises(ValueError, match=r"one file for the root object's vocab_file, got \[\]"):
        read(folder)


@pytest.mark.parametrize("number", [-1, 1_000_000])
def test_a_child_that_is_not_there(folder, edit, number):
    edit(lambda meta_graph: setattr(child("vocab_file")(meta_graph), "node_id", number))
    with pytest.raises(
        ValueError, match=rf"damaged: vocab_file refers to object {number} of [0-9]+\."
    ):
        read(folder)


def test_a_preprocessor(tmp_path):
    module = tf.Module()
    module.tokenize = tf.Module()
    module.tokenize.table = tf.Variable(0)
    tf.saved_model.save(module, str(tmp_path))
    with pytest.raises(
        ValueError, match=r"contains a preprocessor, .* Use the encoder's module"
    ) as e:
        read(tmp_path)
    assert str(tmp_path / "saved_model.pb") in str(e.value)


def test_a_tf1_module_that_lost_its_mark(tiny_module):
    with pytest.raises(ValueError, match=r"must contain one graph .* 0\. A TF1 .* tfhub_module.pb"):
        read(tiny_module)
