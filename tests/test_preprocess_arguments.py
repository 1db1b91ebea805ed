"""Where the vocabulary of BertPreprocess comes from, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(None, max_length=12)


def as_lists(outputs):
    return {key: np.asarray(value).tolist() for key, value in outputs.items()}


def array(texts):
    return np.array(texts, dtype=object)


def test_lowercase_false():
    cased = BertPreprocess(None, lowercase=False)
    assert cased.tokenize("É").numpy().tolist() != cased.tokenize("e").numpy().tolist()
    assert BertPreprocess.from_config(cased.get_config()).lowercase is False


def test_config_of_older_files_holds_all_tokens(tiny):
    preprocess = BertPreprocess(tiny)
    older = preprocess.get_config() | {"vocabulary": preprocess.vocabulary}
    assert BertPreprocess.from_config(older).get_config() == preprocess.get_config()


def test_checkpoint_brings_vocabulary_and_case(tiny, tiny_module):
    for source in (tiny_module, str(tiny_module), tiny):
        preprocess = BertPreprocess(source, max_length=8)
        assert (len(preprocess.vocabulary), preprocess.lowercase) == (718, True)
    assert BertPreprocess(tiny, lowercase=False).lowercase is False


def test_vocabulary_from_a_file(tiny, tiny_module):
    path = tiny_module / "assets" / "vocab.txt"
    assert BertPreprocess(vocabulary=path).vocabulary == list(tiny.vocabulary)
    assert BertPreprocess(vocabulary=str(path)).vocabulary == list(tiny.vocabulary)
    assert BertPreprocess(vocabulary=tiny.vocabulary).special_ids == {
        token: tiny.vocabulary.index(token)
        for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    }


def test_no_data_needed_for_odd_but_valid_texts(preprocess):
    empty = preprocess([])
    assert all(value.shape == (0, 12) for value in empty.values())
    only_special = [101, 102, *[0] * 10]
    for text in ["", " \u3000", "\0", b"\xff\xfe", "\ud800"]:
        assert preprocess(text)["input_ids"].numpy().tolist() == only_special
    assert preprocess(tf.constant([], tf.string))["input_mask"].shape == (0, 12)


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (5, TypeError, r"texts: expected str.*got 5 \(int\)"),
        ([1, 2], TypeError, r"got 1 \(int\) among the texts"),
        (["a", None], TypeError, r"got None \(NoneType\) among the texts"),
        ([["a"], "b"], TypeError, r"got \['a'\] \(list\) among the texts"),
        (np.zeros(3), TypeError, "got an array of float64"),
        (tf.constant([1]), TypeError, "got a tensor of dtype int32"),
        (array(["a", float("nan")]), TypeError, r"got nan \(float\) among the texts"),
        (tf.constant([["a", "b"]]), ValueError, r"got shape \[1, 2\]. Pass a pair of texts as"),
        (("a",), ValueError, "tuple of two, got a tuple of 1"),
        (("a", "b", "c"), ValueError, "tuple of two, got a tuple of 3"),
        ([tf.constant("a")] * 3, ValueError, "tuple of two, got a tuple of 3"),
        (("a", ["b"]), ValueError, "both be scalar or both be batches"),
        ((["a"], ["b", "c"]), ValueError, "same number of first and second texts, got 1 and 2"),
        ((["a"], [3]), TypeError, "the second text: expected str"),
        ({"a": ["a"]}, ValueError, r"'text_a' and, for pairs, 'text_b'; got \['a'\]"),
        ({"text_b": ["a"]}, ValueError, r"got \['text_b'\]"),
    ],
)
def test_bad_inputs(preprocess, inputs, error, message):
    with pytest.raises(error, match=message):
        preprocess(inputs)


def test_bad_symbolic_inputs(preprocess):
    with pytest.raises(ValueError, match=r"got shape \[None, 3\]"):
        preprocess(keras.Input((3,), dtype="string"))
    with pytest.raises(TypeError, match="got a tensor of dtype int32"):
        preprocess(keras.Input((), dtype="int32"))


def test_columns_known_at_run_time_only(preprocess):
    pack = tf.function(preprocess, input_signature=[tf.TensorSpec([None, None], tf.string)])
    assert pack(tf.constant([["a"], ["b"]]))["input_ids"].shape == (2, 12)
    with pytest.raises(tf.errors.InvalidArgumentError, match="pre-split words as a ragged"):
        pack(tf.constant([["a", "b"]]))


def test_pairs_of_unequal_batch_inside_a_graph(preprocess):
    spec = tf.TensorSpec([None], tf.string)
    pack = tf.function(lambda a, b: preprocess((a, b)), input_signature=[spec, spec])
    assert pack(tf.constant(["a"]), tf.constant(["b"]))["input_ids"].shape == (1, 12)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="same number of first and second texts"
    ):
        pack(tf.constant(["a"]), tf.constant(["b", "c"]))
    ragged = tf.RaggedTensorSpec([None, None], tf.string)
    words = tf.function(lambda a, b: preprocess((a, b)), input_signature=[ragged, spec])
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="same number of first and second texts"
    ):
        words(tf.ragged.constant([["a"]]), tf.constant(["b", "c"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_length": 2}, "max_length must be an int of at least 3, got 2"),
        ({"max_length": 8.0}, "max_length must be an int of at least 3, got 8.0"),
        ({"lowercase": "yes"}, "lowercase must be True, False or None, got 'yes'"),
        ({"offsets": "words"}, "True, False, 'characters' or 'bytes', got 'words'"),
        ({"offsets": 1}, "True, False, 'characters' or 'bytes', got 1"),
        ({"vocabulary": []}, "vocabulary must be a list of tokens"),
        ({"vocabulary": ["a"]}, r"must contain the special tokens .* missing from 1 tokens"),
        ({"vocabulary": ["a"], "checkpoint": "x"}, "either checkpoint or vocabulary"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        BertPreprocess(**arguments)


def test_vocabulary_file_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"vocab\.txt"):
        BertPreprocess(vocabulary=tmp_path / "vocab.txt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary": "/etc/hostname"}, r"vocabulary .* got '/etc/hostname'"),
        ({"checkpoint": "/etc"}, "must contain a vocabulary, and no checkpoint"),
    ],
)
def test_a_saved_model_opens_no_path(preprocess, change, message):
    with pytest.raises(ValueError, match=message):
        BertPreprocess.from_config(preprocess.get_config() | change)


def test_tokenize_takes_no_pairs(preprocess):
    with pytest.raises(ValueError, match="single texts"):
        preprocess.tokenize(("a", "b"))
