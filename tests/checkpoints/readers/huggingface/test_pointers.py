"""Files that Git LFS left in the place of the real ones."""

import pytest

from keras_bert_zh import load_checkpoint
from tests.process import DATA


@pytest.mark.parametrize(
    "name", ["model.safetensors", "tf_model.h5", "flax_model.msgpack", "pytorch_model.bin"]
)
def test_a_pointer_is_called_one(tmp_path, name):
    (tmp_path / "config.json").write_bytes((DATA / "tiny_huggingface/config.json").read_bytes())
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ValueError, match=rf"{name} is a Git LFS pointer .* `git lfs pull`"):
        load_checkpoint(tmp_path)
