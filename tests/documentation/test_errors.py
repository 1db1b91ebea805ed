"""The pages about errors have the messages that the code raises, and no others."""

import collections

import pytest

from tests.documentation.messages import explained, raised
from tests.pages import ROOT

PACKAGE = ROOT / "keras_bert_zh"
FOLDERS = ["docs/errors", "docs/zh/errors"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_message_is_explained_once(folder):
    pages = sorted((ROOT / folder).glob("*.md"))
    counted = collections.Counter(message for page in pages for message in explained(page))
    assert [message for message, count in counted.items() if count > 1] == []
    found = raised(PACKAGE.rglob("*.py"))
    assert {message: found[message] for message in found.keys() - counted} == {}
    assert counted.keys() - found == set()
