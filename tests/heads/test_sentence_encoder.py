"""Vectors as sentence-transformers makes them, by every way in."""

import dataclasses
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder, BertPreprocess, SentenceEncoder, load_checkpoint
from keras_bert_zh.heads.pooled import normalized, pooled
from tests.encoder.common import difference
from tests.process import run_python
from tests.sentence_transformers import KINDS, TEXTS, TRUE, copy_of

ONE_TOKEN = pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1 of a tensor")
PROMPTS = {"query": "中国：", "passage": ""}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    return {kind: load_checkpoint(copy_of(kind, place / kind)) for kind in KINDS}


@pytest.fixture(scope="module")
def averaged(checkpoints):
    return SentenceEncoder(checkpoints["mean"])


def changed(checkpoint, **fields):
    """The checkpoint with another pooling."""
    pooling = dataclasses.replace(checkpoint.pooling, **fields)
    return dataclasses.replace(checkpoint, pooling=pooling)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_sentence_transformers(checkpoints, kind):
    """Some texts are longer than the length that the folder gives."""
    vectors = SentenceEncoder(checkpoints[kind])(TEXTS)
    print(kind, difference(vectors, TRUE[kind]))
    assert vectors.dtype == "float32"
    assert difference(vectors, TRUE[kind]) < 1e-5


def test_of_strings_of_ids_and_by_predict(averaged):
    ids = averaged.preprocess(TEXTS)
    assert ids["input_ids"].shape == (5, 12)
    expected = TRUE["mean"]
    assert difference(averaged(tf.constant(TEXTS)), expected) < 1e-5
    assert difference(averaged(ids), expected) < 1e-5
    assert difference(averaged({"input_ids": ids["input_ids"][:2, :12]}), expected[:2]) < 1e-5
    assert difference(averaged.predict(TEXTS, verbose=0), expected) < 1e-5


@ONE_TOKEN
@pytest.mark.parametrize("padding_free", [True, False])
@pytest.mark.parametrize("mode", ["cls", "mean", "max"])
def test_padding_counts_for_nothing(checkpoints, mode, padding_free):
    """Neither in what padding leaves there, nor in how much of it there is."""
    encoder = BertEncoder(checkpoints["mean"], padding_free=padding_free)
    model = SentenceEncoder(encoder, mode)
    preprocess = BertPreprocess(checkpoints["mean"], max_length=9)
    short, long = preprocess(TEXTS), BertPreprocess(checkpoints["mean"], max_length=20)(TEXTS)
    short = {key: value[2:] for key, value in short.items()}
    long = {key: value[2:] for key, value in long.items()}
    rows = np.sum(long["input_mask"], 1) <= 9
    assert rows.any()
    assert difference(model(short)[rows], model(long)[rows]) < 1e-5
    nothing = {**long, "input_mask": tf.zeros_like(long["input_mask"])}
    assert not np.any(model(nothing))


@ONE_TOKEN
@pytest.mark.parametrize("mode", ["cls", "mean", "max", "pooled_output"])
def test_rows_without_tokens_have_no_vector_and_finite_gradients(checkpoints, mode):
    model = SentenceEncoder(checkpoints["mean"], mode, normalize=True)
    ids = model.preprocess(TEXTS[:2])
    ids["input_mask"] *= [[1], [0]]
    with tf.GradientTape() as tape:
        vectors = model(ids)
        loss = tf.reduce_sum(vectors**3)
    assert np.any(vectors[0])
    assert not np.any(vectors[1])
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.isfinite(tf.convert_to_tensor(gradient)).all() for gradient in gradients)


def test_pooling_by_hand():
    hidden = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32") - 9
    mask = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0]])
    nothing = np.zeros(5)
    expected = {
        "cls": [hidden[0, 0], hidden[1, 1], nothing],
        "mean": [hidden[0, :2].mean(0), hidden[1, 1:].mean(0), nothing],
        "max": [hidden[0, :2].max(0), hidden[1, 1:].max(0), nothing],
    }
    for mode, vectors in expected.items():
        np.testing.assert_allclose(pooled(hidden, mask, mode), vectors, rtol=1e-6)
    lengths = np.linalg.norm(normalized(hidden[0]), axis=-1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)


@pytest.mark.parametrize("mode", ["cls", "mean", "max"])
def test_a_batch_without_texts(mode):
    found = pooled(np.zeros((0, 3, 2), "float32"), np.zeros((0, 3), "int32"), mode)
    assert found.shape == (0, 2)


@pytest.mark.parametrize("dtype", ["mixed_float16", "bfloat16"])
def test_half_precision_is_pooled_in_float32(checkpoints, dtype):
    """The sum over many tokens is more than float16 holds."""
    model = SentenceEncoder(checkpoints["mean"], dtype=dtype)
    vectors = model(TEXTS)
    assert vectors.dtype == "float32"
    assert difference(vectors, TRUE["mean"]) < 0.1
    assert np.any(vectors != tf.cast(tf.cast(vectors, model.encoder.compute_dtype), "float32"))
    model.encoder.blocks[-1].feed_forward_norm.beta.assign(np.full(32, 30_000.0))
    assert np.isfinite(model(TEXTS)).all()


def test_a_prompt_is_put_before_each_text(checkpoints, averaged):
    checkpoint = changed(checkpoints["mean"], prompts=PROMPTS)
    model = SentenceEncoder(checkpoint, prompt="query")
    assert model.pooling.default_prompt == "query"
    expected = averaged(["中国：" + text for text in TEXTS])
    assert difference(model(TEXTS), expected) == 0
    assert difference(model(np.array(TEXTS, dtype=object)), expected) == 0
    assert difference(model([text.split() for text in TEXTS]), expected) == 0  # Words.
    # Ids have none.
    assert difference(model(model.preprocess(TEXTS)), averaged(TEXTS)) == 0
    by_default = changed(checkpoint, default_prompt="query")
    assert difference(SentenceEncoder(by_default)(TEXTS), expected) == 0
    assert difference(SentenceEncoder(by_default, prompt="")(TEXTS), averaged(TEXTS)) == 0


def test_a_prompt_that_is_not_pooled(checkpoints):
    """As sentence-transformers leaves it out: [CLS] and the three tokens of the prompt."""
    fields = {"prompts": PROMPTS, "include_prompt": False, "mode": "mean"}
    model = SentenceEncoder(changed(checkpoints["mean"], **fields), prompt="query")
    ids = model.preprocess(["中国：" + text for text in TEXTS])
    hidden = model.encoder(ids, output_key="sequence_output").numpy()
    mask = ids["input_mask"].numpy()
    expected = [row[4 : kept.sum()].mean(0) for row, kept in zip(hidden, mask, strict=True)]
    assert difference(model(TEXTS), expected) < 1e-6
    without = SentenceEncoder(changed(checkpoints["mean"], **fields))
    assert difference(without(TEXTS), TRUE["mean"]) < 1e-5


def test_lower_case_for_a_tokeniser_with_capitals(checkpoints):
    """Of sentence-transformers, which leaves accents where they are."""
    cased = dataclasses.replace(checkpoints["mean"], lowercase=False)
    model = SentenceEncoder(changed(cased, lowercase=True))
    plain = SentenceEncoder(cased)
    assert difference(model(["Google BÉRT"]), plain(["google bért"])) == 0
    assert difference(model(["Google BÉRT"]), plain(["Google BÉRT"])) > 1e-3


def test_what_is_asked_for_comes_before_what_the_source_says(checkpoints):
    model = SentenceEncoder(checkpoints["cls"], "mean", normalize=False, max_length=30)
    assert (model.pooling.mode, model.pooling.normalize) == ("mean", False)
    assert model.pooling.max_length == model.preprocess.max_length == 30
    assert model.pooling.prompts == checkpoints["cls"].pooling.prompts


def test_an_encoder_and_its_preprocess(checkpoints, averaged):
    checkpoint = checkpoints["mean"]
    encoder = BertEncoder(checkpoint)
    preprocess = BertPreprocess(checkpoint, max_length=12)
    for pooling in ("mean", checkpoint.pooling):
        model = SentenceEncoder(encoder, pooling, preprocess=preprocess)
        assert difference(model(TEXTS), averaged(TEXTS)) == 0
    alone = SentenceEncoder(encoder, "mean")
    assert difference(alone(preprocess(TEXTS)), averaged(TEXTS)) == 0
    with pytest.raises(ValueError, match=r"takes a dict of input_ids.* pass preprocess="):
        alone(TEXTS)


def test_the_pooled_output(tiny):
    model = SentenceEncoder(tiny, "pooled_output", max_length=16)
    expected = BertEncoder(tiny)(model.preprocess(TEXTS))
    assert difference(model(TEXTS), expected) == 0
    assert not model.encoder.pooler.rests
    assert SentenceEncoder(tiny, "mean").encoder.pooler.rests


def test_two_texts_are_compared_and_trained_in_one_model(checkpoints):
    encoder = SentenceEncoder(checkpoints["cls"])
    before = encoder(TEXTS)
    left, right = keras.Input((), dtype="string"), keras.Input((), dtype="string")
    cosine = keras.layers.Dot(-1)([encoder(left), encoder(right)])
    model = keras.Model([left, right], cosine)
    model.compile(keras.optimizers.Adam(1e-3), "mse", run_eagerly=True)
    pairs = [tf.constant(TEXTS), tf.constant(TEXTS[::-1])]
    assert len(model.trainable_variables) == len(encoder.trainable_variables) > 30
    expected = np.sum(before * before[::-1], axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_on_batch(pairs), expected, atol=1e-5)
    losses = [float(model.train_on_batch(pairs, np.zeros((5, 1)))) for _ in range(4)]
    assert losses[-1] < losses[0]
    assert difference(encoder(TEXTS), before) > 1e-4


@pytest.mark.slow
def test_files_of_a_model_that_takes_texts(checkpoints, tmp_path):
    checkpoint = changed(checkpoints["mean"], prompts=PROMPTS, include_prompt=False)
    model = SentenceEncoder(checkpoint, prompt="query", normalize=True)
    expected = model(TEXTS)
    model.save(tmp_path / "model.keras")
    copies = [pickle.loads(pickle.dumps(model)), keras.models.clone_model(model)]
    copies[1].set_weights(model.get_weights())
    for copy in (*copies, keras.saving.load_model(tmp_path / "model.keras")):
        assert copy.pooling == model.pooling
        assert difference(copy(TEXTS), expected) == 0
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    assert difference(exported.serve(tf.constant(TEXTS)), expected) < 1e-6
    named = exported.signatures["serving_default"](text=tf.constant(TEXTS))
    assert difference(named["vectors"], expected) < 1e-6


@pytest.mark.slow
def test_on_jax_the_dict_is_taken(tmp_path):
    folder = copy_of("cls", tmp_path / "model")
    printed = run_python(
        """
import sys
from keras_bert_zh import SentenceEncoder
from tests.encoder.common import difference
from tests.sentence_transformers import TEXTS, TRUE
model = SentenceEncoder(sys.argv[1])
ids = {key: value.numpy() for key, value in model.preprocess(TEXTS).items()}
print(difference(model(ids), TRUE["cls"]))
try:
    model(TEXTS)
except ValueError as error:
    print(error)
""",
        folder,
        KERAS_BACKEND="jax",
    )
    first, message = printed.splitlines()
    assert float(first) < 1e-5
    assert message.startswith("On the jax backend, a model can't take strings. Convert them to ids")


def test_without_a_word_on_pooling_it_has_to_be_told(tiny):
    for source, named in (("small", "small does"), (tiny, "The source does")):
        with pytest.raises(ValueError, match=f"^{named} not say how to turn a text") as caught:
            SentenceEncoder(source)
        for choice in ("'cls', the first token", "'mean'", "'max'", 'for which "small" is trai'):
            assert choice in str(caught.value)


def test_what_is_not_computed_is_refused(checkpoints):
    odd = changed(checkpoints["mean"], mode="weightedmean", beyond=("Dense in 2_Dense",))
    with pytest.raises(ValueError, match="not support: pooling by 'weightedmean', Dense in 2_Dens"):
        SentenceEncoder(odd)
    assert SentenceEncoder(odd, "mean").pooling.unsupported == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"pooling": "average"},
            "pooling must be 'cls' or 'mean' or 'max' or 'pooled_output', got",
        ),
        ({"normalize": 1}, "normalize must be True, False or None, got 1"),
        ({"prompt": "title"}, "prompts: 'document', 'query'; got 'title'"),
        ({"max_length": 65}, "65 positions, but the encoder has 64"),
    ],
)
def test_arguments_that_can_not_be(checkpoints, arguments, message):
    with pytest.raises(ValueError, match=message):
        SentenceEncoder(checkpoints["mean"], **arguments)


def test_pairs_are_refused(averaged):
    texts = tf.constant(TEXTS)
    for pair in ((texts, texts), [texts, texts], {"text_a": texts, "text_b": texts}):
        with pytest.raises(ValueError, match="SentenceEncoder takes single texts, got pairs"):
            averaged(pair)
