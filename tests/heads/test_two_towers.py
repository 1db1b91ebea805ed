"""Pairs of texts through one SentenceEncoder."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import (
    BertEncoder,
    BertPreprocess,
    CoSENT,
    InBatchNegatives,
    SentenceEncoder,
    TwoTowers,
    save_checkpoint,
)
from tests.conformance.cases import INPUTS, ONE_BLOCK
from tests.encoder.common import difference
from tests.process import run_python

TEXTS, OTHERS = ["a b c", "d", ""], ["b", "a d e c b a", "c"]


@pytest.fixture(scope="module")
def towers(tiny_block):
    return made(tiny_block)


def made(tiny_block, dropout=0.0, pooling="mean"):
    encoder = SentenceEncoder(tiny_block, pooling, max_length=8, dropout=dropout)
    return TwoTowers(encoder)


def test_each_column_is_as_the_sentence_encoder_has_it(towers):
    encoder = towers.sentence_encoder
    expected = np.stack([encoder(TEXTS), encoder(OTHERS)], axis=1)
    ids = encoder.preprocess(TEXTS), encoder.preprocess(OTHERS)
    for pair in ((TEXTS, OTHERS), tuple(map(tf.constant, (TEXTS, OTHERS))), ids):
        assert difference(towers(pair), expected) < 1e-6
    with pytest.raises(ValueError, match="cosines takes two columns, got 3"):
        towers.cosines((TEXTS, OTHERS, TEXTS))
    third = towers((TEXTS, OTHERS, TEXTS))
    assert difference(third[:, 2], expected[:, 0]) < 1e-6
    first, second = np.moveaxis(expected, 1, 0)
    cosines = [a @ b / np.sqrt(a @ a * (b @ b)) for a, b in zip(first, second, strict=True)]
    assert difference(towers.cosines((TEXTS, OTHERS), batch_size=2), cosines) < 1e-6


@pytest.mark.usefixtures("eagerly")
def test_no_labels_for_a_loss_that_needs_them(tiny_block):
    towers = made(tiny_block)
    towers.compile("sgd", CoSENT())
    with pytest.raises(ValueError, match="CoSENT needs a label for each pair"):
        towers.fit((TEXTS, OTHERS), verbose=0)


def test_columns_of_different_lengths():
    towers = TwoTowers(SentenceEncoder(BertEncoder(None, config=ONE_BLOCK), "mean"))
    short = {"input_ids": INPUTS["input_ids"][:, :3]}
    expected = [towers.sentence_encoder(ids) for ids in (INPUTS, short)]

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32)])
    def of_any_length(ids):
        return towers((keras.tree.map_structure(tf.constant, INPUTS), {"input_ids": ids}))

    for found in (towers((INPUTS, short)), of_any_length(short["input_ids"])):
        assert difference(found, np.stack(expected, axis=1)) < 1e-6


@pytest.mark.usefixtures("eagerly")
def test_fit(tiny_block, tmp_path):
    towers, labels = made(tiny_block), [1.0, 0.0, 0.5]
    towers.compile(keras.optimizers.Adam(1e-2), CoSENT())
    expected = float(CoSENT()(labels, towers((TEXTS, OTHERS))))
    losses = towers.fit((TEXTS, OTHERS), labels, epochs=8, verbose=0).history["loss"]
    assert losses[0] == pytest.approx(expected, rel=1e-4)
    assert losses[-1] < losses[0] * 0.8
    assert np.argsort(towers.cosines((TEXTS, OTHERS))).tolist() == [1, 2, 0]
    towers.save(tmp_path / "towers.keras")
    loaded = keras.saving.load_model(tmp_path / "towers.keras")
    assert difference(loaded((TEXTS, OTHERS)), towers((TEXTS, OTHERS))) == 0
    assert (loaded.loss.scale, int(loaded.optimizer.iterations)) == (20.0, 8)
    save_checkpoint(towers.sentence_encoder, tmp_path / "folder")
    again = SentenceEncoder(str(tmp_path / "folder"))
    assert difference(again(TEXTS), towers((TEXTS, OTHERS))[:, 0]) < 1e-6


@pytest.mark.usefixtures("eagerly")
def test_fit_without_labels(tiny_block):
    towers = made(tiny_block)
    towers.compile(keras.optimizers.Adam(1e-2), InBatchNegatives())
    dataset = tf.data.Dataset.from_tensor_slices(((TEXTS, OTHERS),)).batch(3)
    losses = [
        towers.fit(data, epochs=3, verbose=0).history["loss"] for data in ((TEXTS, OTHERS), dataset)
    ]
    assert losses[1][-1] < losses[0][0] / 2
    assert towers.evaluate((TEXTS, OTHERS), verbose=0) <= losses[1][-1]


def test_a_text_beside_itself_is_simcse(tiny_block):
    """Dropout makes two vectors of it in training, and else there is one."""
    towers = made(tiny_block, dropout=0.2)
    for training in (False, True):
        first, second = np.moveaxis(np.asarray(towers((TEXTS, TEXTS), training=training)), 1, 0)
        apart = np.abs(first - second).max(axis=-1)
        assert (apart > 0.01).all() if training else (apart < 1e-6).all()


def test_export(towers, tmp_path):
    towers.export(tmp_path / "towers", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "towers")
    pair = tf.constant(TEXTS), tf.constant(OTHERS)
    assert difference(loaded.serve(pair), towers((TEXTS, OTHERS))) < 1e-6
    found = loaded.signatures["serving_default"](text_a=pair[0], text_b=pair[1])
    assert difference(found["cosine"], towers.cosines((TEXTS, OTHERS))) < 1e-6
    with pytest.raises(tf.errors.InvalidArgumentError, match="the same number of rows"):
        loaded.signatures["serving_default"](text_a=pair[0], text_b=pair[1][:1])
    ids = towers.sentence_encoder.preprocess(TEXTS)
    vectors = loaded.signatures["tokens"](**ids)["vectors"]
    assert difference(vectors, towers.sentence_encoder(TEXTS)) < 1e-6


def test_export_for_ids(tiny_block, tmp_path):
    towers = TwoTowers(SentenceEncoder(BertEncoder(tiny_block), "cls"))
    towers.export(tmp_path / "towers", verbose=False)
    ids = [BertPreprocess(tiny_block, max_length=8)(texts) for texts in (TEXTS, OTHERS)]
    loaded = tf.saved_model.load(tmp_path / "towers")
    named = {f"{key}_{end}": row[key] for end, row in zip("ab", ids, strict=True) for key in row}
    found = loaded.signatures["serving_default"](**named)["cosine"]
    assert difference(found, towers.cosines(tuple(ids))) < 1e-6


def test_dtypes_and_flags(tiny_block):
    encoder = SentenceEncoder(tiny_block, "cls", max_length=8, dtype="bfloat16")
    towers = TwoTowers(encoder, trainable=False)
    assert (towers((TEXTS, OTHERS)).dtype, towers.trainable_variables) == ("float32", [])
    config = towers.get_config()
    assert TwoTowers.from_config(config).get_config() == config


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (TEXTS, r"^TwoTowers takes a tuple of two or more columns.*got list\.$"),
        ((TEXTS,), r"^TwoTowers takes a tuple of two or more.*got tuple\.$"),
        ((TEXTS, INPUTS), "columns of texts or columns of ids, got some of each"),
        ((INPUTS, {"ids": INPUTS["input_ids"]}), "^The encoder takes a dict of input_ids"),
        ((TEXTS, OTHERS[:1]), r"^TwoTowers takes columns with the same number.*of 3, 1 rows\.$"),
        ((INPUTS, {key: value[:1] for key, value in INPUTS.items()}), "of 3, 1 rows"),
        (((TEXTS, OTHERS), OTHERS), "columns of single texts, got a column of pairs"),
    ],
)
def test_what_is_no_pair(towers, inputs, message):
    with pytest.raises(ValueError, match=message):
        towers(inputs)


def test_of_what_it_is_made():
    with pytest.raises(TypeError, match=r"^sentence_encoder must be a SentenceEncoder, got <Bert"):
        TwoTowers(BertPreprocess(None))


def test_jax_backend(tmp_path):
    pytest.importorskip("jax")
    run_python(
        """
import sys, keras, numpy as np
from keras_bert_zh import BertEncoder, CoSENT, InBatchNegatives, SentenceEncoder, TwoTowers
from tests.conformance.cases import INPUTS, ONE_BLOCK
encoder = SentenceEncoder(BertEncoder(None, config=ONE_BLOCK, dropout=0.0), "mean")
towers = TwoTowers(encoder)
pair = INPUTS, {"input_ids": INPUTS["input_ids"][:, :5]}
labels = np.array([0.0, 1.0, 0.5])
vectors = towers(pair)
assert vectors.shape == (3, 2, 12)
assert np.isfinite(float(CoSENT()(labels, vectors)))
loss = InBatchNegatives(symmetric=True)
towers.compile("sgd", loss)
expected = float(loss(labels, vectors))
assert abs(float(towers.compute_loss(pair, None, vectors)) - expected) < 1e-6 * expected
assert "tensorflow" not in sys.modules
""",
        tmp_path,
        KERAS_BACKEND="jax",
    )
