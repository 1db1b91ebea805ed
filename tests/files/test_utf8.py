"""Files of text that are UTF-8, and those that are not."""

import pytest

from keras_bert_zh.files.utf8 import read_utf8

LINES = "第一行\n第二行：房间很干净\n"


def test_text_with_a_byte_order_mark_and_without(tmp_path):
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / "a.txt").write_text(LINES, encoding=encoding)
        assert read_utf8(tmp_path / "a.txt") == LINES


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (LINES.encode("gbk"), r"line 1: .*byte 1 .*can be read as GBK.*iconv -f GB18030 -t UTF-8"),
        (b"abc\n" + LINES.encode("gb18030"), "line 2: .*byte 1 .*can be read as GBK"),
        (LINES.encode("utf-16"), "line 1: .*is UTF-16.*iconv -f UTF-16 -t UTF-8"),
        (LINES.encode() + b"\xe5\xff\n", "line 3: .*byte 1 .*not GBK either.*iconv .* -c"),
        (LINES.encode() + b"ab\xff\n", "line 3: .*byte 3 "),
    ],
)
def test_another_encoding_is_named(tmp_path, data, message):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(ValueError, match=f"a.txt, {message}"):
        read_utf8(tmp_path / "a.txt")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*b\.txt"):
        read_utf8(tmp_path / "b.txt")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read_utf8(tmp_path)
