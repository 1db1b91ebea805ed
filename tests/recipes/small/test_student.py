import numpy as np
import pytest

from recipes.small import student
from tests.recipes.small.fake_e5 import FREQUENCIES, IDEOGRAPHS, IDS, ROWS, VOCABULARY

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("token", "piece"),
    [
        ("今", "今"),
        ("world", "▁world"),
        ("2013", "▁2013"),
        ("##ing", "ing"),
        (",", ","),
        ("[PAD]", "<pad>"),
        ("[UNK]", "<unk>"),
        ("[CLS]", "<s>"),
        ("[SEP]", "</s>"),
        ("[MASK]", "<mask>"),
    ],
)
def test_a_token_takes_the_row_of_the_piece_that_is_written_alike(model, token, piece):
    words = student.transplant(model, VOCABULARY)
    np.testing.assert_array_equal(words[IDS[token]], model.word_embeddings()[ROWS[piece]])


def test_others_take_the_mean_of_their_kind(model):
    words = student.transplant(model, VOCABULARY)
    without = {*range(1, 100), IDS["，"], IDS["zebra"]}
    ideographs = {IDS[token] for token in IDEOGRAPHS}
    others = set(range(len(VOCABULARY))) - without - ideographs - {IDS["龘"]}
    for indices, kind in (({IDS["龘"]}, ideographs), (without, others)):
        for index in indices:
            np.testing.assert_allclose(words[index], words[[*kind]].mean(axis=0), atol=1e-6)


def test_the_student_begins_with_what_counting_tells(model, pupil):
    """And with layers of the teacher."""
    variables = pupil.named_variables()
    expected = model.weights((0, 2, 4, 7, 9, 11), student.transplant(model, VOCABULARY))
    for name, array in expected.items():
        np.testing.assert_array_equal(np.array(variables[name]), array)
    known = np.log(FREQUENCIES)
    inputs = {"input_ids": np.array([[101, 103, 110, 102]])}
    logits = np.array(pupil(inputs | {"mlm_positions": np.array([[1]])}))[0, 0]
    assert np.abs(known - known.mean() - logits).max() < 2
    assert np.corrcoef(known, logits)[0, 1] > 0.9
    assert pupil.encoder.config.hidden_dropout_prob == 0
