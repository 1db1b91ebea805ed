"""Packages that may not be installed."""

import pytest

from keras_bert_zh.extras import imported


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(ImportError, match=r"model needs no_such: pip install 'keras-bert-zh\[a\]'"):
        imported("no_such.module", "a", "This model")


def test_what_a_package_lacks_is_not_taken_for_it(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import no_such")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'no_such'$"):
        imported("half_there", "a", "This model")
