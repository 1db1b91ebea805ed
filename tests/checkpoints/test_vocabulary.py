"""What editors do to a vocab.txt, in every format that has one."""

import shutil

import pytest

from keras_bert_zh import BertPreprocess, load_checkpoint
from tests.process import DATA

FOLDERS = {path.name: path for path in sorted(DATA.glob("tiny_*/"))}


@pytest.fixture(params=FOLDERS)
def folder(request, tmp_path):
    """A copy of a folder of each format."""
    return shutil.copytree(FOLDERS[request.param], tmp_path / "model")


def edit(folder, change):
    (path,) = folder.rglob("vocab.txt")
    path.write_bytes(change(path.read_bytes()))


def test_a_byte_order_mark(folder, tiny):
    edit(folder, lambda content: b"\xef\xbb\xbf" + content)
    assert load_checkpoint(folder).vocabulary == tiny.vocabulary
    assert BertPreprocess(folder).special_ids["[PAD]"] == 0


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n \r\n"])
def test_blank_lines_at_the_end_without_a_row(folder, tiny, end):
    edit(folder, lambda content: content + end)
    assert load_checkpoint(folder).vocabulary == tiny.vocabulary


def test_blank_lines_keep_their_ids(folder, tiny):
    """In the middle, and at the end where they have a row."""
    expected = (*tiny.vocabulary[:700], "", *tiny.vocabulary[701:-1], "")
    edit(folder, lambda content: "".join(f"{token}\n" for token in expected).encode())
    assert load_checkpoint(folder).vocabulary == expected


def test_a_blank_line_too_many_in_the_middle(folder):
    edit(folder, lambda content: content.replace(b"\n", b"\n\n", 1))
    with pytest.raises(ValueError, match="has 719 lines, expected one for each of the 718 rows"):
        load_checkpoint(folder)
