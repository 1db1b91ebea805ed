"""The options of the vectors of a corpus."""

import dataclasses
import os
from typing import Any

from keras_bert_zh.corpus.names import COLUMNS
from keras_bert_zh.corpus.rows import Column


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of the vectors of a corpus. All of them are written into the plan.

    Args:
        checkpoint: str, as for `SentenceEncoder`, or a folder that `export_model` wrote.
        column: the column of the texts; an int for CSV without a header.
        keep: tuple of str, columns to write next to the vectors, as strings.
        pooling, normalize, prompt, max_length: as in SentenceEncoder.
        truncate: bool, whether longer texts are cut; if not, they are rejected.
        engine: str, the engine. `None`: `"tensorflow"`, or the first engine of an exported model.
        dtype: str, as in `export_model`.
        half: bool, whether vectors are written in float16.
        chunk_rows: int, the number of rows in one file.
        batch_tokens: int, the most tokens in a batch.

    Raises:
        ValueError: if `keep` names a column twice, or a column that is always written.
    """

    checkpoint: str = "small"
    column: Column = "text"
    keep: tuple[str, ...] = ()
    pooling: str | None = None
    normalize: bool | None = None
    prompt: str | None = None
    max_length: int | None = None
    truncate: bool = True
    engine: str | None = None
    dtype: str | None = None
    half: bool = False
    chunk_rows: int = 4096
    batch_tokens: int = 4096

    def __post_init__(self) -> None:
        if {*self.keep} & {*COLUMNS} or len({*self.keep}) < len(self.keep):
            raise ValueError(
                f"The columns to keep are {', '.join(self.keep)}: name each column once, and leave "
                f"out {', '.join(COLUMNS)}, which are always written."
            )

    def to_dict(self) -> dict[str, Any]:
        """Returns the options as JSON has them, a path of a checkpoint as a whole path."""
        source = self.checkpoint
        whole = os.path.realpath(source) if os.path.exists(source) else source
        return dataclasses.asdict(self) | {"keep": [*self.keep], "checkpoint": whole}
