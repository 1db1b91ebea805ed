"""What of a model computes on ids: the same as the model, with the preprocess cut away."""

import keras
import pytest
import tensorflow as tf

from keras_bert_zh import BertPreprocess, MaskedLM, SentenceEncoder, SpanReader, TwoTowers
from keras_bert_zh.export.of_ids import names_of, of_ids
from keras_bert_zh.export.of_tensors import source_of
from tests.conformance.cases import INPUTS, POSITIONS
from tests.encoder.common import difference
from tests.export.models import TEXTS, classifier, encoder_of
from tests.heads.text_models import fresh, text_model

KEYS = ("input_ids", "input_mask", "segment_ids")


def check(model, texts, expected):
    found = of_ids(model)
    outputs = found(found.preprocess(texts))
    for ours, theirs in zip(*map(keras.tree.flatten, (outputs, expected)), strict=True):
        assert difference(ours, theirs) < 1e-5
    return found


def test_texts():
    model, texts = classifier(), tf.constant(TEXTS)
    found = check(model, texts, model(texts))
    kinds = [type(layer).__name__ for layer in found.layers]
    assert kinds == ["BertEncoder", "Dense"]
    assert (found.takes, found.outputs, found.takes_pairs) == (KEYS, "outputs", False)
    of_pairs, pair = classifier(), (texts, texts[::-1])
    assert check(of_pairs, pair, of_pairs(pair)).takes_pairs
    nested = keras.Sequential([keras.Sequential([model]), keras.layers.Softmax()])
    assert check(nested, texts, tf.nn.softmax(model(texts))).layers[-1] is nested.layers[-1]


def test_functional_models_of_texts():
    one, other = (keras.Input((), dtype="string", name=name) for name in ("one", "other"))
    texts = tf.constant(TEXTS)
    model = classifier(one)
    assert check(model, texts, model([texts])).takes == KEYS
    pairs = classifier(one, other)
    assert check(pairs, (texts, texts), pairs([texts, texts])).takes_pairs
    # One in a Sequential, with a Sequential of its own.
    inner = classifier()
    model = keras.Sequential([keras.Model(one, inner(one)), keras.layers.Softmax()])
    check(model, texts, tf.nn.softmax(inner(texts)))


def test_ids():
    encoder = encoder_of(output_key=None)
    found = of_ids(encoder)
    assert found.preprocess is None
    assert list(found.named(found(INPUTS))) == ["pooled_output", "sequence_output"]
    model = MaskedLM(encoder_of(), next_sentence=True)
    found = of_ids(model)
    assert found.takes == (*KEYS, "mlm_positions")
    inputs = INPUTS | {"mlm_positions": POSITIONS}
    assert difference(found(inputs)["mlm_logits"], model(inputs)["mlm_logits"]) == 0
    given = {name: keras.Input((7,), dtype="int32", name=name) for name in KEYS[:2]}
    for inputs in (given, list(given.values())):
        model = keras.Model(inputs, encoder_of()(given))
        found = of_ids(model)
        assert (found.takes, found.length) == (KEYS[:2], 7)
        ids = {name: INPUTS[name] for name in KEYS[:2]}
        again = model(ids if isinstance(inputs, dict) else list(ids.values()))
        assert difference(found(INPUTS), again) == 0


def test_heads(tiny_block):
    model = text_model(tiny_block)
    found = check(model, TEXTS, model(TEXTS))
    assert (found.head, found.labels, found.outputs) == (model, ("a", "b"), "logits")
    behind = of_ids(keras.Sequential([model, keras.layers.Softmax()]))
    assert (behind.head, behind.labels) == (model, None)
    reader = text_model(tiny_block, SpanReader)
    pair = TEXTS, TEXTS[::-1]
    found = check(reader, pair, reader(pair))
    assert found.takes_pairs
    assert found.outputs == {"start_logits": "start_logits", "end_logits": "end_logits"}


def test_what_ids_do_not_tell(tiny_block):
    model = SentenceEncoder(tiny_block, "mean", normalize=True, max_length=8, stride=3)
    found = of_ids(model)
    assert found.scaled_after
    ids = model.preprocess(TEXTS)
    assert difference(tf.linalg.l2_normalize(found(ids), axis=1), model.of_ids(ids)) < 1e-5
    assert found.beyond_ids is None
    found = of_ids(keras.Sequential([model, keras.layers.Dense(2)]))
    assert "combines the windows of long texts" in found.beyond_ids
    assert of_ids(text_model(tiny_block)).beyond_ids is None


@pytest.mark.parametrize(
    "model",
    [
        keras.layers.Dense(2),
        keras.Sequential(),
        keras.Sequential([keras.layers.Dense(2)]),
        keras.Sequential([BertPreprocess(None)]),
    ],
)
def test_other_models(model):
    with pytest.raises(TypeError, match=r"model must be a BertEncoder.* got \w+"):
        of_ids(model)


def test_more_than_ids():
    text, price = keras.Input((), dtype="string"), keras.Input((1,))
    hidden = classifier(text)(text)
    model = keras.Model([text, price], keras.layers.Concatenate()([hidden, price]))
    with pytest.raises(TypeError, match="got Functional"):
        of_ids(model)
    assert of_ids(fresh(SpanReader)).preprocess is None


class Doubled(keras.Model):
    """A model that takes no dict."""

    def __init__(self):
        super().__init__()
        self.encoder = encoder_of()

    def call(self, inputs):
        return self.encoder({"input_ids": inputs}) * 2


class Faulty(keras.layers.Layer):
    def call(self, inputs):
        raise TypeError("mine")


def test_errors_say_what_is_wrong(tiny_block):
    towers = TwoTowers(SentenceEncoder(tiny_block, "mean", max_length=8))
    with pytest.raises(TypeError, match="export its sentence_encoder"):
        source_of(towers)
    with pytest.raises(TypeError, match=r"model must be a BertEncoder.* got Doubled"):
        source_of(Doubled())
    with pytest.raises(TypeError, match="mine"):
        source_of(keras.Sequential([encoder_of(), Faulty()]))


def test_names_of_outputs():
    assert names_of([0, {"x": 0}], "outputs") == ["outputs_0", {"x": "x"}]
    twice = {"a": {"x": 0}, "b": {"x": 0}}
    assert names_of(twice, "outputs") == {"a": {"x": "a_x"}, "b": {"x": "b_x"}}
    assert names_of([{"x": 0}] * 2, "outputs") == [{"x": "outputs_0_x"}, {"x": "outputs_1_x"}]
