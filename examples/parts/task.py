"""What the scripts share that fine-tune for a task. In `main`:

    options = task.parse(task.parser(__doc__, TASK), arguments)   the options that all have
    task.run(options, train, predict)

In `train`, one after the other:

    checkpoint = task.begin(options)    checks the output folder, seeds, fills in the recipe
    model = ...                         a model of the package with name=options.task
    model.compile(task.optimizer(options, rows), ...)
    history = task.fit(model, (texts, labels), validation, options)
    outputs.save(model, options)        whole or not at all, to `model.keras`
    return {"accuracy": 0.86, "baseline_accuracy": 0.83}      the last lines that are printed

In `predict`: outputs.saved_model, table_of, task.print_rows.

`parser` takes the columns of the user's files, such as `("text", "text_b", "label")`, and adds an
option for each. A script adds options of its own to what it returns; by `add_at_hand` those that
are for the data at hand, or have another default there. `is_validation` says which rows of a user's
training file are kept for validation. Errors of users' files (ValueError and OSError), and data at
hand that is not installed, end the run with a message: `with task.errors_end_it():`.
"""

import argparse
import contextlib
import pathlib
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from parts import outputs, precision
from parts.defaults import NARROW, RECIPES, Recipe, recipe_of

import keras

from keras_bert_zh import (
    Checkpoint,
    TrainingState,
    adamw,
    load_checkpoint,
    shuffled_batches,
)

DEFAULT = "(default: %(default)s)"
SAVE_MINUTES = 5
LENGTH = 128  # Where no recipe says it.
LEAST = {  # What options that a script may have must be at least.
    "epochs": 1,
    "batch_size": 1,
    "max_length": 3,
    "rows": 32,
    "test_rows": 32,
    "characters": 1,
    "stride": 1,
    "seed": 0,
}


def parser(
    doc: str, task: str, columns: Sequence[str] = ("text", "label")
) -> argparse.ArgumentParser:
    """Returns a parser of the options that all scripts have.

    Args:
        doc: `__doc__` of the script, whose first line is its description.
        task: its name. One that `defaults.RECIPES` has gets the options of a recipe, and --resume.
        columns: what the columns of users' files are called by default. None: no such options.
    """
    made = argparse.ArgumentParser(description=doc.partition("\n")[0])
    made.set_defaults(task=task, at_hand={})
    add = made.add_argument
    data = "(default: the example data)"
    add("--train", type=pathlib.Path, metavar="FILE", help=f"your training data {data}")
    add("--test", type=pathlib.Path, metavar="FILE", help=f"your test data {data}")
    for name in columns:
        flag, meaning = f"--{name.replace('_', '-')}", f"the column of your files for {name}"
        meaning += ": its name, or its number from 0 if there is no header"
        add(flag, type=column, default=name, help=f"{meaning} {DEFAULT}")
    add("--checkpoint", default="small", help=f"weights to start from {DEFAULT}")
    if task in RECIPES:
        _add_recipe(made, *RECIPES[task])
    else:
        add("--max-length", type=int, help=f"the most tokens of a text (default: {LENGTH})")
    precision.add_option(made)
    add("--seed", type=int, default=0, help=f"the random seed {DEFAULT}")
    add("--output", type=pathlib.Path, default=f"out/{task}", help=f"the folder to write {DEFAULT}")
    add(
        "--predict",
        type=pathlib.Path,
        metavar="FILE",
        help="print predictions of the model in --output for this file, as TSV (default: train)",
    )
    return made


def _add_recipe(parser: argparse.ArgumentParser, narrow: Recipe, wide: Recipe) -> None:
    for name, meaning in (
        ("max_length", "the most tokens of a text"),
        ("epochs", "the number of epochs"),
        ("learning_rate", "the highest learning rate"),
        ("batch_size", "rows in a batch"),
    ):
        one, other = getattr(narrow, name), getattr(wide, name)
        chosen = one if one == other else f"{one}; {other} if the hidden size is above {NARROW}"
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(one), help=f"{meaning} (default: {chosen})")
    parser.add_argument(
        "--resume", action="store_true", help="continue a stopped run (default: start again)"
    )


def add_at_hand(
    parser: argparse.ArgumentParser,
    flag: str,
    default: Any,
    meaning: str,
    *,
    there: str = "example data",
    yours: str | None = None,
    **arguments: Any,
) -> None:
    """Adds an option whose default is for the example data.

    Args:
        parser: what `parser` returned.
        flag, default, meaning: as for `add_argument`.
        there: the example data, or how many rows they have.
        yours: what its default, `None`, means with --train. Without it, --train and it do not go
            together.
        arguments: of `add_argument`; without any, it is an int.
    """
    shown = f"{default:,}" if isinstance(default, int) else len(default)
    default_of_yours = f"; {yours} of your own" if yours else ""
    text = f"{meaning} (default: {shown} of the {there}{default_of_yours})"
    added = parser.add_argument(flag, help=text, **(arguments or {"type": int}))
    parser.get_default("at_hand")[added.dest] = (default, yours is not None)


def column(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Returns the options, checked."""
    options = parser.parse_args(arguments)
    options.started = time.perf_counter()
    if (options.train is None) != (options.test is None):
        parser.error("--train and --test must be given together, or not at all")
    for name, (default, goes) in vars(options).pop("at_hand").items():
        if options.train is None and getattr(options, name) is None:
            setattr(options, name, default)
        elif options.train and not goes and getattr(options, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            parser.error(f"{flag} is for the example data, and can't be used with --train")
    for name, least in LEAST.items():
        value = getattr(options, name, None)
        if value is not None and value < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}, got {value}")
    rate = getattr(options, "learning_rate", None)
    if rate is not None and not 0 < rate < float("inf"):
        parser.error(f"--learning-rate must be above 0 and finite, got {rate}")
    if options.output.exists() and not options.output.is_dir():
        parser.error(f"--output must be a folder, and {options.output} is a file")
    return options


@contextlib.contextmanager
def errors_end_it() -> Iterator[None]:
    """Ends the run with the message of an error in a file, or of a package that is not there."""
    try:
        yield
    except (OSError, ValueError, ModuleNotFoundError) as error:
        sys.exit(str(error))


def begin(options: argparse.Namespace, files: Iterable[str] = ()) -> Checkpoint:
    """Checks the output folder, seeds, and fills in what the recipe has of the options.

    Args:
        options: what `parse` returned.
        files: names of further files that the script writes into the output folder.
    """
    with errors_end_it():
        checkpoint = load_checkpoint(options.checkpoint)
    positions, recipe = checkpoint.config.max_position_embeddings, {"max_length": LENGTH}
    if options.task in RECIPES:
        recipe = recipe_of(options.task, checkpoint.config.hidden_size)._asdict()
    for name, value in recipe.items():
        if getattr(options, name) is None:
            setattr(options, name, min(value, positions) if name == "max_length" else value)
    if options.max_length > positions:
        sys.exit(f"--max-length must be at most {positions}, got {options.max_length}")
    outputs.check(options, files)
    keras.utils.set_random_seed(options.seed)
    if options.task in RECIPES:
        outputs.remember(options)
        print(
            f"Fine-tuning {options.checkpoint}: epochs {options.epochs}, batch size "
            f"{options.batch_size}, learning rate {options.learning_rate:g}."
        )
    return checkpoint


def dtype(options: argparse.Namespace) -> str:
    return "mixed_bfloat16" if options.mixed_precision else "float32"


def is_validation(text: str) -> bool:
    """Tells whether a row to learn from is for validation: one in ten, by its text."""
    return zlib.crc32(text.encode()) % 10 == 0


def optimizer(options: argparse.Namespace, rows: int, **arguments: Any) -> keras.Optimizer:
    """Returns the optimiser for so many rows to learn from."""
    return adamw(options.learning_rate, options.epochs * _batches(options, rows), **arguments)


def fit(
    model: keras.Model, data: tuple, validation: Any, options: argparse.Namespace
) -> dict[str, list[float]]:
    """Trains a compiled model, from where a run stopped with `--resume`.

    Args:
        model: the model.
        data: a tuple `(inputs, labels)` or `(inputs, labels, weights)`.
        validation: what `fit` takes as `validation_data`, or `None`.
        options: what `parse` returned.

    Returns:
        What each epoch of this run measured, by its name.
    """
    rows = len(keras.tree.flatten(data[-1])[0])
    an_epoch = _batches(options, rows)
    state = TrainingState(options.output / outputs.STATE, SAVE_MINUTES)
    step = state.restore(model) if options.resume else 0
    if step:
        print(f"Going on after {step:,} batches.")
    history: dict[str, list[float]] = {}
    while step < options.epochs * an_epoch:
        # An epoch that was begun ends as it would have; the others are one call.
        epoch, done = divmod(step, an_epoch)
        until = epoch + 1 if done else options.epochs
        batches = shuffled_batches(data, options.batch_size, seed=options.seed, start=step)
        measured = model.fit(
            batches.prefetch(2),
            steps_per_epoch=an_epoch - done,
            initial_epoch=epoch,
            epochs=until,
            validation_data=validation,
            callbacks=[state],
            shuffle=False,  # They are shuffled already.
            verbose=1
            if sys.stdout.isatty()
            else 2,  # a bar on a terminal, a line an epoch in a log
        ).history
        for name, values in measured.items():
            history.setdefault(name, []).extend(values)
        step = until * an_epoch
    return history


def print_rows(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints TSV. In a cell, tabs and line breaks become spaces."""
    for row in (header, *rows):
        print("\t".join(" ".join(str(cell).split()) for cell in row))


def run(
    options: argparse.Namespace,
    train: Callable[[argparse.Namespace], Mapping[str, float]],
    predict: Callable[[argparse.Namespace], None],
) -> None:
    """Answers the file of `--predict`; without one, trains a model and prints its scores."""
    if options.predict:
        predict(options)
    else:
        finish(options, train(options))


def finish(options: argparse.Namespace, scores: Mapping[str, float]) -> None:
    """Prints the time, and as the last lines the scores on the test set."""
    print(f"Wrote {options.output}. {time.perf_counter() - options.started:.0f} s in all.")
    for name, score in scores.items():
        print(f"{name} {score:.4f}")


def _batches(options: argparse.Namespace, rows: int) -> int:
    return -(-rows // options.batch_size)
