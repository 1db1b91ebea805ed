import sys
import unicodedata
from importlib import resources

import pytest

from keras_bert_zh.text.unicode_tables import ASSIGNED_LATER, generate, load_tables, ranges

SHIPPED = resources.files("keras_bert_zh.text").joinpath("unicode-14.0.tsv").read_text()


# Not under coverage, which makes it ten times as slow: the next test runs the same lines.
@pytest.mark.no_cover
def test_regenerating_gives_the_shipped_file():
    assert list(generate()) == SHIPPED.splitlines()


def test_regenerating_the_first_code_points(monkeypatch):
    monkeypatch.setattr(sys, "maxunicode", 0x33FF)
    generated = list(generate())
    assert generated == [
        line for line in SHIPPED.splitlines() if int(line.split("\t")[2], 16) <= 0x33FF
    ]
    assert len(generated) > 2_000


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="a later Unicode than the list knows of")
def test_list_of_code_points_assigned_later():
    later = {code for first, last in ASSIGNED_LATER for code in range(first, last + 1)}
    assigned = {code for code in later if unicodedata.category(chr(code)) != "Cn"}
    expected = {"14.0.0": 0, "15.0.0": 4489, "15.1.0": 5116}
    assert len(later) == 5116
    assert len(assigned) == expected[unicodedata.unidata_version]


def test_replacements():
    lower, cased = load_tables().replacements(True), load_tables().replacements(False)
    assert [lower.get(ord(char)) for char in "AÉ각ẞ中，"] == [
        "a",
        "e",
        "\u1100\u1161\u11a8",
        "ß",
        None,
        None,
    ]
    assert [lower[code] for code in (0, 0xAD, 0xFFFD, 0x0B, 0x301, 0x2028, 0x3000)] == [
        *("", "", "", "", "", " ", " ")
    ]
    assert cased == {code: text for code, text in lower.items() if code in cased}
    assert ord("A") not in cased
    # A compatibility ideograph stays set apart where its canonical form is none.
    assert lower[0xF900] == "豈"


def test_ranges():
    assert ranges([1, 2, 3, 5, 7, 8]) == [(1, 3), (5, 5), (7, 8)]
    assert ranges([]) == []
