"""`flax_model.msgpack`: arrays as Flax packs them, in one piece and in several."""

import ml_dtypes
import msgpack
import numpy as np
import pytest

from keras_bert_zh.checkpoints.readers.msgpack_files import open_tensors

NUMBERS = np.arange(12, dtype="float32")


def packed(array, name=None):
    """An array as `flax.serialization` packs it."""
    fields = (array.shape, name or array.dtype.name, array.tobytes())
    return msgpack.ExtType(1, msgpack.packb(fields, use_bin_type=True))


def chunked(array, size):
    """One of a gigabyte or more, in chunks of `size` numbers."""
    chunks = [array.reshape(-1)[i : i + size] for i in range(0, array.size, size)]
    return {
        "__msgpack_chunked_array__": True,
        "shape": {str(i): axis for i, axis in enumerate(array.shape)},
        "chunks": {str(i): packed(chunk) for i, chunk in enumerate(chunks)},
    }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "flax_model.msgpack"


@pytest.fixture
def opened(path):
    """A function that writes a tree, and opens the file."""

    def opened(tree):
        path.write_bytes(tree if isinstance(tree, bytes) else msgpack.packb(tree))
        return open_tensors(path)

    return opened


def test_names(opened):
    found = opened(
        {
            "bert": {
                "embeddings": {
                    "LayerNorm": {"scale": packed(NUMBERS[:3]), "bias": packed(NUMBERS[:4])},
                    "word_embeddings": {"embedding": packed(NUMBERS[:5])},
                },
                "encoder": {"layer": {"11": {"output": {"dense": {"kernel": packed(NUMBERS)}}}}},
            },
            "classifier": {"kernel": packed(NUMBERS[:6].reshape(2, 3))},
        }
    )
    assert {name: tensor.shape for name, tensor in found.items()} == {
        "bert.embeddings.LayerNorm.weight": (3,),
        "bert.embeddings.LayerNorm.bias": (4,),
        "bert.embeddings.word_embeddings.weight": (5,),
        "bert.encoder.layer.11.output.dense.weight": (12,),
        "classifier.weight": (2, 3),  # Kernels are not transposed.
    }
    np.testing.assert_array_equal(found["bert.embeddings.LayerNorm.bias"].read(), NUMBERS[:4])


@pytest.mark.parametrize("size", [1, 5, 12])
def test_chunks(opened, size):
    tensor = opened({"a": {"kernel": chunked(NUMBERS.reshape(3, 4), size)}})["a.weight"]
    assert tensor.shape == (3, 4)
    np.testing.assert_array_equal(tensor.read(), NUMBERS.reshape(3, 4))


def test_more_than_ten_chunks_are_in_order(opened):
    numbers = np.arange(23, dtype="float32")
    tree = chunked(numbers, 2)
    tree["chunks"] = dict(sorted(tree["chunks"].items()))  # "10" before "2".
    np.testing.assert_array_equal(opened({"a": tree})["a"].read(), numbers)


@pytest.mark.parametrize("length", [0, 1, 30, 200, 70_000])
@pytest.mark.parametrize("dtype", ["float64", "float16", ml_dtypes.bfloat16])
def test_headers_of_any_length(opened, length, dtype):
    numbers = (np.arange(length) % 100).astype(dtype)
    tensor = opened({"a": packed(numbers)})["a"]
    assert tensor.dtype == np.dtype(dtype).name
    np.testing.assert_array_equal(tensor.read(), numbers)


def test_bfloat16_as_numpy_called_it(opened):
    numbers = np.array([1.5, -3], ml_dtypes.bfloat16)
    tensor = opened({"a": packed(numbers, "V2")})["a"]
    assert tensor.dtype == "bfloat16"
    np.testing.assert_array_equal(tensor.read(), numbers)


def nested(depth):
    return b"\x81\xa1a" * depth + b"\xc0"


BYTES = NUMBERS.tobytes()
WHOLE = msgpack.packb({"a": packed(NUMBERS), "b": packed(NUMBERS)})


def array(*fields):
    return {"a": msgpack.ExtType(1, msgpack.packb(fields))}


@pytest.mark.parametrize(
    "tree",
    {
        "empty": b"",
        "cut off": WHOLE[:-1],
        "cut off before the last": WHOLE[: len(WHOLE) // 2],
        "more behind": WHOLE + b"\x00",
        "no map": [1, 2],
        "an array on its own": packed(NUMBERS),
        "a number": {"step": 3},
        "nothing": {"a": None},
        "text": {"a": "b" * 100},
        "another extension": {"a": msgpack.ExtType(3, b"123")},
        "a name that is a number": {1: packed(NUMBERS)},
        "a name twice": b"\x82" + 2 * (b"\xa1a" + msgpack.packb(packed(NUMBERS))),
        "a name that is not UTF-8": b"\x81\xa1\xff" + msgpack.packb(packed(NUMBERS)),
        "a name that is a map": b"\x81\x80" + msgpack.packb(packed(NUMBERS)),
        "maps in maps": nested(100_000),
        "a map that says it is long": b"\xdf\xff\xff\xff\xff\xa1a\xc0",
        "an extension that says it is long": b"\x81\xa1a\xc9\xff\xff\xff\xff\x01\x93",
        "bytes that say they are long": b"\x81\xa1a\xc6\xff\xff\xff\xff",
        "fewer numbers": array([13], "float32", BYTES),
        "more numbers": array([11], "float32", BYTES),
        "a negative axis": array([-3, -4], "float32", BYTES),
        "an axis that is none": array([12.0], "float32", BYTES),
        "a shape that is none": array(12, "float32", BYTES),
        "a dtype that is none": array([12], "floaty", BYTES),
        "a dtype of objects": array([6], "object", BYTES),
        "a dtype that is a number": array([12], 4, BYTES),
        "numbers that are text": array([12], "float32", "0" * 48),
        "two fields": array([12], "float32"),
        "four fields": array([12], "float32", BYTES, 1),
        "chunks without a shape": {"a": {"__msgpack_chunked_array__": True, "chunks": {}}},
        "no chunks": {"a": chunked(NUMBERS, 5) | {"chunks": {}}},
        "chunks of another shape": {"a": chunked(NUMBERS, 5) | {"shape": {"0": 13}}},
        "chunks of two dtypes": {
            "a": chunked(NUMBERS, 6)
            | {"chunks": {"0": packed(NUMBERS[:6]), "1": packed(np.arange(6))}}
        },
        "chunks that are missing": {"a": chunked(NUMBERS, 5) | {"chunks": {"1": packed(NUMBERS)}}},
        "an odd mark": {"a": {"__msgpack_chunked_array__": {"b": packed(NUMBERS)}}},
    }.items(),
    ids=lambda item: item[0],
)
def test_what_flax_does_not_write(opened, path, tree):
    with pytest.raises(ValueError, match=f"{path} can't be read: ") as caught:
        opened(tree[1])
    assert not str(caught.value).endswith(": ")


def test_numbers_that_are_not_finite(opened, path):
    tensor = opened({"a": packed(np.array([1, np.inf]))})["a"]
    with pytest.raises(ValueError, match=f"{path}: a has NaN or infinite values"):
        tensor.read()
