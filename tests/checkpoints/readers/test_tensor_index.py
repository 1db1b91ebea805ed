"""Data files whose size is not what the index says: found by every door, whatever is read."""

import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_bert_zh import BertEncoder, BertPreprocess, load_checkpoint
from keras_bert_zh.checkpoints.readers.tensor_index import data_sizes
from tests.tensors import write_tensors

FORMATS = ("tiny_tf1_hub", "tiny_tf2_hub", "tiny_original")


def found_in(prefix):
    return {file.name: file.stat().st_size for file in prefix.parent.glob(f"{prefix.name}.data-*")}


@pytest.mark.parametrize("open_", [load_checkpoint, BertEncoder, BertPreprocess])
@pytest.mark.parametrize("missing", [2000, 1, -1])
@pytest.mark.parametrize("name", FORMATS)
def test_a_data_file_of_another_size(data, tmp_path, name, missing, open_):
    """Heads come last in the file: without them BertEncoder would not notice."""
    folder = shutil.copytree(data / name, tmp_path / name)
    (file,) = folder.rglob("*.data-*")
    size = file.stat().st_size
    os.truncate(file, size - missing)
    message = f"{re.escape(str(file))} has {size - missing:,} bytes, expected {size:,} from "
    with pytest.raises(ValueError, match=message):
        open_(folder)


@pytest.mark.parametrize("name", FORMATS)
def test_genuine_files(data, name):
    (index,) = (data / name).rglob("*.index")
    assert data_sizes(index) == found_in(index.with_suffix(""))


def test_several_data_files_slices_and_strings(tmp_path):
    parts, place = [str(tmp_path / "a"), str(tmp_path / "b")], tmp_path / "model"
    for number, prefix in enumerate(parts):
        tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=["sliced", f"words_{number}"],
            shape_and_slices=[f"4 3 {2 * number},2:-", ""],
            tensors=[tf.ones((2, 3)), tf.constant([b"text" * 50] * (number + 1))],
        )
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=str(place))
    sizes = data_sizes(tmp_path / "model.index")
    assert len(sizes) == 2
    assert sizes == found_in(place)


def test_an_index_of_several_blocks(tmp_path):
    write_tensors(tmp_path / "a", {f"{i:04d}" * 80: np.zeros(i % 3, "float32") for i in range(900)})
    assert (tmp_path / "a.index").stat().st_size > 2 * 2**17
    assert data_sizes(tmp_path / "a.index") == found_in(tmp_path / "a")


def test_damage(tmp_path, data):
    index = tmp_path / "variables.index"
    whole = (data / "tiny_tf1_hub" / "variables" / "variables.index").read_bytes()
    for content in (b"", whole[:-1], whole[:-60] + whole[-48:], bytes(40) + whole[-8:]):
        index.write_bytes(content)
        with pytest.raises(ValueError, match=r"variables\.index can't be read: it is damaged"):
            data_sizes(index)
