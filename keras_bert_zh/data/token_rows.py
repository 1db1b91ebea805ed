"""From text files to rows of ids of one length, a block of lines at a time."""

import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from keras_bert_zh.data.words import tokenize_words
from keras_bert_zh.files.compressed import DecompressionError, opened
from keras_bert_zh.preprocess import BertPreprocess

_BLOCK_BYTES = 1 << 20


def sizes_of(files: Sequence[pathlib.Path]) -> list[int]:
    """Returns the size of each file in bytes.

    Raises:
        FileNotFoundError: naming all those that are missing.
    """
    missing = [os.fspath(file) for file in files if not file.is_file()]
    if missing:
        raise FileNotFoundError(f"{len(missing)} of {len(files)} files are missing: {missing}.")
    return [file.stat().st_size for file in files]


def token_rows(
    files: Sequence[pathlib.Path],
    preprocess: BertPreprocess,
    *,
    sequence_length: int,
    whole_words: bool,
    progress: Callable[[int], None],
) -> Iterator[np.ndarray]:
    """Yields the rows `[CLS] tokens [SEP]` of all files, cut from one stream of tokens.

    The tokens of all lines are joined, with a `[SEP]` at each line without tokens and at the end
    of a file. The last tokens, which do not fill a row, are dropped.

    Args:
        files: paths of text files in UTF-8, those that end in `.xz`, `.gz` or `.zst` compressed.
        preprocess: BertPreprocess.
        sequence_length: int, S.
        whole_words: bool, whether to look for words.
        progress: called after each block with the bytes of all files read so far.

    Yields:
        `<int32>[1, R, S]`, ids; or `[2, R, S]`, ids and, for whole words, 1 where a word begins.

    Raises:
        ValueError: if a compressed file is damaged, or a file is not UTF-8.
    """
    special = preprocess.special_ids
    rest = np.empty([1 + whole_words, 0], np.int32)
    for new in _stream(files, preprocess, whole_words, progress):
        tokens = np.concatenate([rest, new], axis=1)
        count = tokens.shape[1] // (sequence_length - 2)
        used = count * (sequence_length - 2)
        # [CLS] and [SEP] are words of their own.
        rows = np.ones([len(tokens), count, sequence_length], np.int32)
        rows[0, :, 0], rows[0, :, -1] = special["[CLS]"], special["[SEP]"]
        rows[:, :, 1:-1] = tokens[:, :used].reshape(len(tokens), count, sequence_length - 2)
        rest = tokens[:, used:]
        yield rows


def _stream(files, preprocess, whole_words, progress) -> Iterator[np.ndarray]:
    """Yields the tokens of all files with `[SEP]` between documents, `<int32>[1 or 2, tokens]`."""
    separator = [[preprocess.special_ids["[SEP]"]], [1]][: 1 + whole_words]
    begun = ended = False
    before = 0
    for file in files:
        for lines, read in _blocks(file):
            tokens, lengths = _tokenize(lines, preprocess, whole_words)
            blank = lengths == 0
            follows = ~blank & np.concatenate([[ended], blank[:-1]])
            if not begun:
                # There is nothing yet to set the first line apart from.
                follows[np.cumsum(~blank) <= 1] = False
            begun, ended = begun or not blank.all(), blank[-1]
            yield np.insert(tokens, (np.cumsum(lengths) - lengths)[follows], separator, axis=1)
            progress(before + read)
        before += file.stat().st_size
        ended = True


def _tokenize(lines, preprocess, whole_words) -> tuple[np.ndarray, np.ndarray]:
    """Returns `<int32>[1 or 2, tokens]`, and how many tokens each line has."""
    if whole_words:
        ids, starts = tokenize_words(lines, preprocess)
        values = [ids.values.numpy(), starts.values.numpy()]
    else:
        ids = preprocess.tokenize(lines)
        values = [ids.values.numpy()]
    return np.array(values, np.int32), ids.row_lengths().numpy()


def _blocks(file: pathlib.Path) -> Iterator[tuple[list[bytes], int]]:
    """Yields lines, a block at a time, and how many bytes of the file have been read."""
    before = 0
    try:
        with opened(file) as (content, stored):
            while lines := content.readlines(_BLOCK_BYTES):
                _check_utf8(file, lines, before)
                yield lines, stored.tell()
                before += len(lines)
    except DecompressionError as error:
        raise ValueError(f"{file} is damaged, or not a {file.suffix} file: {error}") from error


def _check_utf8(file: pathlib.Path, lines: list[bytes], before: int) -> None:
    """The tokeniser drops what is not UTF-8, and would make of another encoding what it can."""
    for number, line in enumerate(lines, before + 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{file} is not UTF-8: the first error is in line {number}, byte "
                f"{error.start + 1}. Convert the file with `iconv -f GB18030 -t UTF-8`, or remove "
                "broken characters with `iconv -f UTF-8 -t UTF-8 -c`. If the file is compressed, "
                "its name must end in .xz, .gz or .zst."
            ) from error
