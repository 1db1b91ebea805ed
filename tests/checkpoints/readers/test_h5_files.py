"""`tf_model.h5`: names and shapes as Transformers 4 wrote them, whatever the model was called."""

import h5py
import numpy as np
import pytest

from keras_bert_zh.checkpoints.readers.h5_files import open_tensors

NAMES = {
    "bert/tf_bert_model/bert/embeddings/word_embeddings/weight:0": (
        "bert.embeddings.word_embeddings.weight"
    ),
    "bert/my_model_1/bert/embeddings/position_embeddings/embeddings:0": (
        "bert.embeddings.position_embeddings.weight"
    ),
    "bert/x/bert/encoder/layer_._11/attention/self/query/kernel:0": (
        "bert.encoder.layer.11.attention.self.query.weight"
    ),
    "bert/x/bert/encoder/layer_._0/output/LayerNorm/gamma:0": (
        "bert.encoder.layer.0.output.LayerNorm.weight"
    ),
    "bert/x/bert/encoder/layer_._0/output/LayerNorm/beta:0": (
        "bert.encoder.layer.0.output.LayerNorm.bias"
    ),
    "mlm___cls/tf_bert_for_masked_lm/mlm___cls/predictions/transform/dense/kernel:0": (
        "cls.predictions.transform.dense.weight"
    ),
    "cls/tf_bert_for_masked_lm/cls/predictions/bias:0": "cls.predictions.bias",
    "nsp___cls/x/nsp___cls/seq_relationship/kernel:0": "cls.seq_relationship.weight",
    "classifier/tf_bert_for_sequence_classification/classifier/kernel:0": "classifier.weight",
    "qa_outputs/tf_bert_for_question_answering/qa_outputs/bias:0": "qa_outputs.bias",
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tf_model.h5"


def write(path, arrays, **options):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, **options)


@pytest.mark.parametrize(("theirs", "torchs"), NAMES.items())
def test_names(path, theirs, torchs):
    array = np.arange(6, dtype="float32").reshape(2, 3)
    write(path, {theirs: array})
    (found,) = open_tensors(path).items()
    assert found[0] == torchs
    np.testing.assert_array_equal(found[1].read(), array)  # Kernels are not transposed.


def test_embeddings_that_a_head_repeats(path):
    name = "tf_bert_for_masked_lm/bert/embeddings/word_embeddings/weight:0"
    write(path, {f"bert/{name}": np.ones((5, 2)), f"mlm___cls/{name}": np.ones((5, 2))})
    assert list(open_tensors(path)) == ["bert.embeddings.word_embeddings.weight"]
    write(path, {f"bert/{name}": np.ones((5, 2)), f"mlm___cls/{name}": np.ones((5, 3))})
    with pytest.raises(
        ValueError, match=f"{path} can't be read: its mlm___cls.* occurs twice, with different"
    ):
        open_tensors(path)


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64"])
def test_dtypes(path, dtype):
    write(path, {"bert/x/bert/a:0": np.array([1, 2], dtype)})
    tensor = open_tensors(path)["bert.a"]
    assert tensor.dtype == dtype
    np.testing.assert_array_equal(tensor.read(), [1, 2])


@pytest.mark.parametrize(
    "options", [{"compression": "gzip"}, {"chunks": (2,)}, {"external": [("other", 0, 800)]}]
)
def test_only_what_lies_in_the_file_as_it_is(path, monkeypatch, options):
    monkeypatch.chdir(path.parent)
    with h5py.File(path, "w") as file:
        file.create_dataset("bert/x/bert/a:0", shape=(100,), dtype="float64", **options)
    with pytest.raises(ValueError, match=f"{path} can't be read: its bert/x/bert/a:0 is compr"):
        open_tensors(path)


def test_big_endian_numbers(path):
    write(path, {"bert/x/bert/a:0": np.array([1, 2], ">f4")})
    with pytest.raises(ValueError, match="not little-endian"):
        open_tensors(path)


def test_links_are_not_followed(path, tmp_path):
    write(tmp_path / "other.h5", {"a": np.ones(3)})
    with h5py.File(path, "w") as file:
        file["bert/x/bert/a:0"] = np.ones(2)
        file["bert/x/bert/b:0"] = h5py.ExternalLink("other.h5", "a")
        file["bert/x/bert/c:0"] = h5py.SoftLink("/bert")
        file["bert/x/bert/d"] = file["bert"]  # A folder that holds itself.
    assert list(open_tensors(path)) == ["bert.a"]


def test_no_h5_at_all(path):
    path.write_bytes(b"<html>" * 100)
    with pytest.raises(ValueError, match=f"{path} can't be read: "):
        open_tensors(path)
