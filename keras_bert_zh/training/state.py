"""TrainingState: everything a run needs to continue where it stopped."""

import os
import pathlib
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_bert_zh.arguments import check_number, check_path_to_write
from keras_bert_zh.files.new_file import new_file
from keras_bert_zh.training.hosts import check_same, check_whole, is_first, together

# What stands in the file beside the variables: how many batches they were trained on.
_BATCHES = "batches"


class TrainingState(keras.callbacks.Callback):
    """Saves the whole state of a training run every few minutes, and restores it exactly.

    One file has the weights, the optimiser's moments and count of updates, the states of random
    seeds and the number of batches. It is always complete: it is written under another name and
    then renamed. A run that was killed continues as if it had never stopped, if its data depends
    only on the number of the batch, such as the batches of `PackedText` and the masks of
    `MaskTokens`:

        step = state.restore(model)
        if step < steps:  # For fit, 0 steps would mean no limit.
            batches = packed.batches(32, start=step).map(mask)
            model.fit(batches, steps_per_epoch=steps - step, callbacks=[state])

    Every batch counts, also if gradient accumulation or a LossScaleOptimizer does not change the
    weights after it. One object counts the batches of one run, over all calls of `fit`, from the
    number that `restore` returned, or from 0. In your own training loop, call `set_model` and
    `on_train_begin`, then `on_train_batch_end` after each batch, and `on_train_end`.

    If several hosts train together with `keras.distribution` on JAX, the first host writes the
    file and all hosts read it, so it must be on a shared disk. If one host fails, all hosts stop.

    With several threads, the rounding of sums depends on the order of the threads. The resumed run
    is equal bit for bit if two uninterrupted runs would be, for example after
    `tf.config.experimental.enable_op_determinism()`.

    Args:
        file: path of the file; its folder is created if it does not exist. An existing file is
            only replaced if it is a state of the same model.
        minutes: float, the minutes from one save to the next; 0 saves after every batch. The state
            is also saved at the end of `fit`.

    Raises:
        ValueError: if `minutes` is negative or not a number, or `file` is a URL. In `fit`, if the
            file is not a state of this model, a weight is split over several hosts, or weights are
            not finite when they are saved; or if `steps_per_execution` is N and the number of
            batches in an epoch is unknown or not a multiple of N, since Keras does not report the
            number of the last batches.
        IsADirectoryError: in `fit`, if `file` is a folder.
        TypeError: if `file` is not a path.

    Example:

    >>> import keras, numpy as np, tempfile
    >>> from keras_bert_zh import TrainingState
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> with tempfile.TemporaryDirectory() as place:
    ...     state = TrainingState(f"{place}/state.safetensors", minutes=10)
    ...     before = state.restore(model)
    ...     data = np.ones((8, 3)), np.ones(8)
    ...     _ = model.fit(*data, batch_size=2, verbose=0, callbacks=[state])
    ...     before, state.restore(model)
    (0, 4)

    Reference:
        `keras.callbacks.BackupAndRestore`, which continues from the beginning of an epoch.
    """

    def __init__(self, file: str | os.PathLike, minutes: float = 10):
        super().__init__()
        self.file = check_path_to_write("file", file)
        self.minutes = check_number("minutes", minutes, 0)
        self._saved_at = 0.0
        self._batches = 0
        self._batches_a_call = 1

    def restore(self, model: keras.Model) -> int:
        """Restores the saved state of a compiled model; if there is no file, does nothing.

        Args:
            model: keras.Model, made and compiled in the same way as the saved one.

        Returns:
            The number of batches that it was trained on; 0 if there is no file.

        Raises:
            ValueError: if the model is not compiled or built, the file is damaged or belongs to
                another model or optimiser, or hosts have read different files. The model is not
                changed then.
            RuntimeError: if another host could not read the file.
        """
        variables = _variables(model)
        arrays: dict[str, np.ndarray] = {}
        with together(f"Reading {self.file}"):
            if self.file.exists():
                _check_fits(self.file, variables)
                arrays = _read(self.file)
        batches = int(arrays.pop(_BATCHES, 0))
        check_same(batches, self.file)
        for name, array in arrays.items():
            variables[name].assign(array)
        self._batches = batches
        return batches

    def save(self) -> None:
        """Saves the state of the model that is being trained; only the first host writes.

        Raises:
            ValueError: if a trained weight, or its state in the optimiser, is not finite because
                the training diverged; or if the file is not the state of this model.
            OSError: if the file can't be written. In all cases the existing file is not changed.
        """
        if not is_first():
            return
        model = self.model  # Under JAX, asking for it fetches what was trained.
        variables = _variables(model)
        if self.file.exists():
            _check_fits(self.file, variables)
        # Contiguous, because save_file writes views as they lie in memory.
        arrays = {
            name: np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).reshape(variable.shape)
            for name, variable in variables.items()
        }
        learned = set(map(id, (*model.trainable_variables, *model.optimizer.variables)))
        for name, variable in variables.items():
            if id(variable) in learned and not np.isfinite(arrays[name]).all():
                raise ValueError(
                    f"{variable.path} has values that are not finite after {self._batches} "
                    f"batches: the training diverged. {self.file} was left unchanged; continue "
                    "from there or start again, with a lower learning rate."
                )
        arrays[_BATCHES] = np.array(self._batches, np.int64)
        _write(self.file, arrays, lambda file: _check_fits(file, variables))
        self._saved_at = time.monotonic()

    def on_train_begin(self, logs: Any = None) -> None:
        together = self.model.steps_per_execution
        steps = (self.params or {}).get("steps")
        if together > 1 and (steps is None or steps % together):
            raise ValueError(
                f"With steps_per_execution={together}, batches can only be counted if an epoch has "
                f"a multiple of {together}, got {steps or 'an unknown number'}. Pass such a number "
                "as steps_per_epoch, or compile with steps_per_execution=1."
            )
        self._batches_a_call = together
        # Now, and not when the first minutes of training would be lost with it.
        check_whole(self.model.variables)
        if self.file.exists():
            _check_fits(self.file, _variables(self.model) if self.model.built else None)
        self._saved_at = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._batches += self._batches_a_call
        if time.monotonic() - self._saved_at >= 60 * self.minutes:
            self.save()

    def on_train_end(self, logs: Any = None) -> None:
        # Also what was saved after the last batch: with `use_ema`, Keras has changed the weights.
        with together(f"Saving {self.file}"):
            self.save()


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Returns the variables by their places: names count the models that were made before."""
    if not model.built or getattr(model, "optimizer", None) is None:
        raise ValueError(
            f"{model.name} has no state yet: compile it, and call it once if it has no weights."
        )
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    groups = {"model": model.variables, "optimizer": model.optimizer.variables}
    return {
        f"{group}/{index}": variable
        for group, variables in groups.items()
        for index, variable in enumerate(variables)
    }


def _check_fits(file: pathlib.Path, variables: dict[str, keras.Variable] | None) -> None:
    """Raises ValueError if the file is not the state of a model with these variables.

    Args:
        file: the file.
        variables: what it should hold; `None` if the model does not have them yet.
    """
    if file.is_dir():
        raise IsADirectoryError(
            f"{file} is a folder, but a file is written there: choose another path."
        )
    shapes = _shapes(file)
    problems = [] if variables is None else _differences(variables, shapes)
    if problems:
        what = "another model"
        if all(": optimizer/" in problem for problem in problems):
            what = "another optimiser, or of an optimiser that trained other layers"
        raise ValueError(
            f"{file} is the state of {what}. {len(problems)} differences:\n"
            "  " + "\n  ".join(problems) + "\nMake and compile the model as before, or use "
            "another file to start again."
        )


def _differences(
    variables: dict[str, keras.Variable], found: dict[str, tuple[int, ...]]
) -> list[str]:
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    shapes[_BATCHES] = ()
    missing = [f"missing: {name}" for name in shapes if name not in found]
    unexpected = [f"unexpected: {name}" for name in found if name not in shapes]
    misshapen = [
        f"misshapen: {name} is {list(found[name])}, expected {list(shape)}"
        for name, shape in shapes.items()
        if name in found and shape != found[name]
    ]
    return missing + unexpected + misshapen


def _shapes(file: pathlib.Path) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the arrays in the file, which must be one that `save` has written."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy") as opened:
            names = opened.keys()
            shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in names}
        if _BATCHES not in shapes:
            raise ValueError(f"it does not contain the number of {_BATCHES}")
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(
            f"{file} is not the state of a training run, or is damaged: {error}. Use another file "
            "to start again."
        ) from error
    return shapes


def _read(file: pathlib.Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(file)


def _write(
    file: pathlib.Path, arrays: dict[str, np.ndarray], check: Callable[[pathlib.Path], None]
) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        with new_file(file, replaces=check) as new:
            save_file(arrays, new)
    except SafetensorError as error:
        raise OSError(f"{file} can't be written: {error}") from error
