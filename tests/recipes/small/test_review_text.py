import sys

import pytest

from recipes.small import review_text

pytestmark = pytest.mark.slow


def test_it_writes_what_may_be_learned_from_and_nothing_else(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["review_text", str(tmp_path / "corpus")])
    review_text.main()
    review_text.main()
    assert "Wrote 12,116 reviews to " in capsys.readouterr().out
    (file,) = (tmp_path / "corpus").iterdir()
    assert file.name == "reviews.txt"
    lines = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    parts = review_text.load_reviews()
    assert lines == list(parts["train"].texts)
    assert not set(lines) & {*parts["validation"].texts, *parts["held_out"].texts}

    file.write_text("dear")
    with pytest.raises(SystemExit, match=r"reviews\.txt exists and has other content"):
        review_text.main()
    assert file.read_text() == "dear"
