"""Arguments: NumPy's numbers are as good as Python's, and True is none; flags, and paths."""

import inspect
import json
import re

import numpy as np
import pytest
import tensorflow as tf

import keras_bert_zh
from keras_bert_zh import (
    CRF,
    BertConfig,
    BertEncoder,
    BertPreprocess,
    ExportedModel,
    MaskTokens,
    PackedText,
    SentenceEncoder,
    SpanReader,
    TextClassifier,
    TokenTagger,
    TrainingState,
    adamw,
    batch_by_length,
    batch_packed,
    batch_windows,
    export_model,
    labels_per_word,
    read_table,
    save_checkpoint,
    shuffled_batches,
    span_labels,
)
from keras_bert_zh.arguments import check_flag, check_flag_or_none

# The models of texts, and what they need beside a checkpoint without a head.
TEXT_MODELS = {
    SentenceEncoder: {"pooling": "mean"},
    SpanReader: {},
    TextClassifier: {"labels": ["a", "b"]},
    TokenTagger: {"labels": ["a", "b"]},
}

SIZES = {
    "vocab_size": 30,
    "hidden_size": 12,
    "num_hidden_layers": 1,
    "num_attention_heads": 3,
    "intermediate_size": 17,
    "max_position_embeddings": 9,
    "type_vocab_size": 2,
}
RATES = {
    "hidden_dropout_prob": 0.25,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.5,
    "layer_norm_eps": 0.125,
}
ROW = {"input_ids": [[1]]}
TEXTS = tf.data.Dataset.from_tensor_slices(["好", "很好"])


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(None, max_length=np.int64(16), lowercase=np.True_)


@pytest.fixture(scope="module")
def write(preprocess, tmp_path_factory):
    """A function that packs a short text into rows of a length."""

    def write(length, folder=None):
        parent = tmp_path_factory.mktemp("packed")
        (parent / "text.txt").write_text("今天天气很好" * 100, encoding="utf-8")
        folder = folder or parent / "rows"
        return PackedText.write(parent / "text.txt", folder, preprocess, sequence_length=length)

    return write


@pytest.fixture(scope="module")
def packed(write):
    return write(np.int64(5))


@pytest.fixture(scope="module")
def encoder():
    return BertEncoder(None, config=BertConfig(**SIZES))


def test_config():
    of_numpy = {name: np.int32(value) for name, value in SIZES.items()}
    of_numpy |= {name: np.float32(value) for name, value in RATES.items()}
    config = BertConfig(**of_numpy)
    assert config == BertConfig(**SIZES, **RATES)
    assert BertConfig.from_json(config.to_json()) == config
    types = {type(value) for value in config.to_dict().values()}
    assert types == {int, float, str}
    assert BertConfig(hidden_dropout_prob=np.int64(0)).hidden_dropout_prob == 0


@pytest.mark.parametrize("name", [*SIZES, *RATES])
def test_config_takes_no_bool(name):
    for value in (True, np.True_):
        with pytest.raises(ValueError, match=rf"{name} must be .*, got (np\.)?True"):
            BertConfig(**{name: value})


def test_configs_of_layers_are_json(preprocess):
    encoder = BertEncoder(None, config=BertConfig(**SIZES), dropout=np.float64(0.5))
    for layer in (preprocess, encoder):
        assert json.loads(json.dumps(layer.get_config())) == layer.get_config()
    assert (preprocess.max_length, type(preprocess.max_length)) == (16, int)
    assert encoder.config.hidden_dropout_prob == 0.5


def test_training(preprocess, packed, tmp_path):
    assert packed.sequence_length == 5
    batches = packed.batches(np.int64(2), seed=np.int8(3), start=np.uint8(1), count=np.int64(2))
    assert [int(step) for _, step in batches] == [1, 2]
    mask = MaskTokens(
        preprocess, rate=np.float32(0.5), max_predictions=np.int64(3), seed=np.int64(7)
    )
    (inputs, *_), *_ = batches.map(mask)
    assert inputs["mlm_positions"].shape == (2, 3)
    assert TrainingState(tmp_path / "state", np.float32(0.5)).minutes == 0.5
    assert len(list(batch_by_length(TEXTS, preprocess, np.int64(1)))) == 2


def test_optimiser():
    floats = {"learning_rate": 0.5, "warmup": 0.25, "weight_decay": 0.125, "clipnorm": 2.0}
    ints = {"steps": 8, "gradient_accumulation_steps": 2}
    of_numpy = {name: np.float32(value) for name, value in floats.items()}
    of_numpy |= {name: np.int64(value) for name, value in ints.items()}
    ours, theirs = adamw(**of_numpy).get_config(), adamw(**floats, **ints).get_config()
    assert json.loads(json.dumps(ours | {"name": ""})) == theirs | {"name": ""}


@pytest.mark.parametrize("value", [True, "1", None])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("max_length", lambda preprocess, value: BertPreprocess(None, max_length=value)),
        ("batch_size", lambda preprocess, value: batch_by_length(TEXTS, preprocess, value)),
        (
            "lengths",
            lambda preprocess, value: batch_by_length(TEXTS, preprocess, 2, lengths=[value, 16]),
        ),
        ("minutes", lambda preprocess, value: TrainingState("state", value)),
        ("learning_rate", lambda preprocess, value: adamw(value, 10)),
        ("steps", lambda preprocess, value: adamw(1e-3, value)),
        ("weight_decay", lambda preprocess, value: adamw(1e-3, 10, weight_decay=value)),
        ("rate", lambda preprocess, value: MaskTokens(preprocess, rate=value)),
        ("seed", lambda preprocess, value: MaskTokens(preprocess, seed=value)),
    ],
)
def test_no_bools_and_nothing_else(preprocess, name, make, value):
    with pytest.raises(ValueError, match=f"{name} must be .*, got .*{value}"):
        make(preprocess, value)


@pytest.mark.parametrize("name", ["learning_rate", "weight_decay", "clipnorm"])
def test_numbers_of_the_optimiser_are_not_negative(name):
    with pytest.raises(ValueError, match=f"{name} must be a number of at least 0, got -1"):
        adamw(**({"learning_rate": 1e-3, "steps": 10} | {name: -1}))


def int_arguments():
    """Yields the arguments, in what users import, that are ints or hold some."""
    for name in keras_bert_zh.__all__:
        public = getattr(keras_bert_zh, name)
        functions = {name: public}
        if inspect.isclass(public):
            methods = [method for method in vars(public) if not method.startswith(("_", "on_"))]
            functions = {f"{name}.{method}": getattr(public, method) for method in methods}
            functions[name] = public.__init__
        for place, function in functions.items():
            parameters = inspect.signature(function).parameters if callable(function) else {}
            for argument, parameter in parameters.items():
                annotation = str(parameter.annotation)
                if re.search(r"\bint\b", annotation) and "Callable" not in annotation:
                    yield f"{place} {argument}"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    file = tmp_path_factory.mktemp("table") / "table.tsv"
    file.write_text("a\tb\n")
    return {
        "read_table text": (lambda v: read_table(file, v), 1),
        "read_table label": (lambda v: read_table(file, 0, v), 1),
        "read_table text_b": (lambda v: read_table(file, 0, text_b=v), 1),
    }


@pytest.fixture(scope="module")
def exported(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "model"
    return ExportedModel(export_model(encoder, folder, "litert"))


@pytest.fixture(scope="module")
def takers(preprocess, packed, write, encoder, tiny_block, exported):  # noqa: PLR0917
    """What takes an int, and an int that it takes, by class or function and argument."""

    def config(name):
        return lambda v: BertConfig(**SIZES | {name: v})

    def batches(name):
        return lambda v: packed.batches(**{"batch_size": 2} | {name: v})

    return {
        **{f"BertConfig {name}": (config(name), size) for name, size in SIZES.items()},
        "BertConfig embedding_size": (
            lambda v: BertConfig(model_type="electra", embedding_size=v),
            6,
        ),
        "BertConfig task_type_vocab_size": (
            lambda v: BertConfig(model_type="ernie", task_type_vocab_size=v),
            3,
        ),
        **{
            f"PackedText.batches {name}": (batches(name), 1)
            for name in ("batch_size", "seed", "start", "count")
        },
        "CRF labels": (CRF, 3),
        **{
            f"ExportedModel{name}": (take, 1)
            for name, take in {
                " threads": lambda v: ExportedModel(exported.folder, threads=v),
                ".predict batch_size": lambda v: exported.predict(ROW, v, verbose=0),
                ".predict verbose": lambda v: exported.predict(ROW, verbose=v),
            }.items()
        },
        "BertEncoder.freeze_layers count": (encoder.freeze_layers, 1),
        "BertPreprocess.windows stride": (lambda v: preprocess.windows(["很好"], v), 1),
        "BertPreprocess max_length": (lambda v: BertPreprocess(None, max_length=v), 5),
        **{
            f"{cls.__name__} max_length": (
                lambda v, cls=cls, given=given: cls(tiny_block, max_length=v, **given),
                5,
            )
            for cls, given in TEXT_MODELS.items()
        },
        "TokenTagger.entities stride": (
            lambda v: TokenTagger(tiny_block, ["O", "B"]).entities(["很好"], stride=v),
            1,
        ),
        "batch_windows batch_size": (lambda v: batch_windows(TEXTS, preprocess, v), 1),
        "batch_windows stride": (lambda v: batch_windows(TEXTS, preprocess, 1, stride=v), 1),
        "labels_per_word default": (
            lambda v: labels_per_word([[0, 1, 0]], [[-1, 0, -1]], [1], default=v),
            1,
        ),
        "span_labels stride": (
            lambda v: span_labels(preprocess, ["好"], ["很好"], ["好"], [1], stride=v),
            1,
        ),
        **{
            f"SpanReader.answers {name}": (
                lambda v, name=name: SpanReader(tiny_block).answers(["很"], ["好"], **{name: v}),
                1,
            )
            for name in ("stride", "max_answer_length")
        },
        "TextClassifier stride": (
            lambda v: TextClassifier(encoder, ["a", "b"], stride=v),
            5,
        ),
        "SentenceEncoder stride": (lambda v: SentenceEncoder(encoder, "mean", stride=v), 5),
        "MaskTokens max_predictions": (lambda v: MaskTokens(preprocess, max_predictions=v), 1),
        "MaskTokens seed": (lambda v: MaskTokens(preprocess, seed=v), 1),
        "PackedText.write sequence_length": (write, 5),
        "adamw steps": (lambda v: adamw(1e-3, v), 1),
        "adamw gradient_accumulation_steps": (
            lambda v: adamw(1e-3, 10, gradient_accumulation_steps=v),
            2,
        ),
        **{
            f"shuffled_batches {name}": (
                lambda v, name=name: shuffled_batches([1, 2], **{"batch_size": 2} | {name: v}),
                1,
            )
            for name in ("batch_size", "seed", "start")
        },
        **{
            f"batch_packed {name}": (
                lambda v, name=name: batch_packed(TEXTS, preprocess, **{"rows": 1} | {name: v}),
                2,
            )
            for name in ("rows", "texts_per_row")
        },
        "batch_by_length batch_size": (lambda v: batch_by_length(TEXTS, preprocess, v), 1),
        "batch_by_length lengths": (
            lambda v: batch_by_length(TEXTS, preprocess, 1, lengths=[v, 16]),
            1,
        ),
    }


@pytest.mark.filterwarnings("ignore:The checkpoint has no weights for question answering")
@pytest.mark.usefixtures("eagerly")
def test_every_int_may_be_of_numpy_and_none_is_true(takers, table):
    takers = takers | table
    assert sorted(takers) == sorted(int_arguments())
    for place, (take, value) in takers.items():
        take(np.int64(value))
        name = "freeze_layers" if "freeze" in place else place.split()[-1]
        for no_int in (True, np.True_, float(value)):
            with pytest.raises(
                ValueError, match=rf"^(\S+: )?{name} .* got .*{re.escape(repr(no_int))}"
            ):
                take(no_int)


@pytest.mark.parametrize("value", ["no", 1, 0.0, None, np.int64(0), [True]])
def test_a_flag_is_true_or_false(preprocess, encoder, tmp_path, value):
    """Words are true for Python: overwrite="no" would overwrite."""
    takers = [
        lambda v: save_checkpoint(encoder, tmp_path / "new", overwrite=v),
        lambda v: export_model(encoder, tmp_path / "new", "savedmodel", overwrite=v),
        lambda v: batch_by_length(TEXTS, preprocess, 1, drop_remainder=v),
        lambda v: PackedText.write([], tmp_path / "rows", preprocess, whole_words=v),
    ]
    if value is not None:
        takers += [
            lambda v: batch_by_length(TEXTS, preprocess, 1, labels_per_token=v),
            lambda v: BertPreprocess(None, lowercase=v),
            lambda v: BertPreprocess(None, word_ids=v),
            lambda v: BertPreprocess(None, special_tokens_in_text=v),
        ]
    for take in takers:
        with pytest.raises(ValueError, match=r"^\w+ must be True.* False.*, got ") as caught:
            take(value)
        assert str(caught.value).endswith(f"{value!r}.")
    assert list(tmp_path.iterdir()) == []


def test_flags_of_numpy():
    assert check_flag("flag", np.True_) is True
    assert check_flag_or_none("flag", np.False_) is False
    assert check_flag_or_none("flag", None) is None


@pytest.mark.parametrize("value", ["gs://bucket/x", b"x"])
def test_what_is_written_is_on_this_machine(encoder, write, monkeypatch, tmp_path, value):
    monkeypatch.chdir(tmp_path)
    takers = {
        "file": [TrainingState],
        "folder": [
            lambda v: save_checkpoint(encoder, v),
            lambda v: write(5, v),
            lambda v: export_model(encoder, v, "savedmodel"),
        ],
    }
    for name, functions in takers.items():
        is_url = (
            f"{value} is a URL, which can't be written to: pass the path of a {name} on this "
            "machine."
        )
        for take in functions:
            with pytest.raises((ValueError, TypeError)) as caught:
                take(value)
            assert str(caught.value) in (is_url, f"{name} must be a path, got b'x'.")
    assert list(tmp_path.iterdir()) == []


def test_the_home_folder_is_meant_by_its_sign(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert TrainingState("~/state").file == tmp_path / "state"
