"""Which files of a repository are downloaded."""

import pytest

from keras_bert_zh.checkpoints.sources.repository_files import wanted

PICKLES = ["pytorch_model.bin.index.json", *(f"pytorch_model-0000{n}-of-00002.bin" for n in "12")]
SHARDS = ["model-00001-of-00001.safetensors", "model.safetensors.index.json"]


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (["model.safetensors", *SHARDS, "tf_model.h5"], ["model.safetensors"]),
        ([*SHARDS, "pytorch_model.bin"], SHARDS),
        (["tf_model.h5", "flax_model.msgpack", "pytorch_model.bin"], ["tf_model.h5"]),
        (["flax_model.msgpack", "pytorch_model.bin"], ["flax_model.msgpack"]),
        (["pytorch_model.bin", *PICKLES], ["pytorch_model.bin"]),
        (PICKLES, sorted(PICKLES)),
        (["onnx/model.safetensors", "training_args.bin"], []),
        (["../config.json", "/config.json", "../1_Pooling/config.json", "a/vocab.txt"], []),
        (["vocab.txt", "1_Pooling/config.json"], ["1_Pooling/config.json", "vocab.txt"]),
        (["vocab.txt", "added_tokens.json"], ["added_tokens.json", "vocab.txt"]),
    ],
)
def test_which_files_are_wanted(names, taken):
    assert wanted(names) == taken
