import bz2
import json
import signal
import subprocess
import sys

import pytest

from keras_bert_zh import BertPreprocess, PackedText
from keras_bert_zh.data import token_rows
from tests.compression import compressed
from tests.data.packed_text.common import LENGTH, VOCABULARY, batches_of, in_file, same
from tests.folders import contents
from tests.process import ROOT


class TestFolder:
    def test_it_opens_what_was_written(self, packed, preprocess):
        again = PackedText(str(packed._folder), preprocess)
        assert again.sequence_length == LENGTH
        assert again.whole_words is False
        assert again.files == packed.files
        assert same(batches_of(again.batches(16, count=9)), batches_of(packed.batches(16, count=9)))
        assert sorted(contents(packed._folder)) == ["ids.bin", "packed_text.json"]

    def test_another_vocabulary(self, packed):
        other = BertPreprocess(vocabulary=VOCABULARY[:-2] + VOCABULARY[:-3:-1])
        with pytest.raises(ValueError, match="rows was written with another vocabulary than that"):
            PackedText(packed._folder, other)

    def test_nothing_there(self, tmp_path, preprocess):
        message = r"does not contain packed text: it has no packed_text.json.*PackedText.write\("
        for folder in (tmp_path, tmp_path / "none"):
            with pytest.raises(FileNotFoundError, match=message):
                PackedText(folder, preprocess)

    @pytest.mark.parametrize(
        ("name", "damage", "message"),
        [
            ("ids.bin", lambda data: data[:-2], r"ids.bin is damaged: it has 6 bytes, expected 8"),
            ("ids.bin", lambda data: data + b"0", r"it has 9 bytes.*Delete .*packed and write it"),
            ("ids.bin", None, r"ids.bin is damaged: it has 0 bytes, expected 8"),
            ("word_starts.bin", lambda data: b"", r"starts.bin is damaged: it has 0 .*expected 4"),
            ("packed_text.json", lambda data: data[:20], r"json is damaged: .*Delete .* write it"),
            ("packed_text.json", lambda data: b"{}", r"json is damaged: .*missing 6 required"),
        ],
    )
    def test_damage(self, write, preprocess, name, damage, message):
        folder = write("今天", whole_words=True)._folder
        file = folder / name
        data = file.read_bytes()
        file.unlink()
        if damage:
            file.write_bytes(damage(data))
        with pytest.raises(ValueError, match=message):
            PackedText(folder, preprocess)

    def test_a_folder_that_is_not_empty_is_left_alone(self, packed, text, preprocess, tmp_path):
        before = contents(packed._folder)
        (tmp_path / "file").write_text("mine")
        for folder in (packed._folder, tmp_path / "file"):
            with pytest.raises(FileExistsError, match=r"Open .* with PackedText\(folder, preproc"):
                PackedText.write(text, folder, preprocess)
        assert contents(packed._folder) == before
        assert (tmp_path / "file").read_text() == "mine"

    def test_an_empty_folder_will_do(self, text, preprocess, tmp_path):
        (tmp_path / "packed").mkdir()
        assert PackedText.write(text, tmp_path / "packed", preprocess).rows() > 50

    @pytest.mark.parametrize("texts", [[], [""], ["\n\n"], ["今"], ["今", "\n"]])
    def test_too_little_text(self, write, tmp_path, texts):
        with pytest.raises(ValueError, match=r"fewer than 2 tokens, too few for a row of 4 with"):
            write(*texts)
        assert not (tmp_path / "packed").exists()

    def test_missing_files(self, text, preprocess, tmp_path):
        files = [tmp_path / "a.txt", text, tmp_path / "b.txt", tmp_path]
        with pytest.raises(
            FileNotFoundError, match=r"3 of 4 files are missing: \['.*a.txt', '.*b.tx"
        ):
            PackedText.write(files, tmp_path / "packed", preprocess)

    @pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst"])
    @pytest.mark.parametrize(
        "damage",
        [
            pytest.param(lambda data: b"no archive", id="another format"),
            pytest.param(lambda data: data[:-20], id="cut off"),
            pytest.param(lambda data: data[:12] + b"\xff" * 30, id="overwritten"),
        ],
    )
    def test_damaged_files(self, write, tmp_path, suffix, damage):
        data = damage(compressed("今天".encode() * 99, suffix))
        with pytest.raises(
            ValueError, match=rf"0.txt\{suffix} is damaged, or not a \{suffix} file: "
        ):
            write(data, name="{}.txt" + suffix)
        assert not (tmp_path / "packed").exists()

    @pytest.mark.parametrize("block", [1, 1 << 20])
    @pytest.mark.parametrize("whole_words", [False, True])
    def test_broken_characters(self, write, tmp_path, monkeypatch, whole_words, block):
        monkeypatch.setattr(token_rows, "_BLOCK_BYTES", block)
        text = "今天\n天气很好\n".encode() * 3
        message = r"0\.txt is not UTF-8: the first error is in line 8, byte 4\. Convert the f"
        with pytest.raises(ValueError, match=message):
            write(text + "今\n今".encode() + b"\xff\n\xff" + text, whole_words=whole_words)
        assert not (tmp_path / "packed").exists()

    @pytest.mark.parametrize("encoding", ["gb18030", "big5", "utf-16", "utf-16-le", "utf-32"])
    def test_other_encodings(self, write, tmp_path, encoding):
        """The second of two files: the message names it."""
        message = r"1\.txt is not UTF-8: .* `iconv -f GB18030 -t UTF-8`"
        with pytest.raises(ValueError, match=message):
            write("今天" * 9, "今天天氣很好\n".encode(encoding) * 9)
        assert not (tmp_path / "packed").exists()

    def test_another_compression(self, write):
        with pytest.raises(ValueError, match=r"bz2 is not UTF-8: .*If the file is compressed, its"):
            write(bz2.compress("今天".encode() * 99), name="{}.txt.bz2")

    @pytest.mark.parametrize("length", [2, 4.0, True])
    def test_bad_length(self, write, length):
        message = f"sequence_length must be an int of at least 3, got {length}"
        with pytest.raises(ValueError, match=message):
            write("今天", sequence_length=length)

    def test_no_preprocess(self, packed, text, tmp_path):
        message = r"preprocess must be a BertPreprocess, got \['\[PAD"
        with pytest.raises(TypeError, match=message):
            PackedText(packed._folder, VOCABULARY)
        with pytest.raises(TypeError, match=message):
            PackedText.write(text, tmp_path / "packed", VOCABULARY)

    def test_an_exception_on_the_way_leaves_nothing(self, text, preprocess, tmp_path, monkeypatch):
        monkeypatch.setattr(token_rows, "_BLOCK_BYTES", 1000)

        def stop(read, whole):
            if read > whole / 2:
                raise KeyboardInterrupt

        folder = tmp_path / "packed"
        with pytest.raises(KeyboardInterrupt):
            PackedText.write(text, folder, preprocess, progress=stop)
        assert contents(tmp_path) == {}
        assert PackedText.write(text, folder, preprocess).rows() > 50

    @pytest.mark.slow
    def test_a_killed_write_leaves_nothing_that_is_taken_for_whole(
        self, text, preprocess, tmp_path
    ):
        code = """
import os, signal, sys
from keras_bert_zh import BertPreprocess, PackedText
from tests.compression import compressed
from tests.data.packed_text.common import VOCABULARY
def kill(read, whole):
    os.kill(os.getpid(), signal.SIGKILL)
PackedText.write(sys.argv[1], sys.argv[2], BertPreprocess(vocabulary=VOCABULARY), progress=kill)
"""
        folder = tmp_path / "packed"
        killed = subprocess.run(
            [sys.executable, "-c", code, str(text), str(folder)],
            check=False,
            capture_output=True,
            cwd=ROOT,
            timeout=300,
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
        assert any(tmp_path.iterdir())  # It had begun.
        with pytest.raises(FileNotFoundError, match="does not contain packed"):
            PackedText(folder, preprocess)
        PackedText.write(text, folder, preprocess)
        assert [entry.name for entry in tmp_path.iterdir()] == ["packed"]

    def test_facts_for_people(self, packed, text):
        facts = json.loads((packed._folder / "packed_text.json").read_text())
        assert facts["rows"] == len(in_file(packed))
        assert facts["files"] == [["text.txt", text.stat().st_size]]
        assert len(facts["vocabulary"]) == 64
