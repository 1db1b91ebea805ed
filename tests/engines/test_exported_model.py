"""ExportedModel: what it takes and gives back, and what it says where it can't."""

import dataclasses
import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import (
    BertEncoder,
    BertPreprocess,
    ExportedModel,
    MaskedLM,
    TruncationWarning,
)
from tests.conformance.cases import INPUTS, ONE_BLOCK
from tests.encoder.common import difference
from tests.export.models import TEXTS, classifier, encoder_of, exported
from tests.heads.text_models import text_model

FORMATS = ["savedmodel", "litert"]
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# For the encoders of the tests.
VOCABULARY = {"vocabulary": (*SPECIAL, *map(chr, range(0x4E00, 0x4E30))), "max_length": 9}


@pytest.fixture(scope="module")
def model():
    return classifier()


@pytest.fixture(scope="module", params=FORMATS)
def of_texts(request, model, tmp_path_factory):
    return exported(model, tmp_path_factory.mktemp("texts") / "model", request.param)


@pytest.fixture(scope="module", params=FORMATS)
def of_ids(request, tmp_path_factory):
    return exported(encoder_of(), tmp_path_factory.mktemp("ids") / "model", request.param)


@pytest.fixture(scope="module", params=FORMATS)
def of_pairs(request, tiny_block, tmp_path_factory):
    model = text_model(tiny_block)
    model.takes_pairs = True
    return model, exported(model, tmp_path_factory.mktemp("pairs") / "model", request.param)


def test_texts(model, of_texts):
    expected = model(tf.constant(TEXTS))
    array = np.array(TEXTS)
    encoded = [text.encode() for text in TEXTS]
    for texts in (
        *(TEXTS, encoded, array, array.astype(object), np.array(encoded), array[:, None]),
        *(tf.constant(array), {"text_a": TEXTS}),
    ):
        assert difference(of_texts(texts), expected) < 1e-5
        assert difference(of_texts.predict(texts, batch_size=2, verbose=0), expected) < 1e-5
    for text in (TEXTS[0], encoded[0], tf.constant(TEXTS[0])):
        assert difference(of_texts(text), expected[:1]) < 1e-5  # One row.
    ids = model.layers[0](TEXTS)
    assert difference(of_texts.predict(ids, verbose=0), expected) < 1e-5
    assert of_texts.labels is of_texts.problem_type is None
    assert of_texts.preprocess.max_length == 9


def test_datasets(model, of_texts, capsys):
    expected = model(tf.constant(TEXTS))
    dataset = tf.data.Dataset.from_tensor_slices(TEXTS).batch(2)
    labelled = dataset.map(lambda texts: (texts, tf.zeros(2)))
    ids = dataset.map(model.layers[0])
    for data in (dataset, labelled, ids, dataset.filter(lambda texts: True)):
        assert difference(of_texts.predict(data, verbose=0), expected) < 1e-5
    capsys.readouterr()
    of_texts.predict(dataset)
    assert "2/2" in capsys.readouterr().out
    of_texts.predict(TEXTS, verbose=0)
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="The dataset has no batches"):
        of_texts.predict(dataset.take(0), verbose=0)


def test_no_rows(of_texts, of_ids):
    for texts in ([], np.array([], object)):
        for outputs in (of_texts(texts), of_texts.predict(texts, verbose=0)):
            assert (outputs.shape, outputs.dtype) == ((0, 2), np.float32)
    assert of_ids({"input_ids": np.zeros((0, 5), "int32")}).shape == (0, 12)


def test_no_rows_of_other_inputs(tmp_path):
    config = dataclasses.replace(ONE_BLOCK, type_vocab_size=1)
    of_ids = exported(MaskedLM(BertEncoder(None, config=config)), tmp_path / "ids")
    none = {"input_ids": np.zeros((0, 5), "int32"), "mlm_positions": np.zeros((0, 1), "int32")}
    assert of_ids(none).shape == (0, 1, config.vocab_size)
    price, text = keras.Input((1,), name="price"), keras.Input((), dtype="string", name="text")
    length = keras.layers.Lambda(lambda text: tf.strings.length(text)[:, None], output_shape=(1,))
    model = keras.Model([price, text], [price, length(text)])
    none = [np.zeros((0, 1), "float32"), np.array([], object)]
    outputs = exported(model, tmp_path / "tensors")(none)
    assert [output.shape for output in outputs] == [(0, 1), (0, 1)]


def test_texts_of_a_model_of_some_ids(tmp_path):
    given = keras.Input((None,), dtype="int32", name="input_ids")
    model = keras.Model(given, encoder_of()({"input_ids": given}))
    preprocess = BertPreprocess(**VOCABULARY)
    elsewhere = exported(model, tmp_path / "model", "litert", preprocess=preprocess)
    expected = model(preprocess(TEXTS)["input_ids"])
    assert difference(elsewhere(TEXTS), expected) < 1e-4


def test_ids(of_ids):
    encoder = encoder_of()
    for inputs in (INPUTS, {"input_ids": INPUTS["input_ids"].tolist()}):
        expected = encoder({name: np.asarray(value) for name, value in inputs.items()})
        assert difference(of_ids(inputs), of_ids.predict(inputs, batch_size=2, verbose=0)) < 1e-5
        assert of_ids(inputs).shape == expected.shape


@pytest.mark.parametrize(
    "inputs",
    [
        {"input_ids": [[1, 53]]},
        {"input_ids": [[1, -1]]},
        {"input_ids": [[2**40]]},
        {"input_ids": [[1] * 12]},
        {"input_ids": np.array([[1.5]], "float32")},
        {"input_ids": np.zeros((1, 0), "int32")},
        {"input_ids": [1, 2]},
        {"input_ids": [[1]], "input_mask": [[2]]},
        {"input_ids": [[1]], "segment_ids": [[0, 0]]},
        {"input_ids": [[1]], "masks": [[1]]},
        {"input_mask": [[1]]},
    ],
)
def test_bad_ids_are_the_errors_of_the_layer(of_ids, inputs):
    given = {name: np.asarray(value) for name, value in inputs.items()}
    with pytest.raises(ValueError, match=r"input_ids|input_mask|segment_ids") as expected:
        encoder_of()(given)
    with pytest.raises(ValueError, match=re.escape(str(expected.value))):
        of_ids(inputs)


def test_no_dict_of_ids(of_ids):
    with pytest.raises(ValueError, match=r"takes a dict of input_ids.* got list"):
        of_ids([[1, 2]])


def test_pairs(of_pairs, of_texts):
    model, elsewhere = of_pairs
    pair = TEXTS, TEXTS[::-1]
    expected = model(pair)
    named = dict(zip(("text_a", "text_b"), map(tf.constant, pair), strict=True))
    for inputs in (pair, tuple(map(np.array, pair)), named):
        assert difference(elsewhere.predict(inputs, batch_size=2, verbose=0), expected) < 1e-5
    assert difference(elsewhere((TEXTS[0], TEXTS[-1])), expected[:1]) < 1e-5
    assert (elsewhere.labels, elsewhere.problem_type) == (
        ("a", "b"),
        "single_label_classification",
    )
    with pytest.raises(ValueError, match=r"takes pairs of texts, .* got single texts"):
        elsewhere(TEXTS)
    with pytest.raises(ValueError, match=r"takes single texts, .* got pairs.*takes_pairs = True"):
        of_texts(pair)
    with pytest.raises(TypeError, match="texts: expected str"):
        of_texts([1, 2])


def test_names_of_texts(tmp_path):
    question, answer = (keras.Input((), dtype="string", name=f"{n}_in") for n in ("q", "a"))
    outputs = classifier(question, answer)((question, answer))
    named = keras.Model({"question": question, "answer": answer}, outputs)
    given = {"question": TEXTS, "answer": TEXTS[::-1]}
    expected = named({name: tf.constant(texts) for name, texts in given.items()})
    elsewhere = exported(named, tmp_path / "model", "litert")
    for inputs in (given, (TEXTS, TEXTS[::-1]), {"text_a": TEXTS, "text_b": TEXTS[::-1]}):
        assert difference(elsewhere(inputs), expected) < 1e-5
    review = keras.Input((), dtype="string", name="review")
    elsewhere = exported(classifier(review), tmp_path / "model", "litert")
    assert difference(elsewhere({"review": TEXTS}), elsewhere(TEXTS)) == 0
    swapped = keras.Model([answer, question], outputs)
    with pytest.raises(ValueError, match=r"in the order q_in, a_in, but its inputs are in anoth"):
        exported(swapped, tmp_path / "model")


def test_cuts_are_told_of(tiny_block, tmp_path):
    for format in FORMATS:
        elsewhere = exported(text_model(tiny_block), tmp_path / "model", format)
        with pytest.warns(
            TruncationWarning, match="max_length=8 cuts 1 of 2 checked texts"
        ) as caught:
            elsewhere.predict(["好" * 9, "好"], verbose=0)
        assert caught[0].filename == __file__


def test_nested_structures(tmp_path):
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in INPUTS}
    outputs = encoder_of()(inputs)
    model = keras.Model(inputs, [outputs, {"twice": 2 * outputs}])
    expected = model.predict(INPUTS, verbose=0)
    for format in FORMATS:
        found = exported(model, tmp_path / "model", format).predict(INPUTS, verbose=0)
        assert isinstance(found, list)
        assert found[1].keys() == {"twice"}
        for ours, theirs in zip(*map(keras.tree.flatten, (found, expected)), strict=True):
            assert difference(ours, theirs) < 1e-4


def test_a_fixed_length(tmp_path):
    inputs = {name: keras.Input((7,), dtype="int32", name=name) for name in INPUTS}
    model = keras.Model(inputs, encoder_of()(inputs))
    elsewhere = exported(model, tmp_path / "model", "litert")
    assert difference(elsewhere(INPUTS), model(INPUTS)) < 1e-4
    with pytest.raises(
        ValueError, match="input_ids have length 2, but this model only takes rows of 7"
    ):
        elsewhere({"input_ids": [[1, 2]]})
    preprocess = BertPreprocess(**VOCABULARY)
    for one, given in ((model, preprocess), (keras.Sequential([preprocess, model]), None)):
        with pytest.raises(
            ValueError, match=r"returns rows of 9 .* only takes rows of 7: .*max_length=7"
        ):
            exported(one, tmp_path / "model", "litert", preprocess=given)


def test_engines(of_ids):
    with pytest.raises(ValueError, match=r"engine must be '(tensorflow|litert)', got 'openvino'"):
        ExportedModel(of_ids.folder, "openvino")
    if "savedmodel" in (of_ids.folder / "export.json").read_text():
        with pytest.raises(ValueError, match="TensorFlow sets its threads for the whole process"):
            ExportedModel(of_ids.folder, threads=2)
    else:
        assert difference(ExportedModel(of_ids.folder, threads=2)(INPUTS), of_ids(INPUTS)) < 1e-5


def test_folders(of_ids, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no export.json, which export_model writes"):
        ExportedModel(tmp_path)
    with pytest.raises(TypeError, match="folder must be a path, got 1"):
        ExportedModel(1)
    fields = json.loads((of_ids.folder / "export.json").read_text())
    for change, message in (
        ({"format": "gguf"}, "in the format 'gguf', which this version .* can't run"),
        ({"takes": "images"}, "export.json is damaged: takes can't be 'images'"),
        ({"sizes": {}}, "export.json is damaged: sizes can't be {}"),
        ({"colour": 1, "version": "9.0"}, r"version '9.0' .* does not know \['colour'\]"),
        ({"outputs": None}, r"export.json is damaged: outputs can't be None"),
    ):
        (tmp_path / "export.json").write_text(json.dumps(fields | change))
        with pytest.raises(ValueError, match=message):
            ExportedModel(tmp_path)
    del fields["inputs"]
    (tmp_path / "export.json").write_text(json.dumps(fields))
    with pytest.raises(ValueError, match=r"needs \['inputs'\]: export the model again"):
        ExportedModel(tmp_path)
    (tmp_path / "export.json").write_text("{")
    with pytest.raises(ValueError, match="is not valid JSON"):
        ExportedModel(tmp_path)
