"""The checkpoint in the form of the package: a Hugging Face folder with float16 weights."""

import pathlib
import shutil
import tempfile

import keras
import numpy as np
from safetensors.numpy import load_file, save_file

from keras_bert_zh import BertPreprocess, Checkpoint, MaskedLM, save_checkpoint
from keras_bert_zh.checkpoints.writers.checkpoint_folder import CHECKPOINT
from keras_bert_zh.checkpoints.writers.model_card import CARD
from keras_bert_zh.files.new_folder import new_folder

WEIGHTS = "model.safetensors"


def write(student: MaskedLM, preprocess: BertPreprocess, folder: pathlib.Path) -> None:
    """Writes the checkpoint, and replaces an old one."""
    variables = student.named_variables()
    weights = {name: keras.ops.convert_to_numpy(value) for name, value in variables.items()}
    checkpoint = Checkpoint(
        student.encoder.config,
        tuple(preprocess.vocabulary),
        preprocess.lowercase,
        weights,
    )
    with (
        tempfile.TemporaryDirectory() as place,
        new_folder(folder, replaces=CHECKPOINT, overwrite=True) as new,
    ):
        whole = pathlib.Path(place) / "float32"
        save_checkpoint(checkpoint, whole)
        for file in whole.iterdir():
            if file.name not in (WEIGHTS, CARD):  # The package has a page of its own.
                shutil.copy(file, new)
        halves = {
            name: array.astype(np.float16) for name, array in load_file(whole / WEIGHTS).items()
        }
        save_file(halves, new / WEIGHTS, metadata={"format": "pt"})
