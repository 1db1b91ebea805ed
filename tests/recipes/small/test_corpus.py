import lzma

import numpy as np
import pytest

from recipes.small.corpus import Corpus
from tests.recipes.small import fake_e5
from tests.recipes.small.fake_e5 import IDS, VOCABULARY, ids

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    for name, lines in (("kdconv", 300), ("other", 200)):
        fake_e5.write_text(tmp_path / f"{name}.txt", lines, seed=lines)
    return tmp_path


def test_spans_depend_on_seed_and_step_alone(folder, preprocess):
    corpus, again = Corpus(folder, preprocess, seed=3), Corpus(folder, preprocess, seed=3)
    again.spans(0, tokens=500)
    one, other = corpus.spans(5, tokens=500), again.spans(5, tokens=500)
    assert [span.tolist() for span in one] == [span.tolist() for span in other]
    for different in (corpus.spans(6, 500), Corpus(folder, preprocess, seed=4).spans(5, 500)):
        assert [span.tolist() for span in one] != [span.tolist() for span in different]


def test_spans_are_of_8_to_126_tokens_of_text(folder, preprocess):
    corpus = Corpus(folder, preprocess)
    text = "".join((folder / f"{name}.txt").read_text("utf-8") for name in ("kdconv", "other"))
    written = text.replace("\n", "")
    sizes = []
    for step in range(20):
        spans = corpus.spans(step, tokens=600)
        total = sum(len(span) + 2 for span in spans)
        assert total >= 600 > total - len(spans[-1]) - 2
        sizes += map(len, spans)
        assert all("".join(VOCABULARY[i] for i in span) in written for span in spans)
        assert all(span.dtype == np.int32 for span in spans)
    assert max(sizes) <= 126
    assert np.mean(np.array(sizes) >= 8) > 0.9
    assert len(set(sizes)) > 50


def test_half_of_the_spans_of_long_lines_begin_inside(tmp_path, preprocess):
    (tmp_path / "long.txt").write_text("!" + "今" * 500 + "\n", encoding="utf-8")
    corpus = Corpus(tmp_path, preprocess)
    spans = [span for step in range(10) for span in corpus.spans(step, tokens=1000)]
    at_the_begin = np.mean([span[0] == IDS["!"] for span in spans])
    assert len(spans) > 100
    assert 0.4 < at_the_begin < 0.65


def test_no_span_goes_on_from_one_review_to_the_next(tmp_path, preprocess):
    lines = ["今天气很好", "我们" * 50, "好" * 150]
    (tmp_path / "reviews.txt").write_text("\n".join(lines * 30), encoding="utf-8")
    corpus = Corpus(tmp_path, preprocess)
    spans = [span.tolist() for step in range(20) for span in corpus.spans(step, tokens=2000)]
    whole = [ids(*line).tolist() for line in lines]
    assert {len(span) for span in spans} == {5, 100, 126}
    assert all(span in (*whole[:2], whole[2][:126]) for span in spans)


def test_lines_of_one_token_begin_no_span(tmp_path, preprocess):
    (tmp_path / "a.txt").write_text("今\n\n天气\n" * 20, encoding="utf-8")
    spans = Corpus(tmp_path, preprocess).spans(0, tokens=500)
    assert {span[0] for span in spans} == {IDS["天"]}


def test_blocks_are_held_out(tmp_path, preprocess):
    """64 lines of 6,400."""
    lines = ["今天气" if number // 64 == 50 else "我们" for number in range(3300)]
    (tmp_path / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    corpus = Corpus(tmp_path, preprocess)
    assert corpus.held_out.tolist() == 64 * ids("今", "天", "气").tolist()
    drawn = np.concatenate([span for step in range(50) for span in corpus.spans(step, 1000)])
    assert set(drawn.tolist()) == set(ids("我", "们"))
    assert corpus.frequencies[IDS["今"]] == 0
    assert corpus.frequencies[IDS["我"]] == pytest.approx(0.5)


def test_talk_is_seen_more_often(tmp_path, preprocess):
    for name, text in (("kdconv", "我们"), ("laws", "公园"), ("other", "今天")):
        (tmp_path / f"{name}.txt").write_text(f"{text}\n" * 100, encoding="utf-8")
    corpus = Corpus(tmp_path, preprocess)
    expected = {"我": 2 / 3.5, "公": 0.5 / 3.5, "今": 1 / 3.5}
    spans = [span for step in range(30) for span in corpus.spans(step, tokens=1000)]
    for token, share in expected.items():
        assert corpus.frequencies[IDS[token]] == pytest.approx(share / 2)
        assert np.mean([span[0] == IDS[token] for span in spans]) == pytest.approx(share, abs=0.1)
    assert corpus.frequencies.sum() == pytest.approx(1)


def test_large_files_are_seen_less_than_their_size_says(tmp_path, preprocess):
    (tmp_path / "large.txt").write_text("我们\n" * 1600, encoding="utf-8")
    (tmp_path / "small.txt").write_text("公园\n" * 100, encoding="utf-8")
    frequencies = Corpus(tmp_path, preprocess).frequencies
    assert frequencies[IDS["我"]] / frequencies[IDS["公"]] == pytest.approx(16**0.75)


def test_compressed_files_are_the_same(folder, preprocess, tmp_path_factory):
    packed = tmp_path_factory.mktemp("packed")
    for file in folder.iterdir():
        (packed / f"{file.name}.xz").write_bytes(lzma.compress(file.read_bytes()))
    one = Corpus(folder, preprocess).spans(1, 500)
    other = Corpus(packed, preprocess).spans(1, 500)
    assert [span.tolist() for span in one] == [span.tolist() for span in other]
    for file in folder.iterdir():
        (packed / file.name).write_bytes(file.read_bytes())
    both = Corpus(packed, preprocess).spans(1, 500)
    assert [span.tolist() for span in one] == [span.tolist() for span in both]


def test_an_empty_folder(tmp_path, preprocess):
    with pytest.raises(
        FileNotFoundError, match=r"contains no \.txt or \.txt\.xz files to train on"
    ):
        Corpus(tmp_path, preprocess)


@pytest.mark.parametrize("text", ["", "\n\n", "今\n天\n"])
def test_a_file_without_text(tmp_path, preprocess, text):
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.txt contains nothing to train on: no line has 2"):
        Corpus(tmp_path, preprocess)
