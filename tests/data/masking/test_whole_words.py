import numpy as np
import pytest

from keras_bert_zh import MaskTokens
from tests.data.masking.common import FIRST, candidates_of, chosen_of, same, words_of


class TestWholeWords:
    def test_words_are_chosen_whole(self, preprocess, batch, word_starts):
        outputs = MaskTokens(preprocess)(batch | {"word_starts": word_starts}, 0)
        chosen, sizes = chosen_of(outputs), set()
        for row, words in zip(chosen, words_of(candidates_of(batch), word_starts), strict=True):
            for word in words:
                assert row[word].all() or not row[word].any()
                sizes |= {len(word)} if row[word].all() else set()
        assert {1, 2, 3} <= sizes

    def test_without_word_starts_words_are_not_whole(self, preprocess, batch, word_starts):
        chosen = chosen_of(MaskTokens(preprocess)(batch, 0))
        rows = zip(chosen, words_of(candidates_of(batch), word_starts), strict=True)
        assert any(row[word].any() and not row[word].all() for row, words in rows for word in words)

    def test_words_of_one_token_are_the_plain_rule(self, preprocess, batch):
        mask = MaskTokens(preprocess)
        ones = np.ones_like(batch["input_ids"])
        for step in range(20):
            assert same(mask(batch | {"word_starts": ones}, step), mask(batch, step))

    @pytest.mark.parametrize("kind", ["int32", "int64", "bool"])
    def test_kinds_of_word_starts(self, preprocess, batch, word_starts, kind):
        mask = MaskTokens(preprocess)
        expected = mask(batch | {"word_starts": word_starts}, 0)
        assert same(mask(batch | {"word_starts": word_starts.astype(kind)}, 0), expected)

    @pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
    @pytest.mark.parametrize("rate", [0.01, 0.15, 0.5])
    def test_the_share_is_kept_whatever_the_lengths(self, preprocess, size, rate):
        """One of 42 tokens, or 6, or 21: also where that is less than a word."""
        ids = np.full((30_000, 42), FIRST, np.int32)
        inputs = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": ids * 0}
        inputs["word_starts"] = np.tile(np.int32(np.arange(42) % size == 0), (30_000, 1))
        weights = MaskTokens(preprocess, rate=rate, max_predictions=30)(inputs, 0)[2]
        counts = weights.numpy().sum(axis=1)
        target = max(round(rate * 42), 1)
        assert np.abs(counts - target).max() < size
        assert abs(counts.mean() - target) <= 4.5 * counts.std() / np.sqrt(30_000)

    def test_the_share_is_kept_with_words_of_all_lengths(self, preprocess, batch, word_starts):
        mask = MaskTokens(preprocess, max_predictions=30)
        targets = np.array([max(round(0.15 * n), 1) for n in candidates_of(batch).sum(axis=1)])
        targets[candidates_of(batch).sum(axis=1) == 0] = 0
        inputs = batch | {"word_starts": word_starts}
        counts = np.array([mask(inputs, step)[2].numpy().sum(axis=1) for step in range(60)])
        error = (counts - targets).mean(axis=1)
        assert (counts != targets).mean() > 0.2
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(60)

    def test_words_beyond_the_limit_are_left_out(self, preprocess, batch, word_starts):
        outputs = MaskTokens(preprocess, rate=1.0, max_predictions=5)(
            batch | {"word_starts": word_starts}, 0
        )
        counts = outputs[2].numpy().sum(axis=1)
        assert set(counts) == {0, 1, 2, 3, 4, 5}
        chosen = chosen_of(outputs)
        for row, words in zip(chosen, words_of(candidates_of(batch), word_starts), strict=True):
            assert all(row[word].all() or not row[word].any() for word in words)

    def test_tokens_before_the_first_start_are_a_word(self, preprocess):
        ids = np.full((64, 6), FIRST, np.int32)
        inputs = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": ids * 0}
        inputs["word_starts"] = np.tile(np.int32([0, 0, 1, 0, 0, 1]), (64, 1))
        chosen = chosen_of(MaskTokens(preprocess, rate=0.5)(inputs, 0))
        found = {tuple(row.astype(int)) for row in chosen}
        assert {(1, 1, 0, 0, 0, 0), (0, 0, 1, 1, 1, 0), (0, 0, 0, 0, 0, 1)} <= found
        assert all(row[0] == row[1] and row[2] == row[3] == row[4] for row in chosen)
