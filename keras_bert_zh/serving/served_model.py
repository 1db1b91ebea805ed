"""An exported model in a server: turns texts into rows of ids, and batches into outputs."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_bert_zh.engines.load import load_engine, process_threads
from keras_bert_zh.export.description import MASKED_LM, VOCABULARY, read_description
from keras_bert_zh.serving.errors import RefusedError, too_long
from keras_bert_zh.text.plain_prompt import prompted
from keras_bert_zh.text.plain_rows import PlainPreprocess
from keras_bert_zh.vocabulary import read_vocabulary, special_ids

# Rows are padded to whole blocks, so that engines see few different shapes.
_BLOCK = 16

# The scores of all tokens for one mask take about as much memory as so many tokens.
_MASK = 64

# The ids of one row by their names in `Description.inputs`, and what tasks have beside them.
Row = dict[str, Any]


class ServedModel:
    """Runs an exported model without TensorFlow, unless TensorFlow is its engine.

    Args:
        folder: what `export_model` wrote.
        engine, threads: as for `ExportedModel`.

    Attributes:
        described: Description.
        preprocess: PlainPreprocess, or `None` for a model of ids.
        vocabulary: tuple of str, empty without a preprocess.
        special_ids: dict, the ids of the special tokens.
        most: int, the most tokens of a row.
        padding: int, as for `FairQueue`.

    Raises:
        ValueError: if the model takes neither texts nor ids, or has other outputs for ids than for
            texts.
        OSError, ImportError: as for `ExportedModel`.
    """

    def __init__(
        self, folder: str | os.PathLike, engine: str | None = None, threads: int | None = None
    ):
        place = pathlib.Path(folder)
        self.folder, self.described = place, read_description(place)
        described = self.described
        if described.takes == "tensors":
            raise ValueError(
                f"{folder} contains a model with inputs of its own, but the server takes texts: "
                "export a model that begins with BertPreprocess or BertEncoder."
            )
        if described.of_texts_alone:
            raise ValueError(
                f"{folder} contains a SentenceEncoder that leaves out the tokens of its prompt, "
                'which the server can\'t do: make it with prompt="" and export it again.'
            )
        # LiteRT computes padding; all others leave it out.
        self.padding = 1 if described.format == "litert" else 8
        threads = process_threads(described, threads)
        self._engine = load_engine(place, described, engine, threads)
        self.vocabulary: tuple[str, ...] = ()
        self.preprocess, self.special_ids = None, {"[PAD]": 0}
        self.most = described.length or described.positions or 0
        if described.preprocess is not None:
            self.vocabulary = read_vocabulary(place / VOCABULARY)
            self.special_ids = special_ids(self.vocabulary)
            self.most = described.preprocess["max_length"]
            self.preprocess = PlainPreprocess(
                self.vocabulary,
                lowercase=described.preprocess["lowercase"],
                max_length=self.most,
                special_tokens_in_text=described.preprocess["special_tokens_in_text"]
                or described.task == MASKED_LM,
            )

    def rows(self, param: str, text: str, pair: str | None = None, *, truncate: bool) -> list[Row]:
        """Returns the row of a text or of a pair, or the rows of its windows.

        Raises:
            RefusedError: if the model takes no such text, or it is too long and not to be cut.
        """
        takes, preprocess = self.described.takes, self.preprocess
        if preprocess is None or (pair is not None) != (takes == "pairs"):
            expected = {
                "texts": "single texts",
                "pairs": 'pairs, {"text_a": "...", "text_b": "..."}',
                "ids": 'ids, {"input_ids": [101, ..., 102]}',
            }
            raise RefusedError(
                422,
                f"{param} has the wrong form: the model takes {expected[takes]}.",
                param=param,
            )
        described = self.described
        if pair is None:
            text = prompted(text, described.prompt, lowercase=described.lower_first)
        if described.stride is not None:
            windows = preprocess.windows(text, described.stride, pair=pair)
            return [{"input_ids": x.input_ids, "segment_ids": x.segment_ids} for x in windows]
        row = preprocess.row(text, pair)
        if row.length > self.most and not truncate:
            raise too_long(param, row.length, self.most)
        return [{"input_ids": row.input_ids, "segment_ids": row.segment_ids}]

    def cost(self, row: Row) -> int:
        """Returns how many tokens a row counts as in a batch."""
        masks = len(row.get("mlm_positions", ()))
        return (self.described.length or len(row["input_ids"])) + _MASK * masks

    def compute(self, rows: Sequence[Row]) -> list[list[np.ndarray]]:
        """Returns the outputs of each row, in the order of `Description.names`."""
        longest = max(len(row["input_ids"]) for row in rows)
        length = self.described.length or min(
            -(-longest // _BLOCK) * _BLOCK, self.described.positions or longest
        )
        given = {}
        for name in self.described.inputs:
            if name in self.described.sizes:
                fill = self.special_ids["[PAD]"] if name == "input_ids" else 0
                values = np.full((len(rows), length), fill, np.int32)
            else:  # Positions in the row.
                most = max(1, *(len(row.get(name, ())) for row in rows))
                values = np.zeros((len(rows), most), np.int32)
            for place, row in enumerate(rows):
                if name in row:
                    values[place, : len(row[name])] = row[name]
                elif name == "input_mask":
                    values[place, : len(row["input_ids"])] = 1
            given[name] = values
        outputs = self._engine(given)
        return [[np.asarray(output)[place] for output in outputs] for place in range(len(rows))]
