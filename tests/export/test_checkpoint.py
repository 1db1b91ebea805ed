import dataclasses
import warnings

import keras
import numpy as np
import pytest

from keras_bert_zh import (
    BertEncoder,
    BertPreprocess,
    Checkpoint,
    MaskedLM,
    load_checkpoint,
    save_checkpoint,
)
from keras_bert_zh.export.checkpoint import FORMATS, WRITERS
from tests.checkpoints.writers.variants import assert_same, variant
from tests.encoder.common import SMALL_BLOCK, difference, randomized, small_inputs

QUERY = "blocks.0.attention.query.kernel"
BOTH = ("huggingface", "original")
FIXTURES = ("tiny_tf1_hub", "tiny_tf2_hub", "tiny_original", "tiny_huggingface")


def of(preprocess, weights):
    """The checkpoint that is read back."""
    return Checkpoint(SMALL_BLOCK, tuple(preprocess.vocabulary), True, weights)


def weights(model):
    return {name: np.asarray(v) for name, v in model.named_variables().items()}


@pytest.mark.parametrize("format", BOTH)
def test_an_encoder_is_read_back(encoder, preprocess, folder, format):
    save_checkpoint(encoder, folder, format, preprocess=preprocess)
    assert_same(load_checkpoint(folder), of(preprocess, weights(encoder)))
    again = BertEncoder(folder)(small_inputs(), as_dict=True)
    for key, output in encoder(small_inputs(), as_dict=True).items():
        np.testing.assert_array_equal(again[key], output)


@pytest.mark.filterwarnings("ignore:Keras Hub")
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("next_sentence", [False, True])
def test_a_masked_lm_is_read_back_with_its_heads(
    encoder, preprocess, folder, format, next_sentence
):
    model = randomized(MaskedLM(encoder, next_sentence=next_sentence), seed=1)
    save_checkpoint(model, folder, format, preprocess=preprocess)
    checkpoint = load_checkpoint(folder)
    assert ("next_sentence" in checkpoint.missing) != next_sentence
    assert_same(checkpoint, of(preprocess, weights(model)))
    again = MaskedLM(BertEncoder(folder), folder, next_sentence=next_sentence)
    outputs, read = (keras.tree.flatten(m(small_inputs())) for m in (model, again))
    for output, other in zip(outputs, read, strict=True):
        np.testing.assert_array_equal(output, other)


@pytest.mark.parametrize("format", BOTH)
@pytest.mark.parametrize("name", FIXTURES)
def test_every_format_is_converted(data, folder, name, format):
    checkpoint = load_checkpoint(data / name)
    save_checkpoint(checkpoint, folder, format, preprocess=BertPreprocess(checkpoint))
    assert_same(load_checkpoint(folder), variant(checkpoint, lowercase=True))


@pytest.mark.parametrize("format", BOTH)
def test_the_vocabulary_comes_with_the_preprocessing(tiny, folder, format):
    tokens = tuple(reversed(tiny.vocabulary))
    preprocess = BertPreprocess(vocabulary=tokens, lowercase=False)
    for number, source in enumerate((tiny, BertEncoder(tiny))):
        save_checkpoint(source, folder / str(number), format, preprocess=preprocess)
        checkpoint = load_checkpoint(folder / str(number))
        assert (checkpoint.vocabulary, checkpoint.lowercase) == (tokens, False)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", [BertEncoder, MaskedLM, Checkpoint])
def test_a_model_without_its_vocabulary_is_told_of(encoder, folder, monkeypatch, format, kind):
    model = MaskedLM(encoder) if kind is MaskedLM else encoder
    if kind is Checkpoint:
        model = Checkpoint(SMALL_BLOCK, None, None, weights(encoder))
    if format in ("hub", "keras_hub"):  # Slow, or with warnings of its own.
        monkeypatch.setitem(WRITERS, format, lambda checkpoint, folder: None)
    message = rf"model was written without a vocabulary, because the {kind.__name__} has none: .*"
    with pytest.warns(UserWarning, match=message + r"Pass the model's BertPre") as caught:
        save_checkpoint(model, folder, format)
    files = [warning.filename for warning in caught if warning.category is UserWarning]
    assert files == [__file__]


def test_a_vocabulary_that_is_written_is_not_told_of(tiny, encoder, preprocess, folder):
    with warnings.catch_warnings(action="error", category=UserWarning):
        save_checkpoint(tiny, folder / "checkpoint")
        save_checkpoint(encoder, folder / "model", preprocess=preprocess)


@pytest.mark.parametrize("format", BOTH)
def test_blank_lines_at_the_end_of_a_vocabulary_have_no_row(tiny, folder, format):
    preprocess = BertPreprocess(vocabulary=[*tiny.vocabulary, "", ""])
    save_checkpoint(tiny, folder, format, preprocess=preprocess)
    assert load_checkpoint(folder).vocabulary == tiny.vocabulary


@pytest.mark.parametrize("format", BOTH)
def test_each_weight_is_read_once_and_alone(tiny, folder, format):
    """So that the model is never in memory twice, and a progress bar counts right."""
    names = []
    watched = dataclasses.replace(tiny, weights=tiny.weights.watched(names.append))
    save_checkpoint(watched, folder, format)
    assert names == list(tiny.weights)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_lora_is_merged(folder, preprocess, policy):
    encoder = randomized(BertEncoder(None, config=SMALL_BLOCK, dtype=policy))
    before = weights(encoder)
    kernel, table = encoder.blocks[0].attention.query, encoder.embeddings.word
    kernel.enable_lora(2, lora_alpha=3)
    table.enable_lora(2)
    rng = np.random.default_rng(1)
    for matrix in (kernel.lora_kernel_b, table.lora_embeddings_b):
        matrix.assign(rng.normal(0, 1, matrix.shape))
    merged = load_checkpoint(save_checkpoint(encoder, folder, preprocess=preprocess)).weights
    # In float32, whatever the encoder computes with.
    expected = before | {
        QUERY: before[QUERY] + 1.5 * kernel.lora_kernel_a.numpy() @ kernel.lora_kernel_b.numpy(),
        "embeddings.word.embeddings": before["embeddings.word.embeddings"]
        + table.lora_embeddings_a.numpy() @ table.lora_embeddings_b.numpy(),
    }
    for name, weight in expected.items():
        assert difference(merged[name], weight) < 1e-5, name
    assert difference(merged[QUERY], before[QUERY]) > 0.1
    if policy == "float32":
        outputs = BertEncoder(folder)(small_inputs(), as_dict=True)
        for key, output in encoder(small_inputs(), as_dict=True).items():
            assert difference(outputs[key], output) < 1e-4


def test_lora_of_a_head_is_merged(encoder, preprocess, folder):
    model = randomized(MaskedLM(encoder), seed=1)
    before = weights(model)
    dense = model.masked_lm.dense
    dense.enable_lora(2)
    dense.lora_kernel_b.assign(np.ones(dense.lora_kernel_b.shape))
    merged = load_checkpoint(save_checkpoint(model, folder, preprocess=preprocess)).weights
    change = dense.lora_kernel_a.numpy() @ dense.lora_kernel_b.numpy()
    for name, weight in before.items():
        expected = weight + change if name == "masked_lm.dense.kernel" else weight
        assert difference(merged[name], expected) < 1e-5, name
    assert np.abs(change).max() > 0.1


@pytest.mark.parametrize("format", BOTH)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_reduced_precision_is_written_as_float32(folder, preprocess, dtype, format):
    encoder = randomized(BertEncoder(None, config=SMALL_BLOCK, dtype=dtype))
    assert encoder.blocks[0].attention.query.kernel.dtype == dtype
    save_checkpoint(encoder, folder, format, preprocess=preprocess)
    checkpoint = load_checkpoint(folder)
    for name, weight in weights(encoder).items():
        assert checkpoint.weights[name].dtype == "float32"
        np.testing.assert_array_equal(checkpoint.weights[name], weight.astype("float32"))


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_quantised_weights_are_refused(encoder, folder):
    inputs = keras.Input((7,), dtype="int32")
    keras.Model(inputs, encoder({"input_ids": inputs})).quantize("int8")
    with pytest.raises(ValueError, match=r"10 weights of the BertEncoder are quantised \(em"):
        save_checkpoint(encoder, folder)
    assert not folder.exists()


def test_a_quantised_head_is_refused(encoder, folder):
    model = MaskedLM(encoder)
    model.masked_lm.dense.quantize("int8")
    message = (
        r"1 weights of the MaskedLM are quantised \(masked_lm\.dense\.kernel is int8\), but no"
    )
    with pytest.raises(ValueError, match=message):
        save_checkpoint(model, folder)
    assert not folder.exists()


@pytest.mark.parametrize("format", BOTH)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_that_float32_does_not_have(tiny, folder, format, value):
    checkpoint = variant(tiny, weights={QUERY: np.full((32, 32), value)})
    with pytest.raises(ValueError, match=f"{QUERY} has NaN or infinite values: nothing w"):
        save_checkpoint(checkpoint, folder, format)
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({QUERY: np.zeros((32, 31), "float32")}, f"misshapen: {QUERY} is [32, 31], expected [32"),
        ({QUERY: np.zeros((32, 32), "int8")}, f"not of floats: {QUERY} is int8"),
        ({"next_sentence.bias": np.zeros(2)}, "missing: next_sentence.kernel"),
        ({"odd": np.zeros(2)}, "unexpected: odd"),
    ],
)
def test_weights_that_do_not_fit(tiny, folder, format, change, line):
    with pytest.raises(
        ValueError, match=r"do not match the configuration\. 1 found:\n  "
    ) as caught:
        save_checkpoint(variant(tiny, weights=change), folder, format)
    assert line in str(caught.value)
    assert not folder.exists()
