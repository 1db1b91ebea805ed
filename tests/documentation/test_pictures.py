"""The pictures of the pages of tasks are drawn from the tables of these pages."""

import importlib.util

import pytest
from matplotlib import image

from tests.pages import ROOT


@pytest.mark.slow
def test_they_are_drawn_from_the_pages(tmp_path):
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    scores, few_shot, pairs, long_texts, vectors = pictures.draw_all(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["few_shot.png", "long_texts.png", "pairs.png", "tasks.png", "vectors.png"]
    for name in names:
        drawn, kept = (image.imread(folder / name) for folder in (tmp_path, pictures.IMAGES))
        assert drawn.shape == kept.shape
    page = (ROOT / "docs" / "tasks" / "index.md").read_text(encoding="utf-8")
    shown = [text.get_text() for text in scores.axes[0].texts]
    assert len(shown) == 14
    assert all(text.rpartition(" ")[2] in page for text in shown)
    assert list(few_shot.axes[0].lines[0].get_ydata()) == [0.679, 0.779, 0.803]
    assert [len(figure.axes[0].patches) for figure in (pairs, long_texts)] == [4, 3]
    assert len(vectors.axes[0].texts) == 64
