"""The checkpoint as the package holds it: a Hugging Face folder, its weights float16."""

import os
import pathlib
import shutil

import keras
import numpy as np
from safetensors.numpy import load_file, save_file

from keras_bert_zh import BertPreprocess, Checkpoint, MaskedLM, save_checkpoint

DROPOUT = 0.1  # What fine-tuning starts with; pre-training had none.


def write(student: MaskedLM, preprocess: BertPreprocess, folder: pathlib.Path) -> None:
    """Writes the checkpoint, replacing one that is there."""
    variables = student.named_variables()
    weights = {name: keras.ops.convert_to_numpy(value) for name, value in variables.items()}
    checkpoint = Checkpoint(
        student.encoder.config.with_dropout(DROPOUT),
        tuple(preprocess.vocabulary),
        preprocess.lowercase,
        weights,
    )
    save_checkpoint(checkpoint, folder, overwrite=True)
    file = folder / "model.safetensors"
    halves = {name: array.astype(np.float16) for name, array in load_file(file).items()}
    unfinished = file.with_name(f"unfinished-{file.name}")
    save_file(halves, unfinished, metadata={"format": "pt"})
    shutil.copymode(file, unfinished)
    os.replace(unfinished, file)
