import json
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder, BertPreprocess
from tests.process import run_python

# No text ends in NUL, which arrays of dtype U would drop.
TEXTS = ["今天天气很好，我们去公园吧！", "", "Keras 3", "坏\0了 [CLS]", "ΑΣ ΑΣ"]
PAIRS = (TEXTS, TEXTS[::-1])


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(None, max_length=12)


@pytest.fixture(scope="module")
def expected(preprocess):
    """The eager answers, for single texts and for pairs."""
    return as_lists(preprocess(TEXTS)), as_lists(preprocess(PAIRS))


def as_lists(outputs):
    return {key: np.asarray(value).tolist() for key, value in outputs.items()}


def array(texts):
    return np.array(texts, dtype=object)


def functional(preprocess):
    first, second = keras.Input((), dtype="string"), keras.Input((), dtype="string")
    single = keras.Model(first, preprocess(first))
    return single, keras.Model([first, second], preprocess((first, second)))


def test_layout(preprocess):
    outputs = preprocess(("好", "不好"))
    assert as_lists(outputs) == {
        "input_ids": [101, 1962, 102, 679, 1962, 102, 0, 0, 0, 0, 0, 0],
        "input_mask": [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
        "segment_ids": [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0],
    }
    assert all(value.dtype == tf.int32 for value in outputs.values())


def test_special_token_in_the_text_is_text(preprocess):
    ids = preprocess.tokenize("[CLS]").numpy()
    assert [preprocess.vocabulary[index] for index in ids] == ["[", "cl", "##s", "]"]


@pytest.mark.parametrize(
    "texts",
    [
        array(TEXTS),
        np.array([[text] for text in TEXTS], dtype=object),
        array([text.encode() for text in TEXTS]),
        [text.encode() for text in TEXTS],
        np.array(TEXTS),
        tf.constant(TEXTS),
        tf.constant([[text] for text in TEXTS]),
        {"text_a": TEXTS},
    ],
    ids=["objects", "column", "bytes", "bytes list", "U", "tensor", "tensor column", "dict"],
)
def test_every_form_of_batch_gives_one_answer(preprocess, expected, texts):
    assert as_lists(preprocess(texts)) == expected[0]


def test_every_form_of_pair_gives_one_answer(preprocess, expected):
    a, b = PAIRS
    for pair in [
        (array(a), array(b)),
        [tf.constant(a), tf.constant(b)],
        {"text_b": b, "text_a": a},
    ]:
        assert as_lists(preprocess(pair)) == expected[1]
    rows = [as_lists(preprocess((x, y))) for x, y in zip(a, b, strict=True)]
    assert {key: [row[key] for row in rows] for key in rows[0]} == expected[1]


def test_split_words(preprocess):
    words = [["今天", "天气"], [], ["Ker", "as"]]
    for form in (words, tf.ragged.constant(words)):
        assert preprocess.tokenize(form).to_list() == [
            [791, 1921, 1921, 3698],
            [],
            # Each word on its own: no piece joins the two.
            [*preprocess.tokenize("ker").numpy(), *preprocess.tokenize("as").numpy()],
        ]
    assert preprocess((words, words))["input_ids"].shape == (3, 12)


def test_eager_tf_data_and_models_agree(preprocess, expected):
    dataset = tf.data.Dataset.from_tensor_slices(TEXTS)
    for batches in (
        dataset.batch(5).map(preprocess),
        dataset.map(preprocess).batch(5),
        dataset.batch(5).map(lambda texts: preprocess({"text_a": texts})),
    ):
        assert as_lists(next(iter(batches))) == expected[0]
    pairs = tf.data.Dataset.from_tensor_slices(PAIRS).batch(5)
    assert as_lists(next(iter(pairs.map(lambda a, b: preprocess((a, b)))))) == expected[1]
    single, pair = functional(preprocess)
    sequential = keras.Sequential([preprocess])
    assert as_lists(single.predict(array(TEXTS), verbose=0)) == expected[0]
    assert as_lists(sequential.predict(array(TEXTS), verbose=0)) == expected[0]
    assert as_lists(pair.predict([array(part) for part in PAIRS], verbose=0)) == expected[1]


def test_clone_json_and_pickle_agree(preprocess, expected):
    single, pair = functional(preprocess)
    for copy in (
        keras.models.clone_model(single),
        keras.models.model_from_json(single.to_json()),
        pickle.loads(pickle.dumps(single)),
    ):
        assert as_lists(copy.predict(array(TEXTS), verbose=0)) == expected[0]
    copy = keras.models.clone_model(pair)
    assert as_lists(copy.predict([array(part) for part in PAIRS], verbose=0)) == expected[1]


def test_saved_models_agree_in_a_new_process(preprocess, expected, tmp_path):
    single, pair = functional(preprocess)
    single.save(tmp_path / "single.keras")
    single.export(tmp_path / "single", verbose=False)
    pair.save(tmp_path / "pair.keras")
    printed = run_python(
        """
import json, sys
import numpy as np, tensorflow as tf, tensorflow_text
folder, texts, pair = sys.argv[1], *json.loads(sys.argv[2])
lists = lambda outputs: {key: np.asarray(value).tolist() for key, value in outputs.items()}
# Before the package is imported: a SavedModel stands on its own.
exported = tf.saved_model.load(f"{folder}/single").serve(tf.constant(texts))
assert "keras_bert_zh" not in sys.modules
import keras, keras_bert_zh
load = lambda name: keras.saving.load_model(f"{folder}/{name}.keras")
array = lambda texts: np.array(texts, dtype=object)
single = load("single").predict(array(texts), verbose=0)
both = load("pair").predict([array(part) for part in pair], verbose=0)
print(json.dumps([lists(exported), lists(single), lists(both)]))
""",
        tmp_path,
        json.dumps([TEXTS, PAIRS]),
    )
    assert json.loads(printed) == [expected[0], expected[0], expected[1]]


def test_split_words_can_be_exported(preprocess, tmp_path):
    """As the README says: `model.export` does not know ragged tensors, `ExportArchive` does."""
    model = keras.Sequential([preprocess])
    words = tf.ragged.constant([["今天", "天气"], [], ["Ker", "as"]])
    expected = as_lists(model.predict(words, verbose=0))
    archive = keras.export.ExportArchive()
    archive.track(model)
    spec = tf.RaggedTensorSpec([None, None], tf.string)
    archive.add_endpoint("serve", tf.function(model, input_signature=[spec]))
    archive.write_out(tmp_path / "words", verbose=False)
    assert as_lists(tf.saved_model.load(tmp_path / "words").serve(words)) == expected
    model.save(tmp_path / "words.keras")
    loaded = keras.saving.load_model(tmp_path / "words.keras")
    assert as_lists(loaded.predict(words, verbose=0)) == expected


@pytest.mark.parametrize("unit", ["今天 hello，", "x", "\xff"], ids=["text", "word", "latin1"])
def test_huge_texts(preprocess, unit):
    huge = unit * (10_000_000 // len(unit.encode()))
    rows = preprocess([huge, "很好"])
    data = tf.data.Dataset.from_tensors([huge, "很好"]).map(preprocess)
    assert as_lists(next(iter(data))) == as_lists(rows)
    assert rows["input_ids"][1].numpy().tolist() == [101, 2523, 1962, 102, *[0] * 8]
    assert rows["input_mask"][0].numpy().sum() == (12 if unit.startswith("今") else 3)


def test_mixed_precision_for_all_layers(tiny):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = keras.Sequential([BertPreprocess(tiny, max_length=8), BertEncoder(tiny)])
    outputs = model.predict(tf.constant(["a b", "c"]), verbose=0)
    assert str(outputs.dtype) == "bfloat16"
    assert np.isfinite(outputs.astype("float32")).all()


def test_split_words_in_a_sequential_model(preprocess):
    words = tf.ragged.constant([["今天", "天气"], [], ["Ker", "as"]])
    outputs = keras.Sequential([preprocess]).predict(words, verbose=0)
    assert as_lists(outputs) == as_lists(preprocess(words))
