"""Random spans of tokens from text files; each depends only on the step."""

import lzma
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_bert_zh import BertPreprocess

# Lines are held out in blocks, so that hardly a neighbour of a held-out line is trained on.
LINES_A_BLOCK, HELD_OUT_BLOCK, BLOCKS = 64, 50, 100
# From how many tokens to how many a span has: of each range half of them, so that there are many
# short ones, of which each has a sentence vector. A line that one begins with has at least two.
LENGTHS, FEWEST = ((8, 48), (12, 126)), 2

# Texts of which each line stands for itself, so that no span goes on into the next one.
WHOLE_LINES = ("reviews",)

# How much of each kind of text is seen: in proportion to its size to the power of 0.75, and more
# of reviews, talk and news, which users write, less of statutes and manuals, which repeat
# themselves.
FAVOURED = {
    "reviews": 16,
    "crosswoz": 2,
    "kdconv": 2,
    "inews": 1.5,
    "laws": 0.5,
    "deb_man": 0.5,
    "deb_lohelp": 0.5,
    "pydocs_zh": 0.5,
    "tidb_docs_cn": 0.5,
}


class Text(NamedTuple):
    """The tokens of a file, and where its lines begin and end."""

    ids: np.ndarray  # <uint16>[tokens]
    bounds: np.ndarray  # <int64>[lines + 1]
    whole_lines: bool


class Corpus:
    """The files of a folder, tokenised.

    Args:
        folder: a folder of `.txt` or `.txt.xz` files, one paragraph per line. If two files only
            differ in `.xz`, one of them is read.
        preprocess: BertPreprocess.
        seed: int.

    Attributes:
        held_out: `<uint16>[tokens]`, the tokens of lines that are not used for training.
        frequencies: `<float>[V]`, the frequency of each token; the sum is 1.

    Raises:
        FileNotFoundError: if the folder has no such files.
        ValueError: if a file has no line that is long enough.
    """

    def __init__(self, folder: pathlib.Path, preprocess: BertPreprocess, seed: int = 0):
        found = [*folder.glob("*.txt.xz"), *folder.glob("*.txt")]
        if not found:
            raise FileNotFoundError(f"{folder} contains no .txt or .txt.xz files to train on.")
        files = dict(sorted((file.name.partition(".txt")[0], file) for file in found))
        read = [_read(file, preprocess, name in WHOLE_LINES) for name, file in files.items()]
        self.held_out = np.concatenate([held_out for _, held_out in read])
        self._texts = [text for text, _ in read]
        shares = np.array([len(text.ids) ** 0.75 for text in self._texts])
        shares *= [FAVOURED.get(name, 1) for name in files]
        self._shares = shares / shares.sum()
        self._seed = seed
        size = len(preprocess.vocabulary)
        self.frequencies = sum(
            share * np.bincount(text.ids, minlength=size) / len(text.ids)
            for share, text in zip(self._shares, self._texts, strict=True)
        )

    def spans(self, step: int, tokens: int) -> list[np.ndarray]:
        """Returns spans of text with about this number of tokens in total.

        Each is `<int32>[8 to 126]`, or shorter at the end of a file or of a separate line.
        """
        random = np.random.default_rng([self._seed, step])
        spans, total = [], 0
        while total < tokens:
            spans.append(self._span(random))
            total += len(spans[-1]) + 2
        return spans

    def _span(self, random: np.random.Generator) -> np.ndarray:
        """Begins at the start of a line or, half of the time, inside a long line."""
        ids, bounds, whole_lines = self._texts[random.choice(len(self._texts), p=self._shares)]
        lines = len(bounds) - 1
        length = random.integers(*LENGTHS[random.integers(2)], endpoint=True)
        line = random.integers(lines)
        while bounds[line + 1] - bounds[line] < FEWEST:
            line = (line + 1) % lines
        begin, size = bounds[line], bounds[line + 1] - bounds[line]
        if size > 200 and random.random() < 0.5:
            begin += random.integers(0, size - 100)
        end = min(begin + LENGTHS[-1][-1], bounds[line + 1]) if whole_lines else begin + length
        return ids[begin:end].astype(np.int32)


def _read(
    file: pathlib.Path, preprocess: BertPreprocess, whole_lines: bool
) -> tuple[Text, np.ndarray]:
    """Returns the text to train on, and the held-out tokens."""
    ids, sizes, held_out = [], [], []
    for number, block in enumerate(_blocks(file)):
        tokens = preprocess.tokenize(tf.constant(block))
        values = tokens.values.numpy().astype(np.uint16)
        if number % BLOCKS == HELD_OUT_BLOCK:
            held_out.append(values)
        else:
            ids.append(values)
            sizes.append(tokens.row_lengths().numpy())
    bounds = np.cumsum(np.concatenate([[0], *sizes]))
    if np.diff(bounds).max(initial=0) < FEWEST:
        raise ValueError(f"{file} contains nothing to train on: no line has {FEWEST} tokens.")
    text = Text(np.concatenate(ids), bounds, whole_lines)
    return text, np.concatenate([np.zeros(0, np.uint16), *held_out])


def _blocks(file: pathlib.Path) -> Iterator[list[str]]:
    open_file = lzma.open if file.suffix == ".xz" else open
    with open_file(file, "rt", encoding="utf-8") as lines:
        block = []
        for line in lines:
            block.append(line.rstrip("\n"))
            if len(block) == LINES_A_BLOCK:
                yield block
                block = []
        if block:
            yield block
