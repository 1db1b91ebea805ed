import lzma
import sys
import tracemalloc

import numpy as np
import pytest

from keras_bert_zh import BertPreprocess, MaskTokens, PackedText
from keras_bert_zh.data import token_rows
from keras_bert_zh.data.words import tokenize_words
from tests.compression import compressed
from tests.data.packed_text.common import (
    CHARACTERS,
    CLS,
    LENGTH,
    SEP,
    VOCABULARY,
    batches_of,
    in_file,
    tokens_of,
)
from tests.folders import contents


class TestRows:
    def test_rows_are_the_tokens_of_the_text(self, packed, lines, preprocess):
        stream = []
        for index, line in enumerate(lines):
            if index and line and not lines[index - 1]:
                stream.append(SEP)
            stream += tokens_of(line, preprocess)
        width = LENGTH - 2
        expected = [
            [CLS, *stream[start : start + width], SEP]
            for start in range(0, len(stream) - width + 1, width)
        ]
        assert "" in lines
        assert len(expected) > 1000
        assert in_file(packed).tolist() == expected
        assert packed.rows("train") + packed.rows("held_out") == len(expected)

    @pytest.mark.parametrize("block", [1, 100, 1000])
    def test_blocks_make_no_difference(self, write, text, packed, monkeypatch, block):
        monkeypatch.setattr(token_rows, "_BLOCK_BYTES", block)
        again = write(text.read_bytes(), sequence_length=LENGTH)
        np.testing.assert_array_equal(in_file(again), in_file(packed))

    @pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst", ".XZ", ".Gz"])
    def test_compressed_files(self, write, text, packed, suffix):
        whole, seen = text.read_bytes(), []
        half = len(whole) // 2
        # Two streams in one file, as `cat` makes them.
        data = compressed(whole[:half], suffix) + compressed(whole[half:], suffix)
        again = write(
            data,
            name="{}" + suffix,
            sequence_length=LENGTH,
            progress=lambda *read: seen.append(read),
        )
        np.testing.assert_array_equal(in_file(again), in_file(packed))
        assert seen[-1] == (len(data), len(data))
        assert again.files == [(f"0{suffix}", len(data))]

    @pytest.mark.parametrize(
        ("texts", "expected"),
        [
            (["今天", "气很"], "今天|S气"),
            (["今天气很"], "今天|气很"),
            (["今天\n气很"], "今天|气很"),
            (["今\n\n天气很"], "今S|天气"),
            (["今\n\n\n \u3000\r\n\u200b\n天气很"], "今S|天气"),
            (["\n\n今天\n\n气"], "今天|S气"),
            (["", "\n", "今天", "", "气"], "今天|S气"),
            (["今天\n\n", "\n气"], "今天|S气"),
            (["今天气\n\n\n"], "今天"),
            (["今天", "气"], "今天|S气"),
            (["[SEP]今"], "UU|U今"),
            ([b"\xef\xbb\xbf\xe4\xbb\x8a\r\n\xe5\xa4\xa9"], "今天"),
        ],
    )
    def test_where_documents_end(self, write, texts, expected):
        ids = {"S": SEP, "U": 1} | {char: VOCABULARY.index(char) for char in CHARACTERS}
        rows = [[CLS, *(ids[char] for char in row), SEP] for row in expected.split("|")]
        assert in_file(write(*texts)).tolist() == rows

    def test_one_path_is_a_list_of_one(self, text, preprocess, packed, tmp_path):
        one = PackedText.write(str(text), str(tmp_path / "one"), preprocess, sequence_length=LENGTH)
        assert contents(tmp_path / "one") == contents(packed._folder)
        assert one.files == [("text.txt", text.stat().st_size)]

    def test_ids_take_two_bytes_where_they_fit(self, tmp_path, text):
        more = [chr(0x20000 + index) for index in range(1 << 16)]
        for vocabulary, bytes_an_id in ((VOCABULARY, 2), (VOCABULARY + more, 4)):
            preprocess = BertPreprocess(vocabulary=vocabulary)
            file = tmp_path / "text.txt"
            file.write_text("今天" + vocabulary[-2])
            packed = PackedText.write(
                file, tmp_path / str(bytes_an_id), preprocess, sequence_length=5
            )
            assert (packed._folder / "ids.bin").stat().st_size == 5 * bytes_an_id
            expected = [CLS, 5, 6, len(vocabulary) - 2, SEP]
            (inputs, _) = next(iter(packed.batches(1)))
            assert inputs["input_ids"].numpy().tolist() == [expected]

    def test_progress(self, write):
        seen = []
        write("今天" * 100, "气很" * 50, progress=lambda *read: seen.append(read))
        assert seen == [(600, 900), (900, 900)]

    def test_memory_does_not_grow_with_the_text(self, preprocess, tmp_path, monkeypatch):
        monkeypatch.setattr(token_rows, "_BLOCK_BYTES", 1 << 14)
        peaks = []
        for megabytes in (1, 4):
            file = tmp_path / f"{megabytes}.txt.xz"
            with lzma.open(file, "wb", preset=0) as stream:
                for _ in range(megabytes * 16):
                    stream.write(("今天天气很好\n" * 3450).encode())
            tracemalloc.start()
            packed = PackedText.write(file, tmp_path / str(megabytes), preprocess)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert packed.rows() > 8_000
        assert peaks[1] < 1.2 * peaks[0] + 100_000


class TestWords:
    TEXT = "我们去公园吧\n今天天气很好\n\n早上几点开门" * 40

    def test_word_starts(self, write, preprocess):
        packed = write(self.TEXT, sequence_length=7, whole_words=True)
        assert packed.whole_words
        plain = PackedText.write(
            packed._folder.parent / "0.txt",
            packed._folder.parent / "plain",
            preprocess,
            sequence_length=7,
        )
        np.testing.assert_array_equal(in_file(packed), in_file(plain))
        ids, starts = [], []
        for line in self.TEXT.split("\n"):
            tokens, begins = tokenize_words([line], preprocess)
            if not line:
                ids.append(SEP)
                starts.append(1)
            ids += tokens.values.numpy().tolist()
            starts += begins.values.numpy().astype(int).tolist()
        rows = len(ids) // 5
        expected = np.ones((rows, 7), int)
        expected[:, 1:-1] = np.reshape(starts[: rows * 5], (rows, 5))
        found = np.fromfile(packed._folder / "word_starts.bin", bool).reshape(-1, 7)
        assert 0.5 < found.mean() < 0.9
        np.testing.assert_array_equal(found, expected)

    def test_batches_hold_them_beside_their_ids(self, write):
        packed = write(self.TEXT, sequence_length=7, whole_words=True)
        ids = in_file(packed)
        starts = np.fromfile(packed._folder / "word_starts.bin", bool).reshape(-1, 7)
        pairs = {(*one, *two) for one, two in zip(ids.tolist(), starts.tolist(), strict=True)}
        batches = batches_of(packed.batches(5, count=20))
        for inputs, _ in batches:
            assert list(inputs) == ["input_ids", "input_mask", "segment_ids", "word_starts"]
            assert inputs["word_starts"].dtype == "int32"
            both = np.concatenate([inputs["input_ids"], inputs["word_starts"]], axis=1)
            assert set(map(tuple, both.tolist())) <= pairs

    def test_whole_words_are_masked(self, write, preprocess):
        packed = write(self.TEXT, sequence_length=32, whole_words=True)
        mask = MaskTokens(preprocess, rate=0.3, mask_share=1, random_share=0)
        seen = set()
        for inputs, step in packed.batches(8, count=10):
            masked, _, _ = mask(inputs, step)
            hidden = masked["input_ids"].numpy() == VOCABULARY.index("[MASK]")
            words = np.cumsum(inputs["word_starts"], axis=1)
            # Without [CLS], after which a word may go on that the row before cut off.
            for row, word in zip(hidden[:, 1:], words[:, 1:], strict=True):
                for number in np.unique(word):
                    assert len(set(row[word == number])) == 1
                    seen |= {int(row[word == number].sum())}
        assert {0, 1, 2} <= seen

    def test_without_the_segmenter(self, write, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "rjieba", None)
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'keras-bert-zh\[words\]'"):
            write(self.TEXT, whole_words=True)
        assert not (tmp_path / "packed").exists()
