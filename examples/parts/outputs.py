"""The output folder of a script: what is in it, and what may be written there.

model.keras         a model that takes strings
state.safetensors   of a run under way: all that it needs to go on
options.json        what the run depends on
"""

import argparse
import json
import pathlib
import sys
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from keras_bert_zh.files.new_file import new_file

MODEL, STATE, OPTIONS = "model.keras", "state.safetensors", "options.json"


def check(options: argparse.Namespace, files: Iterable[str]) -> None:
    """Ends a run, before it trains, that would write among files of something else."""
    options.output.mkdir(parents=True, exist_ok=True)
    known = {MODEL, STATE, OPTIONS, *files}
    for entry in sorted(options.output.iterdir()):
        if entry.name not in known and not entry.name.startswith("."):
            sys.exit(
                f"{options.output} contains {entry.name}, which this script did not write: choose "
                "another --output."
            )
    model = options.output / MODEL
    if model.exists() and _name_of(model) != options.task:
        sys.exit(f"{model} is not a model of {options.task}.py: choose another --output.")


def remember(options: argparse.Namespace) -> None:
    """Writes what the run depends on, or with `--resume` compares: it must go on as it began."""
    free = ("output", "resume", "predict", "started")
    new = {name: str(value) for name, value in vars(options).items() if name not in free}
    file, state = options.output / OPTIONS, options.output / STATE
    if not options.resume:
        state.unlink(missing_ok=True)
    elif not (file.exists() and state.exists()):
        sys.exit(f"{options.output} contains no run to resume: leave out --resume.")
    else:
        old = json.loads(file.read_text(encoding="utf-8"))
        changed = [f"{name} was {old.get(name)}" for name in new if new[name] != old.get(name)]
        if changed:
            sys.exit(
                f"The run in {options.output} was started with other options: "
                f"{', '.join(changed)}. Use the same options, or leave out --resume."
            )
    with new_file(file) as unfinished:
        unfinished.write_text(json.dumps(new, indent=2, ensure_ascii=False), encoding="utf-8")


def remembered(options: argparse.Namespace, name: str) -> str:
    """Returns an option of the run in `--output`, as `remember` wrote it."""
    file = options.output / OPTIONS
    if not file.exists():
        sys.exit(
            f"{file} is missing, which has the options of the run: train the model again, or pass "
            "another folder as --output."
        )
    return json.loads(file.read_text(encoding="utf-8"))[name]


def _config_of(path: pathlib.Path) -> dict[str, Any]:
    """Returns the config of a model that Keras has saved; {} of another file."""
    if not zipfile.is_zipfile(path):
        return {}
    with zipfile.ZipFile(path) as archive:
        if "config.json" not in archive.namelist():
            return {}
        return json.loads(archive.read("config.json")).get("config", {})


def _name_of(path: pathlib.Path) -> str | None:
    return _config_of(path).get("name")


def save(model: keras.Model, options: argparse.Namespace) -> pathlib.Path:
    """Writes the model, and removes the state of the run, which is over."""
    path = options.output / MODEL
    with new_file(path) as new:
        model.save(new)
    (options.output / STATE).unlink(missing_ok=True)
    return path


def saved_model(options: argparse.Namespace) -> keras.Model:
    """Returns the model that a run has saved in `--output`."""
    path = options.output / MODEL
    if not path.exists():
        sys.exit(f"There is no {path}: train a model first, or pass its folder as --output.")
    if _name_of(path) != options.task:
        sys.exit(f"{path} is not a model of {options.task}.py: choose another --output.")
    return keras.saving.load_model(path)


def check_labels(
    options: argparse.Namespace, labels: Sequence[str], saved: Sequence[str] | None = None
) -> None:
    """Ends a run whose labels are others than those of the model that it would replace.

    Args:
        options: what `task.parse` returned.
        labels: those of the run.
        saved: those of the model, if they are not in its file.
    """
    path = options.output / MODEL
    if saved is None and path.exists():
        saved = _config_of(path).get("labels")
    if saved is not None and list(saved) != list(labels):
        sys.exit(
            f"{path} has the labels {saved}, but {options.train or 'the data'} has "
            f"{list(labels)}: choose another --output."
        )
