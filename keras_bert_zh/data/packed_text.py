"""PackedText: large text files, tokenised once and read row by row."""

import hashlib
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_bert_zh.arguments import check_choice, check_flag, check_int, check_path_to_write
from keras_bert_zh.data.row_files import Metadata, open_rows, read_metadata, write_rows
from keras_bert_zh.data.shuffle import shuffled
from keras_bert_zh.data.token_rows import sizes_of, token_rows
from keras_bert_zh.files.new_folder import new_folder
from keras_bert_zh.preprocess import BertPreprocess

if TYPE_CHECKING:
    import tensorflow as tf

PARTS = ("train", "held_out")

# Row 99 is held out, row 199, and so on.
_HELD_OUT_EVERY = 100


class PackedText:
    """Rows of tokens from text files of any size, for pre-training without padding.

    `PackedText.write` tokenises text files into a folder, once. `PackedText(folder, preprocess)`
    opens the folder. Rows are read from the disk as they are needed, so memory does not grow with
    the text.

    Args:
        folder: the folder that `write` made.
        preprocess: BertPreprocess with the vocabulary that the folder was written with.

    Attributes:
        sequence_length: int, S.
        whole_words: bool, whether the rows say where words begin.
        files: the names and sizes in bytes of the text files, a list of pairs.

    Raises:
        FileNotFoundError: if the folder does not contain packed text.
        ValueError: if a file in it is damaged, or the vocabulary is different.
        TypeError: if `preprocess` is not a BertPreprocess.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_bert_zh import BertPreprocess, MaskTokens, PackedText
    >>> preprocess = BertPreprocess(None)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     text = pathlib.Path(place, "text.txt")
    ...     _ = text.write_text("今天天气很好\\n我们去公园吧\\n" * 100, encoding="utf-8")
    ...     packed = PackedText.write([text], f"{place}/packed", preprocess, sequence_length=10)
    ...     print(packed.rows("train"), packed.rows("held_out"))
    ...     batches = packed.batches(32).map(MaskTokens(preprocess, max_predictions=2))
    ...     inputs, labels, weights = next(iter(batches))
    149 1
    >>> inputs["input_ids"].shape, labels.shape
    (TensorShape([32, 10]), TensorShape([32, 2]))

    Reference:
        `create_pretraining_data.py` in google-research/bert, which writes masked copies.
    """

    def __init__(self, folder: str | os.PathLike, preprocess: BertPreprocess):
        self._folder = pathlib.Path(folder)
        self._metadata = read_metadata(self._folder)
        if self._metadata.vocabulary != _digest(preprocess):
            raise ValueError(
                f"{folder} was written with another vocabulary than that of preprocess. Pass the "
                "BertPreprocess it was written with, or write it again to another folder."
            )
        self._arrays = open_rows(self._folder, self._metadata)
        self.sequence_length = self._metadata.sequence_length
        self.whole_words = self._metadata.whole_words
        self.files = [tuple(file) for file in self._metadata.files]

    @classmethod
    def write(
        cls,
        files: str | os.PathLike | Sequence[str | os.PathLike],
        folder: str | os.PathLike,
        preprocess: BertPreprocess,
        *,
        sequence_length: int = 128,
        whole_words: bool = False,
        progress: Callable[[int, int], Any] | None = None,
    ) -> "PackedText":
        """Tokenises text files into a folder of rows, each `[CLS] tokens [SEP]` and full.

        The tokens of all lines are joined into one stream. A blank line ends a document, and so
        does the end of a file: there is a `[SEP]` between two documents. The stream is cut into
        full rows; the last tokens, too few for a row, are dropped. The folder is written
        completely or not at all. It takes 2 bytes per token, 3 with words. Memory depends on the
        size of a block of lines, and on the longest line.

        Args:
            files: paths of text files in UTF-8, plain, or compressed and ending in
                `.xz`, `.gz` or `.zst`.
            folder: the path to write to, which must not exist yet or be empty.
            preprocess: BertPreprocess, which tokenises.
            sequence_length: int, S, at least 3.
            whole_words: bool, whether to find the words of Chinese text, so that `MaskTokens` can
                mask whole words. Needs the extra `words`.
            progress: called after each block of lines with the number of bytes of the stored files
                that have been read, and with the number of all bytes.

        Returns:
            The PackedText.

        Raises:
            FileNotFoundError: if a text file is missing.
            FileExistsError: if the folder is not empty.
            ValueError: if the files hold too few tokens for a row, one is not UTF-8, or a
                compressed one is damaged.
            ModuleNotFoundError: if `whole_words` is set and rjieba is not installed.
        """
        given = [files] if isinstance(files, (str, os.PathLike)) else files
        paths = [pathlib.Path(file) for file in given]
        sizes = sizes_of(paths)
        folder = check_path_to_write("folder", folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FileExistsError(
                f"{folder} is a file, or a folder that is not empty. Open packed text that is "
                "there with PackedText(folder, preprocess), or choose another folder."
            )
        metadata = Metadata(
            vocabulary=_digest(preprocess),
            rows=0,
            sequence_length=check_int("sequence_length", sequence_length, 3),
            dtype="<u2" if len(preprocess.vocabulary) <= 1 << 16 else "<i4",
            whole_words=check_flag("whole_words", whole_words),
            files=[(file.name, size) for file, size in zip(paths, sizes, strict=True)],
        )
        blocks = token_rows(
            paths,
            preprocess,
            sequence_length=metadata.sequence_length,
            whole_words=metadata.whole_words,
            progress=lambda read: progress and progress(read, sum(sizes)),
        )
        with new_folder(folder) as new:
            write_rows(new, metadata, blocks)
        return cls(folder, preprocess)

    def rows(self, part: str = "train") -> int:
        """Returns the number of rows of a part.

        Args:
            part: `"train"`, or `"held_out"`, which is every hundredth row.

        Raises:
            ValueError: if `part` is neither.
        """
        part = check_choice("part", part, PARTS)
        held_out = self._metadata.rows // _HELD_OUT_EVERY
        return held_out if part == "held_out" else self._metadata.rows - held_out

    def batches(
        self,
        batch_size: int,
        *,
        part: str = "train",
        seed: int = 0,
        start: int = 0,
        count: int | None = None,
    ) -> "tf.data.Dataset":
        """Returns batches with their numbers, for `MaskTokens`.

        Training rows are shuffled without end: each epoch has every row once, in a new order. A
        batch may contain the end of one epoch and the beginning of the next. The rows of a batch
        depend only on its number, `batch_size` and `seed`, so a run that stopped after N batches
        continues with `start=N`. Held-out rows are returned once, in their order.

        Args:
            batch_size: int, B.
            part: `"train"` or `"held_out"`.
            seed: int, the seed of the order of training rows.
            start: int, the number of the first batch.
            count: int, the number of batches. `None`: all held-out rows, or training rows without
                end.

        Returns:
            `tf.data.Dataset` of `(inputs, step)`: dict of `input_ids`, `input_mask` (ones),
            `segment_ids` (zeros) and, with `whole_words`, `word_starts`, each `<int32>[B, S]`; and
            the number of the batch, `<int64>[]`. The last held-out batch may be smaller.

        Raises:
            ValueError: if an argument is not as described, or no row is held out because there are
                fewer than 100.
        """
        import tensorflow as tf

        batch_size, seed = check_int("batch_size", batch_size, 1), check_int("seed", seed)
        start = check_int("start", start, 0)
        count = None if count is None else check_int("count", count, 0)
        rows = self.rows(part)
        if not rows:
            raise ValueError(
                f"{self._folder} has no held-out row: it has {self._metadata.rows} rows, and one "
                f"in {_HELD_OUT_EVERY} is held out. Pack more text, or use shorter rows."
            )

        def read(step: np.ndarray) -> list[np.ndarray]:
            positions = step * batch_size + np.arange(batch_size)
            if part == "train":
                numbers = shuffled(positions, rows, seed)
                numbers += numbers // (_HELD_OUT_EVERY - 1)
            else:
                numbers = (positions[positions < rows] + 1) * _HELD_OUT_EVERY - 1
            return [array[numbers].astype(np.int32) for array in self._arrays]

        def to_inputs(step: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
            arrays = tf.numpy_function(read, [step], [tf.int32] * len(self._arrays), stateful=False)
            size = batch_size if part == "train" or rows % batch_size == 0 else None
            ids, *words = (tf.ensure_shape(array, [size, self.sequence_length]) for array in arrays)
            inputs = {
                "input_ids": ids,
                "input_mask": tf.ones_like(ids),
                "segment_ids": tf.zeros_like(ids),
            }
            return (inputs | {"word_starts": words[0]} if words else inputs), step

        steps = tf.data.Dataset.counter(start)
        if part == "held_out":
            steps = steps.take(max(-(-rows // batch_size) - start, 0))
        return (steps if count is None else steps.take(count)).map(to_inputs)


def _digest(preprocess: BertPreprocess) -> str:
    if not isinstance(preprocess, BertPreprocess):
        raise TypeError(f"preprocess must be a BertPreprocess, got {preprocess!r}.")
    return hashlib.sha256("\n".join(preprocess.vocabulary).encode()).hexdigest()
