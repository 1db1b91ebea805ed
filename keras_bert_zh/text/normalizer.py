"""Replaces code points inside the graph, by this package's table.

`tf_text.FastBertNormalizer` maps text through a trie in its `model_buffer`. Its default model
applies NFKC case folding, which turns `，！？：；（）` into ASCII. BERT was not trained with that,
so this module writes a model for any table.

Reference: `fast_bert_normalizer_model.fbs` in tensorflow/text; the trie is a double array as in
darts-clone (https://github.com/s-yata/darts-clone).
"""

from collections.abc import Mapping

import flatbuffers
import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

_IS_REPLACED = 1 << 30
_IS_VALUE = 1 << 31
_HAS_VALUE = 1 << 8
_MAX_REPLACEMENT_BYTES = 63
_ROOT = 256
_CONTINUATIONS = 64


def build_normalizer(replacements: Mapping[int, str]) -> tf_text.FastBertNormalizer:
    """Returns a normaliser that replaces each code point of the table and keeps all others."""
    pool = bytearray()
    offsets: dict[bytes, int] = {}
    values: dict[bytes, int] = {}
    for code_point, text in replacements.items():
        encoded = text.encode()
        if len(encoded) > _MAX_REPLACEMENT_BYTES:
            raise ValueError(f"The replacement of U+{code_point:04X} is too long: {text!r}.")
        if encoded not in offsets:
            offsets[encoded] = len(pool)
            pool += encoded
        values[chr(code_point).encode()] = _IS_REPLACED | offsets[encoded] << 6 | len(encoded)
    zero = values.pop(b"\0", 0)
    return tf_text.FastBertNormalizer(model_buffer=_write_model(_trie(values), zero, bytes(pool)))


def _trie(values: Mapping[bytes, int]) -> np.ndarray:
    """Returns the units of a double array that maps UTF-8 bytes to values.

    The children of a node are at `base ^ byte`. All children except the root's are continuation
    bytes 0x80-0xBF, so a node takes 64 units. The offset of a unit is relative to its own index.
    """
    units = [0] * (2 * _ROOT)
    units[0] = _ROOT << 10
    bases = {b"": _ROOT}
    slots: dict[int, int] = {}

    def place(key: bytes) -> int:
        prefix = key[:-1]
        if prefix not in bases:
            parent = place(prefix)
            base = len(units) ^ 0x80
            units.extend([0] * _CONTINUATIONS)
            units[parent] = prefix[-1] | (parent ^ base) << 10
            bases[prefix] = base
        return bases[prefix] ^ key[-1]

    leaves = [(place(key), key[-1], value) for key, value in values.items()]
    for position, byte, value in leaves:
        if value not in slots:
            slots[value] = len(units)
            units.append(value | _IS_VALUE)
        units[position] = byte | _HAS_VALUE | (position ^ slots[value]) << 10
    return np.array(units, np.uint32)


def _write_model(trie: np.ndarray, zero: int, pool: bytes) -> tf.Tensor:
    builder = flatbuffers.Builder(4 * len(trie) + len(pool) + 64)
    pool_offset = builder.CreateByteVector(pool or b" ")
    trie_offset = builder.CreateNumpyVector(trie)
    builder.StartObject(4)
    # Slot 0 asks for the stock lower-casing, which the trie has already done.
    builder.PrependUOffsetTRelativeSlot(1, trie_offset, 0)
    builder.PrependInt32Slot(2, zero, 0)
    builder.PrependUOffsetTRelativeSlot(3, pool_offset, 0)
    builder.Finish(builder.EndObject())
    return tf.constant(np.frombuffer(builder.Output(), np.uint8))
