import numpy as np
import pytest

from keras_bert_zh import BertEncoder, Checkpoint
from recipes.small.teacher import Spelling, Teacher
from tests.recipes.small.fake_e5 import ROWS, VOCABULARY, WIDTH, ids

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["今", "天", "，", "好"], "今天，好"),
        (["hello", "world"], "hello world"),
        (["hello", "##ing", "world", "##ed"], "helloing worlded"),
        (["今", "hello", "天", "world", "2013"], "今hello天world 2013"),
        (["hello", ",", "world", "!"], "hello, world!"),
        (["[UNK]", "hello", "[UNK]", "今"], "□hello□今"),
        (["##ing", "world"], "ing world"),
    ],
)
def test_tokens_begin_where_it_says(tokens, text):
    spelled, begins = Spelling(VOCABULARY).spell(ids(*tokens))
    assert spelled == text
    for token, begin in zip(tokens, begins, strict=True):
        written = "□" if token == "[UNK]" else token.removeprefix("##")
        assert text[begin:].startswith(written)
    assert begins == sorted(set(begins))


SPANS = (ids("今", "天", "气", "hello", "world", "##ed"), ids("我", "们", "[UNK]"))
# "query: 今天气hello worlded" and "query: 我们□", by hand.
READ = (
    ["<s>", "▁query", ":", "▁今", "天气", "hello", "▁world", "ed", "</s>"],
    ["<s>", "▁query", ":", "▁", "我们", "<unk>", "</s>", "<pad>", "<pad>"],
)


@pytest.fixture(scope="module")
def lesson(shallow):
    return Teacher(shallow, 1, VOCABULARY).teach(SPANS, length=9)


@pytest.fixture(scope="module")
def outputs(shallow):
    """What the encoder makes of these pieces, in float32."""
    layers = shallow.header.layers
    weights = shallow.weights(range(layers), shallow.word_embeddings())
    weights |= {"pooler.dense.kernel": np.eye(WIDTH), "pooler.dense.bias": np.zeros(WIDTH)}
    config = shallow.config(layers, shallow.header.vocab_size)
    encoder = BertEncoder(Checkpoint(config, None, None, weights), output_key=None)
    pieces = np.array([[ROWS[piece] for piece in row] for row in READ])
    mask = pieces != ROWS["<pad>"]
    outputs = encoder({"input_ids": pieces, "input_mask": mask.astype(int)}, all_layers=True)
    return outputs | {"mask": mask[..., None]}


OWNERS = ([3, 4, 4, 5, 6, 7], [4, 4, 5])


def test_tokens_learn_from_the_piece_that_they_are_part_of(lesson, outputs):
    hidden = np.array(outputs["encoder_outputs"][1])
    for row, owners in enumerate(OWNERS):
        taught = lesson.hidden.numpy()[row, 1 : len(owners) + 1]
        distances = np.abs(taught[:, None] - hidden[row]).mean(axis=-1)  # In bfloat16.
        assert distances.argmin(axis=1).tolist() == owners
        assert distances.min(axis=1).max() < 0.05
        assert np.sort(distances)[:, 1].min() > 0.2


def test_special_tokens_and_padding_learn_nothing(lesson):
    expected = [[0, 1, 1, 1, 1, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0, 0, 0, 0]]
    assert lesson.weights.tolist() == expected


def test_vectors_are_means_of_length_1(lesson, outputs):
    means = (np.array(outputs["sequence_output"]) * outputs["mask"]).sum(axis=1)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(lesson.vectors, means, atol=0.01)
    np.testing.assert_allclose(np.linalg.norm(lesson.vectors, axis=1), 1, atol=1e-5)
    assert np.abs(means[0] - means[1]).max() > 0.05
