"""A picture of which texts are close to which, by their vectors."""

import pathlib
from collections.abc import Sequence

from parts.picture import INK, points, style, wrap

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from keras_bert_zh.files.new_file import new_file

GROUPS, SHOWN = 8, 3  # Groups of texts, and how many of each are written beside the map.
FEWEST = 20  # Texts that t-SNE is for; less are laid out by PCA.


def draw(path: pathlib.Path, title: str, texts: Sequence[str], vectors: np.ndarray) -> Figure:
    """Writes a map of texts as a PNG, with the middle ones of eight groups beside it, 1560 x 960.

    Args:
        path: of the PNG.
        title: what is written above.
        texts: of str, three or more.
        vectors: `<float>[texts, D]`, of length 1.
    """
    places = lay_out(vectors)
    groups = KMeans(min(GROUPS, len(texts)), n_init=4, random_state=0).fit(vectors)
    colors = matplotlib.colormaps["tab10"].colors
    with matplotlib.rc_context(style()):
        figure = Figure(figsize=(13, 8), dpi=120)
        figure.suptitle(title, x=0.03, y=0.97, ha="left", fontsize=15)
        axes = figure.add_axes((0.03, 0.03, 0.56, 0.88))
        axes.set_axis_off()
        axes.set_aspect("equal", "datalim")
        axes.scatter(*places.T, s=14, c=[colors[group] for group in groups.labels_], lw=0)
        beside = figure.add_axes((0.61, 0.03, 0.37, 0.88))
        beside.set_axis_off()
        beside.set_xlim(0, 1)
        beside.set_ylim(0, 1)
        size = matplotlib.rcParams["font.size"]
        width = 0.95 * beside.get_window_extent().width * 72 / figure.dpi - size
        # From the top of the map to its bottom.
        middles = {
            group: np.median(places[groups.labels_ == group], axis=0)
            for group in np.unique(groups.labels_)  # Fewer where vectors are the same.
        }
        order = sorted(middles, key=lambda group: -middles[group][1])
        for line, group in enumerate(order):
            number, color = str(line + 1), colors[group]
            box = {"boxstyle": "circle,pad=0.25", "fc": "white", "ec": color, "lw": 1.5}
            axes.text(*middles[group], number, ha="center", va="center", color=INK, bbox=box)
            top = 1 - line / len(order)
            beside.text(0, top, number, va="top", color=INK, bbox=box)
            closest = np.argsort(-(vectors @ groups.cluster_centers_[group]))[:SHOWN]
            for place, row in enumerate(closest):
                (text,) = wrap(texts[row], width, 1, points(size))
                beside.text(0.05, top - 0.028 * place, text, va="top")
        with new_file(path) as new:
            figure.savefig(new)
    return figure


def lay_out(vectors: np.ndarray) -> np.ndarray:
    """Returns a place for each vector, `<float>[texts, 2]`, near to those of close ones."""
    if len(vectors) < FEWEST:
        return PCA(2, random_state=0).fit_transform(vectors)
    perplexity = min(30, (len(vectors) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, metric="cosine", max_iter=500, random_state=0)
    return tsne.fit_transform(vectors)
