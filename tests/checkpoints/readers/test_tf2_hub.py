import numpy as np
import pytest

from keras_bert_zh import BertEncoder, BertPreprocess
from keras_bert_zh.checkpoints import load_checkpoint
from tests.checkpoints.readers import tf2_modules

QUERY = "transformer/layer_1/self_attention/query/kernel"
OUTPUT = "transformer/layer_0/self_attention/attention_output/kernel"


@pytest.fixture(scope="module")
def hub():
    return load_checkpoint(tf2_modules.TINY)


@pytest.fixture
def folder(tmp_path):
    return tf2_modules.copy(tmp_path / "bert_zh")


def assert_same_weights(checkpoint, other):
    assert list(checkpoint.weights) == [
        name for name in other.weights if name in checkpoint.weights
    ]
    for name, weight in checkpoint.weights.items():
        assert weight.dtype == "float32"
        np.testing.assert_array_equal(weight, other.weights[name], err_msg=name)


def test_it_holds_what_the_tf1_module_of_the_same_weights_holds(hub, tiny):
    assert hub.config == tiny.config
    assert hub.vocabulary == tiny.vocabulary
    assert hub.lowercase is tiny.lowercase is True
    assert_same_weights(hub, tiny)
    assert "masked_lm.dense.kernel" in hub.weights
    assert hub.weights.keys() == tiny.weights.keys()


def test_what_is_left_over_and_what_is_missing(hub):
    assert hub.format == "TF2 Hub SavedModel"
    assert set(hub.leftovers) == {"_CHECKPOINTABLE_OBJECT_GRAPH", "do_lower_case"}
    assert hub.missing == ("next_sentence",)


def test_the_encoder_computes_what_the_original_computed(hub, inputs, golden):
    outputs = BertEncoder(hub, output_key=None, padding_free=False)(inputs)
    for name in ("pooled_output", "sequence_output"):
        assert np.abs(outputs[name] - golden[name]).max() < 1e-5


def test_tensors_are_found_by_the_names_of_the_variables_not_by_their_numbers(folder, hub):
    def exchange(tensors, graph):
        names = {"query": "key", "key": "query"}
        for node in graph.nodes:
            for attribute in node.attributes:
                parts = attribute.full_name.split("/")
                attribute.full_name = "/".join(names.get(part, part) for part in parts)

    tf2_modules.edit_tensors(folder, exchange)
    weights = load_checkpoint(folder).weights
    for kind in ("kernel", "bias"):
        name = f"blocks.1.attention.query.{kind}"
        np.testing.assert_array_equal(weights[name], hub.weights[name.replace("query", "key")])
        np.testing.assert_array_equal(weights[name.replace("query", "key")], hub.weights[name])


@pytest.mark.parametrize("names", [tf2_modules.NAMES_OF_2020, tf2_modules.NAMES_OF_2019])
def test_older_names(folder, hub, names):
    tf2_modules.edit_tensors(folder, tf2_modules.rename_variables(names))
    checkpoint = load_checkpoint(folder)
    assert checkpoint.config == hub.config
    assert checkpoint.lowercase is True
    assert checkpoint.missing == hub.missing
    assert_same_weights(checkpoint, hub)


def test_an_export_of_2019(folder, hub):
    tf2_modules.edit_graph(folder, tf2_modules.graph_of_2019)
    tf2_modules.edit_tensors(folder, tf2_modules.flatten_heads)
    tf2_modules.edit_tensors(folder, tf2_modules.rename_variables(tf2_modules.NAMES_OF_2019))
    checkpoint = load_checkpoint(folder)
    assert checkpoint.config == hub.config
    assert_same_weights(checkpoint, hub)


def test_errors_name_tensors_as_the_file_does(folder):
    tf2_modules.edit_tensors(folder, tf2_modules.rename_variables(tf2_modules.NAMES_OF_2019))
    name = "bert_model/encoder/layer_1/output/bias"
    tf2_modules.edit_variables(folder, {name: np.zeros(31, "float32")})
    with pytest.raises(ValueError, match=rf"misshapen: {name} is \[31\], expected \[32\]"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({QUERY: None}, [f"missing: {QUERY}"]),
        ({"extra/kernel": np.zeros(3, "float32")}, ["unexpected: extra/kernel"]),
        (
            {QUERY: np.zeros((32, 4, 7), "float32")},
            [f"misshapen: {QUERY} is [32, 4, 7], expected [32, 32]"],
        ),
        (
            {QUERY: np.zeros((32, 2, 16), "float32")},
            [f"misshapen: {QUERY} is [32, 2, 16], expected [32, 32]"],
        ),
        (
            {OUTPUT: np.zeros((8, 4, 32), "float32")},
            [f"misshapen: {OUTPUT} is [8, 4, 32], expected [32, 32]"],
        ),
        (
            {QUERY: np.zeros((31, 4, 8), "float32")},
            [f"misshapen: {QUERY} is [31, 32], expected [32, 32]"],
        ),
        ({QUERY: np.zeros(5, "float32")}, [f"misshapen: {QUERY} is [5], expected [32, 32]"]),
        (
            {"word_embeddings/embeddings": np.zeros((718, 31), "float32")},
            ["misshapen: word_embeddings/embeddings is [718, 31], expected [718, 32]"],
        ),
        ({QUERY: np.zeros((32, 4, 8), "float64")}, [f"not float32: {QUERY} is float64"]),
        (
            {"bert/cls/predictions/output_bias/bias": None},
            ["missing: bert/cls/predictions/output_bias/bias"],
        ),
        (
            {
                QUERY: np.zeros((32, 8, 4), "float32"),
                "pooler_transform/bias": None,
                "odd": np.zeros(3, "float32"),
            },
            ["missing: pooler_transform/bias", "unexpected: odd", f"misshapen: {QUERY} is"],
        ),
    ],
)
def test_variables_that_do_not_fit(folder, changes, lines):
    tf2_modules.edit_variables(folder, changes)
    with pytest.raises(ValueError, match=f"variables.index .*{len(lines)} found:") as caught:
        load_checkpoint(folder)
    assert str(folder) in str(caught.value)
    for line in lines:
        assert f"\n  {line}" in str(caught.value)


def test_blocks_without_variables(folder):
    def change(tensors, graph):
        for node in graph.nodes:
            for attribute in list(node.attributes):
                if "layer_1/" in attribute.full_name:
                    del tensors[attribute.checkpoint_key]
                    node.attributes.remove(attribute)

    tf2_modules.edit_tensors(folder, change)
    with pytest.raises(
        ValueError, match="16 found:\n  missing: transformer/layer_1/self_attention"
    ):
        load_checkpoint(folder)


def test_the_masked_lm_head_is_optional(folder):
    names = ("output_bias/bias", "transform/dense/kernel", "transform/dense/bias")
    names += ("transform/LayerNorm/gamma", "transform/LayerNorm/beta")
    tf2_modules.edit_variables(folder, {f"bert/cls/predictions/{name}": None for name in names})
    assert load_checkpoint(folder).missing == ("masked_lm", "next_sentence")


def test_the_counter_of_a_training_checkpoint_is_left_over(folder, hub):
    tf2_modules.edit_variables(folder, {"save_counter": np.int64(3)})
    checkpoint = load_checkpoint(folder)
    assert set(checkpoint.leftovers) == {*hub.leftovers, "save_counter"}


def test_two_variables_of_one_name(folder):
    def change(tensors, graph):
        for node in graph.nodes:
            for attribute in node.attributes:
                if attribute.full_name == "transformer/layer_1/self_attention/key/kernel":
                    attribute.full_name = QUERY

    tf2_modules.edit_tensors(folder, change)
    with pytest.raises(ValueError, match="4 found") as caught:
        load_checkpoint(folder)
    assert f"missing: {QUERY}" in str(caught.value)
    assert "unexpected: variables/21/.ATTRIBUTES/VARIABLE_VALUE" in str(caught.value)


def test_flat_kernels_need_a_graph_that_splits_them(folder):
    tf2_modules.edit_tensors(folder, tf2_modules.flatten_heads)
    with pytest.raises(
        ValueError, match=rf"{folder}: num_attention_heads can't be found; expected"
    ):
        load_checkpoint(folder)


def test_values_that_no_configuration_may_have(folder):
    def change(meta_graph):
        for _, node in tf2_modules.matching(meta_graph, "dropout/GreaterEqual/y$"):
            node.attr["value"].tensor.float_val[:] = [1.5]

    tf2_modules.edit_graph(folder, change)
    with pytest.raises(ValueError, match=rf"{folder}: hidden_dropout_prob must be in \[0, 1\)"):
        load_checkpoint(folder)


def test_a_cased_module(folder):
    tf2_modules.edit_variables(folder, {"Variable": np.bool_(False)})
    path = folder / "assets" / "vocab.txt"
    path.write_text(path.read_text().replace("\ngoogle\n", "\nGoogle\n"))
    assert load_checkpoint(folder).lowercase is False


def test_a_flag_that_the_vocabulary_contradicts_is_not_believed(folder):
    tf2_modules.edit_variables(folder, {"Variable": np.bool_(False)})
    assert "lowercase" in load_checkpoint(folder).missing
    assert BertPreprocess(folder).lowercase is True


@pytest.mark.parametrize("value", [np.float32(1), np.array([True])])
def test_lowercase_that_is_no_bool(folder, value):
    tf2_modules.edit_variables(folder, {"Variable": value})
    with pytest.raises(ValueError, match=r"variables.index: do_lower_case must be a bool scalar"):
        load_checkpoint(folder)


def test_no_lowercase(folder, hub):
    def change(tensors, graph):
        for child in graph.nodes[0].children:
            if child.local_name == "do_lower_case":
                child.local_name = "cased"

    tf2_modules.edit_tensors(folder, change)
    with pytest.raises(ValueError, match="1 found:\n  unexpected: Variable"):
        load_checkpoint(folder)
    tf2_modules.edit_variables(folder, {"Variable": None})
    checkpoint = load_checkpoint(folder)
    assert checkpoint.lowercase is None
    assert checkpoint.missing == ("lowercase", *hub.missing)


def test_no_vocabulary(folder, hub):
    def change(meta_graph):
        for child in meta_graph.object_graph_def.nodes[0].children:
            if child.local_name == "vocab_file":
                child.local_name = "sp_model_file"

    tf2_modules.edit_graph(folder, change)
    checkpoint = load_checkpoint(folder)
    assert checkpoint.vocabulary is None
    assert checkpoint.missing == ("vocabulary", *hub.missing)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "assets/vocab.txt is not a file"),
        (b"a\n" * 717, "assets/vocab.txt has 717 lines, expected one for each of the 718 rows"),
        (b"a\n" * 718, r"assets/vocab.txt: .*\[PAD\], \[UNK\], \[CLS\], \[SEP\] missing"),
    ],
)
def test_a_vocabulary_that_does_not_fit(folder, content, message):
    path = folder / "assets" / "vocab.txt"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{folder}/{message}"):
        load_checkpoint(folder)


def test_a_folder_that_lacks_a_file(folder):
    (folder / "variables" / "variables.index").unlink()
    with pytest.raises(
        ValueError, match=r"saved_model.pb, variables/, but no variables/variables.i"
    ):
        load_checkpoint(folder)


def test_a_tf1_module_that_lost_its_mark(module):
    (module / "tfhub_module.pb").unlink()
    with pytest.raises(
        ValueError, match=r"A TF1 Hub module also needs the file tfhub_module.pb in this folder\."
    ):
        load_checkpoint(module)
