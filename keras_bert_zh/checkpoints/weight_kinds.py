"""The weight files of Hugging Face Transformers, the safest first."""

from collections.abc import Collection
from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of file.

    Attributes:
        file: str, the name of the file if all weights are in one file.
        shards: str, the pattern of the file names if there are several files; `None` if this
            kind is never split.
    """

    file: str
    shards: str | None = None

    @property
    def shard_index(self) -> str | None:
        """The name of the file that maps tensors to shards."""
        return f"{self.file}.index.json" if self.shards else None

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns of the names of all its files."""
        return tuple(filter(None, (self.file, self.shard_index, self.shards)))


SAFETENSORS = Kind("model.safetensors", "model-?????-of-?????.safetensors")
# All but the last hold numbers and nothing else. The last is a pickle, which other programs run
# when they open it.
KINDS = (
    SAFETENSORS,
    Kind("tf_model.h5"),
    Kind("flax_model.msgpack"),
    Kind("pytorch_model.bin", "pytorch_model-?????-of-?????.bin"),
)


def safest(files: Collection[str]) -> Kind | None:
    """Returns the safest kind among these file names, `None` if there is none."""
    return next((kind for kind in KINDS if {kind.file, kind.shard_index} & set(files)), None)
