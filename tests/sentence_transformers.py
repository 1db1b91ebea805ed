"""Folders of sentence-transformers: one BERT, with what three of them say of pooling."""

import json
import pathlib
import shutil

import numpy as np

from tests.process import DATA

PLACE = DATA / "sentence_transformers"
# As versions 6 and 2 write them. The texts, and the vectors that version 6 makes of them.
KINDS = ("cls", "mean", "cls_old")
TEXTS = json.loads((PLACE / "golden_texts.json").read_text())["texts"]
TRUE = {kind: np.load(PLACE / f"golden_{kind.removesuffix('_old')}.npy") for kind in KINDS}


def copy_of(kind: str, folder: pathlib.Path) -> pathlib.Path:
    """Writes such a folder, and returns it."""
    shutil.copytree(DATA / "tiny_huggingface", folder)
    return shutil.copytree(PLACE / kind, folder, dirs_exist_ok=True)


def edit(path: pathlib.Path, **fields: object) -> None:
    """Sets fields of a JSON object, in a file that may not be there yet."""
    found = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(found | fields))
