"""examples/search_corpus.py: embed, search and FAISS, on a few texts."""

import importlib
import re

TEXTS = ["房间很干净", "早餐很丰富", "电池不行", "手机没电了", "今天天气很好"] * 4


def test_on_files_of_a_user(one_block, tmp_path, capsys):
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(TEXTS), encoding="utf-8")
    arguments = ["--input", f"{file}", "--query", TEXTS[0], "--checkpoint", f"{one_block}"]
    arguments += ["--pooling", "mean", "--output", f"{tmp_path / 'out'}"]
    importlib.import_module("search_corpus").main(arguments)
    printed = capsys.readouterr().out
    assert re.search(r"^1\.0000  texts\.txt:0  房间很干净$", printed, re.M)
    assert re.search(r"^rows 20\nrecall_at_10 (0\.[5-9]|1\.0)", printed, re.M)
