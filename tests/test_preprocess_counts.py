"""What BertPreprocess counts: texts that are cut, and the tokens of each word."""

import numpy as np
import pytest

from keras_bert_zh import BertPreprocess


@pytest.fixture(scope="module")
def preprocess():
    return BertPreprocess(None, max_length=12)


def test_count_truncated(preprocess):
    fits, too_long = "好" * 10, "好" * 11
    for texts, count in [
        (too_long, 1),
        (fits, 0),
        ([], 0),
        (np.array([too_long, fits, too_long], dtype=object), 2),
        ([["好" * 6, "好" * 4], ["好" * 6, "好" * 5], []], 1),
        ((["好" * 4] * 3, ["好" * 5, "好" * 6, ""]), 1),
        (([too_long, fits], ["", "好"]), 2),
        ({"text_a": [too_long]}, 1),
    ]:
        counted = preprocess.count_truncated(texts)
        assert (counted, type(counted)) == (count, int)


def test_words_without_tokens_shift_no_labels(preprocess):
    """As the README says: the tokens of each word alone are those it has in its text."""
    words = ["中", "\u200b", "国", "", "Keras", " ", "unaffable", "\0", "\ufeff", "好天"]
    counts = preprocess.tokenize(words).row_lengths().numpy()
    assert counts.tolist() == [1, 0, 1, 0, 3, 0, 4, 0, 0, 2]
    (tokens,) = preprocess.tokenize([words]).to_list()
    of_words = np.repeat(np.arange(len(words)), counts)
    assert len(of_words) == len(tokens)
    for index, word in enumerate(words):
        own = [token for token, of_word in zip(tokens, of_words, strict=True) if of_word == index]
        assert own == preprocess.tokenize(word).numpy().tolist()
