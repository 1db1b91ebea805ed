"""What is answered is what the Keras models say."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import SentenceEncoder, export_model
from keras_bert_zh.checkpoints.pooling import Pooling
from keras_bert_zh.serving.errors import RefusedError
from keras_bert_zh.serving.served_model import ServedModel
from keras_bert_zh.serving.tasks import Embedding, Entities, FillMask, Labels, Outputs

# In the vocabulary of the fixtures are all of these; the last ones are longer than the models.
TEXTS = ["今天天气很好", "", "房间 干净", "很好 不好 今天是晴天 房间很干净 早餐也不错", "好" * 30]


def answers(task, sent, *, truncate=True, **options):
    """The answers for texts that are computed in one batch."""
    rows = [task.rows(f"inputs[{i}]", x, truncate=truncate) for i, x in enumerate(sent)]
    asked = [row for of_text in rows for row in of_text]
    computed = zip(asked, task.model.compute(asked), strict=True)
    flat = iter([task.keep(row, outputs) for row, outputs in computed])
    outputs = [[next(flat) for _ in of_text] for of_text in rows]
    return [task.answer(*x, **options) for x in zip(sent, rows, outputs, strict=True)]


@pytest.mark.filterwarnings("ignore::keras_bert_zh.TruncationWarning")
@pytest.mark.parametrize("name", ["predict", "windows"])
def test_labels(name, keras_models, served):
    model, _ = keras_models[name]
    expected = model.classify(TEXTS)
    found = answers(Labels(served(name)), TEXTS)
    assert [x["label"] for x in found] == [x.decode() for x in expected["label"].numpy()]
    np.testing.assert_allclose([x["score"] for x in found], expected["score"], atol=1e-5)
    scores = [[x["scores"][label] for label in model.labels] for x in found]
    np.testing.assert_allclose(scores, expected["probabilities"], atol=1e-5)


@pytest.mark.filterwarnings("ignore::keras_bert_zh.TruncationWarning")
def test_pairs(keras_models, served):
    model, _ = keras_models["pairs"]
    pairs = [*zip(TEXTS, TEXTS[::-1], strict=True)]
    expected = model.classify(tuple(map(list, zip(*pairs, strict=True))))
    found = answers(Labels(served("pairs")), pairs)
    np.testing.assert_allclose([x["score"] for x in found], expected["score"], atol=1e-5)


@pytest.mark.filterwarnings("ignore::keras_bert_zh.TruncationWarning")
@pytest.mark.parametrize("threshold", [0.3, 0.6])
def test_several_labels(threshold, keras_models, served):
    expected = keras_models["several"][0].classify(TEXTS, threshold=threshold)
    found = answers(Labels(served("several")), TEXTS, threshold=threshold)
    names = [[x.decode() for x in row] for row in expected["label"].to_list()]
    assert [x["labels"] for x in found] == names
    scores = [[*x["scores"].values()] for x in found]
    np.testing.assert_allclose(scores, expected["probabilities"], atol=1e-5)


@pytest.mark.filterwarnings("ignore::keras_bert_zh.TruncationWarning")
def test_values(keras_models, served):
    expected = keras_models["value"][0].classify(TEXTS)["value"]
    found = answers(Labels(served("value")), TEXTS)
    np.testing.assert_allclose([x["value"] for x in found], expected, atol=1e-5)


@pytest.mark.parametrize("name", ["entities", "crf"])
def test_entities(name, keras_models, served):
    model, _ = keras_models[name]
    if model.crf is not None:
        for variable in model.crf.trainable_variables:
            variable.assign(tf.random.stateless_normal(variable.shape, [1, len(variable.shape)]))
    texts = [*TEXTS, "我在 Beijing\u200b 很好", "𠀀今天"]
    expected = model.entities(texts)
    found = answers(Entities(served(name)), texts)
    assert sum(map(len, found)) > 5
    for key in ("text", "label"):
        decoded = [[x.decode() for x in row] for row in expected[key].to_list()]
        assert [[x[key] for x in row] for row in found] == decoded
    for key in ("start", "end"):
        assert [[x[key] for x in row] for row in found] == expected[key].to_list()
    scores = np.concatenate([[x["score"] for x in row] for row in found])
    np.testing.assert_allclose(scores, expected["score"].flat_values, atol=1e-5)
    for text, row in zip(texts, found, strict=True):
        assert all(text[x["start"] : x["end"]] == x["text"] for x in row)


def test_vectors(keras_models, served):
    model, _ = keras_models["embeddings"]  # Of windows, and scaled after their mean.
    task = Embedding(served("embeddings"))
    found = np.array(answers(task, TEXTS))
    expected = model.predict(TEXTS, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert task.size == found.shape[1]
    short = np.array(answers(task, TEXTS, dimensions=4))
    cut = expected[:, :4]
    np.testing.assert_allclose(short, cut / np.linalg.norm(cut, axis=1, keepdims=True), atol=1e-5)


def test_tokens_for_masks(keras_models, served):
    model, preprocess = keras_models["fill_mask"]
    texts = ["今天[MASK]气很好", "[MASK][MASK]很好"]
    found = answers(FillMask(served("fill_mask")), texts, top_k=3)
    assert [len(x) for x in found] == [1, 2]
    ids = preprocess(texts)
    logits = model(ids)
    mask = preprocess.special_ids["[MASK]"]
    for row, of_text in enumerate(found):
        places = np.flatnonzero(ids["input_ids"][row].numpy() == mask)
        for place, best in zip(places, of_text, strict=True):
            chances = tf.nn.softmax(logits[row, place]).numpy()
            assert [x["token_id"] for x in best] == np.argsort(-chances)[:3].tolist()
            np.testing.assert_allclose(
                [x["score"] for x in best], np.sort(chances)[::-1][:3], rtol=1e-4
            )
            assert [x["token"] for x in best] == [
                preprocess.vocabulary[x["token_id"]] for x in best
            ]
    with pytest.raises(RefusedError, match=r"inputs\[0\] has no \[MASK\]"):
        answers(FillMask(served("fill_mask")), ["今天"])


@pytest.mark.filterwarnings("ignore::keras_bert_zh.TruncationWarning")
def test_outputs_of_texts(keras_models, served):
    model, preprocess = keras_models["encoder"]
    found = answers(Outputs(served("encoder")), TEXTS)
    expected = model(preprocess(TEXTS), as_dict=True)
    for row, outputs in enumerate(found):
        np.testing.assert_allclose(
            outputs["pooled_output"], expected["pooled_output"][row], atol=1e-5
        )
        tokens = outputs["sequence_output"]
        assert len(tokens) == int(np.sum(preprocess([TEXTS[row]])["input_mask"]))
        np.testing.assert_allclose(
            tokens, expected["sequence_output"][row, : len(tokens)], atol=1e-5
        )


def test_outputs_of_ids(keras_models, served):
    model, preprocess = keras_models["encoder"]
    ids = {key: value.numpy() for key, value in preprocess(TEXTS[:3]).items()}
    sent = [{key: value[row].tolist() for key, value in ids.items()} for row in range(3)]
    sent.append({"input_ids": [101 % 700, 5, 6]})
    found = answers(Outputs(served("encoder")), sent)
    expected = model(ids, as_dict=True)
    for row in range(3):
        # Padding is computed where it is sent.
        real = int(ids["input_mask"][row].sum())
        assert found[row]["sequence_output"].shape == expected["sequence_output"].shape[1:]
        np.testing.assert_allclose(
            found[row]["sequence_output"][:real],
            expected["sequence_output"][row, :real],
            atol=1e-5,
        )
    assert found[3]["sequence_output"].shape[0] == 3


@pytest.mark.filterwarnings("ignore::keras_bert_zh.TruncationWarning")
@pytest.mark.parametrize(
    ("format", "engine"), [("onnx", "openvino"), ("savedmodel", "tensorflow"), ("litert", "litert")]
)
def test_engines(format, engine, keras_models, exported, tmp_path):
    model, _ = keras_models["predict"]
    if format == "onnx":
        folder = exported("predict")
    else:
        folder = export_model(model, tmp_path / "model", format)
    served = ServedModel(folder, engine)
    assert served.padding == (1 if format == "litert" else 8)
    expected = model.classify(TEXTS)["score"]
    scores = [x["score"] for x in answers(Labels(served), TEXTS)]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_prompt_that_is_left_out_is_refused(tiny_block, tmp_path):
    pooling = Pooling("mean", 8, prompts={"q": "今天"}, default_prompt="q", include_prompt=False)
    model = SentenceEncoder(tiny_block, pooling)
    folder = export_model(model, tmp_path / "model", "savedmodel")
    with pytest.raises(ValueError, match="leaves out the tokens of its prompt"):
        ServedModel(folder)


@pytest.mark.parametrize(
    ("sent", "message", "param"),
    [
        ({"input_ids": [5, 9999]}, r"each in \[0, 718", "instances[0].input_ids"),
        ({"input_ids": [5, -1]}, r"each in \[0, 718", "instances[0].input_ids"),
        ({"input_ids": [5, 6], "input_mask": [1]}, "has 1 ids", "instances[0].input_mask"),
        ({"input_ids": [5], "mlm_positions": [0]}, "'mlm_positions' is not one", "instances[0]"),
        ({"input_mask": [1]}, "input_ids are missing", "instances[0]"),
        ({"input_ids": []}, "at least one number", "instances[0].input_ids"),
        ({"input_ids": [5] * 9999}, "has 9999 ids", "instances[0]"),
    ],
)
def test_bad_ids(sent, message, param, served):
    with pytest.raises(RefusedError, match=message) as caught:
        Outputs(served("encoder")).rows("instances[0]", sent, truncate=False)
    assert caught.value.param == param
    assert caught.value.status in (413, 422)


@pytest.mark.parametrize(
    ("name", "sent", "takes"),
    [
        ("predict", ("a", "b"), "single texts"),
        ("pairs", "a", "pairs"),
        ("entities", ("a", "b"), ""),
    ],
)
def test_a_model_says_what_it_takes(name, sent, takes, served):
    task = (Entities if name == "entities" else Labels)(served(name))
    with pytest.raises(RefusedError, match=f"the model takes {takes}") as caught:
        task.rows("inputs[3]", sent, truncate=True)
    assert (caught.value.status, caught.value.param) == (422, "inputs[3]")


def test_long_texts_are_cut_if_that_is_asked(served):
    task = Labels(served("predict"))
    with pytest.raises(RefusedError, match=r"has 32 tokens, but the .* at most 8") as caught:
        task.rows("inputs[0]", "好" * 30, truncate=False)
    assert caught.value.status == 413
    (row,) = task.rows("inputs[0]", "好" * 30, truncate=True)
    assert len(row["input_ids"]) == 8
