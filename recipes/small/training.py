"""Trains the student: steps, log and saved state."""

import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert_zh import BertPreprocess, MaskedLM, MaskTokens, TrainingState, adamw
from keras_bert_zh.files.new_file import new_file
from recipes.small.corpus import Corpus
from recipes.small.held_out import HeldOut
from recipes.small.losses import Losses, Scales, losses
from recipes.small.rows import mask_some, rows
from recipes.small.teacher import INPUTS, Lesson, Teacher

# Batches that are not trained on stand far behind those that are.
BATCHES_MEASURED, FIRST_MEASURED = 8, 10**9
# The share of the rows that are masked. The others teach what the teacher makes of a text as it is.
MASKED_ROWS = 0.4
# How often held-out text is looked at, in steps, and how much of it, in rows of 126.
MEASURED_EVERY, MEASURED_ROWS = 500, 256


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate: a linear rise, a constant part, and a linear fall.

    Args:
        steps: int, the number of all steps.
        highest: float.
        warmup: int, the number of steps in which it rises.
        decay: float, the share of steps at the end in which it falls.
    """

    def __init__(self, steps: int, highest: float = 8e-4, warmup: int = 300, decay: float = 0.6):
        self.steps, self.highest, self.warmup, self.decay = steps, highest, warmup, decay

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        rising = keras.ops.minimum(1.0, (step + 1) / self.warmup)
        falling = (self.steps - step) / (self.decay * self.steps)
        return self.highest * keras.ops.minimum(rising, keras.ops.maximum(falling, 0.02))


class Training:
    """A training run, which can be continued; steps that were not saved are repeated.

    Args:
        student: MaskedLM.
        teacher: Teacher.
        corpus: Corpus.
        preprocess: BertPreprocess.
        folder: the folder of `state.safetensors`, `scales.npz` and `log.jsonl`.
        schedule: Schedule.
        tokens: int, the approximate number of tokens in a batch.
        minutes: float, the time between two saved states in minutes.

    Attributes:
        step: int, the number of steps that the student was trained for.
    """

    def __init__(
        self,
        student: MaskedLM,
        teacher: Teacher,
        corpus: Corpus,
        preprocess: BertPreprocess,
        folder: pathlib.Path,
        *,
        schedule: Schedule,
        tokens: int = 2048,
        minutes: float = 10,
    ):
        folder.mkdir(parents=True, exist_ok=True)
        self._student, self._teacher, self._corpus = student, teacher, corpus
        self._steps, self._tokens = schedule.steps, tokens
        self._special_ids = preprocess.special_ids
        self._mask = MaskTokens(preprocess, rate=0.2, max_predictions=26)
        self._held_out = HeldOut(corpus, preprocess, MEASURED_ROWS)
        student.encoder.train_pooler()  # Which a MaskedLM leaves out.
        parts = (student.encoder, student.masked_lm)
        self._variables = [variable for part in parts for variable in part.trainable_variables]
        self._optimizer = adamw(
            schedule, beta_2=0.98, epsilon=1e-6, clipnorm=None, global_clipnorm=1.0
        )
        self._optimizer.build(self._variables)
        student.compile(self._optimizer)
        self._scales = self._measure_scales(folder / "scales.npz")
        signature = _signature(student.encoder.config.hidden_size)
        self._train = tf.function(self._update, signature, autograph=False)
        self._state = TrainingState(folder / "state.safetensors", minutes)
        self._state.set_model(student)
        self.step = self._state.restore(student)
        self._log = folder / "log.jsonl"

    def run(self, every: int = 50) -> Iterator[dict[str, Any]]:
        """Trains to the end, and yields a record every 50 steps.

        A record contains the step, the seconds and the means of the losses; every 500 steps and at
        the end also the accuracy on held-out text, and whether it is the best so far.
        """
        recent, begun = [], time.monotonic()
        self._state.on_train_begin()
        while self.step < self._steps:
            recent.append(self._one_step())
            self.step += 1
            self._state.on_train_batch_end(self.step)
            is_last = self.step == self._steps
            if self.step % every == 0 or is_last:
                means = np.mean([[float(value) for value in values] for values in recent], axis=0)
                record = {"step": self.step, "seconds": round(time.monotonic() - begun, 1)}
                record |= dict(zip(Losses._fields, means.round(4).tolist(), strict=True))
                if self.step % MEASURED_EVERY == 0 or is_last:
                    record |= self._measure_held_out()
                with self._log.open("a") as log:
                    log.write(json.dumps(record) + "\n")
                recent = []
                yield record
        self._state.on_train_end()

    def _measure_held_out(self) -> dict[str, Any]:
        accuracy = round(self._held_out.masked_accuracy(self._student), 4)
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        before = [json.loads(line).get("held_out_accuracy", 0) for line in lines]
        return {"held_out_accuracy": accuracy, "is_best": accuracy >= max(before, default=0)}

    def _one_step(self) -> Losses:
        inputs, lesson = self._batch(self.step)
        example = mask_some(self._mask, inputs, self.step, MASKED_ROWS)
        return self._train(example, lesson)

    def _update(self, example: tuple, lesson: Lesson) -> Losses:
        with tf.GradientTape() as tape:
            result = losses(self._student, example, lesson, self._scales)
            total = result.total()
        gradients = tape.gradient(total, self._variables)
        self._optimizer.apply_gradients(zip(gradients, self._variables, strict=True))
        return result

    def _batch(self, number: int) -> tuple[dict[str, np.ndarray], Lesson]:
        spans = self._corpus.spans(number, self._tokens)
        inputs = rows(spans, self._special_ids)
        return inputs, self._teacher.teach(spans, inputs["input_ids"].shape[1])

    def _measure_scales(self, file: pathlib.Path) -> Scales:
        """Returns the scales, measured once, and read when a run goes on."""
        if not file.exists():
            numbers = range(FIRST_MEASURED, FIRST_MEASURED + BATCHES_MEASURED)
            scales = Scales.measure([self._batch(number)[1] for number in numbers])
            with new_file(file) as new:
                np.savez(new, **scales._asdict())
        with np.load(file) as arrays:
            return Scales(**arrays)


def _signature(width: int) -> list[tuple]:
    """Returns what `MaskTokens` and the teacher return, for batches of any shape."""
    ints, floats = (tf.TensorSpec((None, None), dtype) for dtype in (tf.int32, tf.float32))
    inputs = INPUTS | {"mlm_positions": ints}
    vectors, hidden = tf.TensorSpec((None, width)), tf.TensorSpec((None, None, width))
    return [(inputs, ints, floats), Lesson(vectors, hidden, floats)]
