"""The optimiser for training BERT."""

from collections.abc import Mapping
from typing import Any

import keras
from keras.optimizers.schedules import CosineDecay, LearningRateSchedule

from keras_bert_zh.arguments import check_int, check_number, check_share
from keras_bert_zh.training.layerwise import LayerwiseAdamW


@keras.saving.register_keras_serializable("keras_bert_zh")
class PerUpdate(LearningRateSchedule):
    """A schedule that counts updates, while Keras's optimisers count accumulated batches.

    Args:
        schedule: LearningRateSchedule, a function of the number of updates.
        batches: int, the number of batches per update.
    """

    def __init__(self, schedule: LearningRateSchedule, batches: int):
        self.schedule = schedule
        self.batches = batches

    def __call__(self, step):
        return self.schedule(keras.ops.floor_divide(step, self.batches))

    def get_config(self):
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "batches": self.batches,
        }

    @classmethod
    def from_config(cls, config):
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["batches"])


def adamw(
    learning_rate: float | LearningRateSchedule,
    steps: int | None = None,
    *,
    warmup: float | None = None,
    weight_decay: float = 0.01,
    clipnorm: float | None = 1.0,
    gradient_accumulation_steps: int | None = None,
    layer_decay: float = 1.0,
    rates: Mapping[str, float] | None = None,
    **options: Any,
) -> keras.optimizers.AdamW:
    """Returns AdamW with warm-up, cosine decay to 0, and no weight decay for biases.

    The learning rate rises linearly to `learning_rate`, and falls along half a cosine to 0 at
    `steps`; in the original it falls linearly. Biases and the scales and offsets of normalisation
    layers have no weight decay. They are recognised by their names: `bias`, `gamma`, `beta`, or
    names that end in `_bias` and so on. All of this is saved with a compiled model.

    Args:
        learning_rate: float, the highest learning rate; or your own `LearningRateSchedule`, which
            is called with the number of updates and needs neither `steps` nor `warmup`.
        steps: int, the number of steps (batches) in all epochs together.
        warmup: float in [0, 1], the share of the steps in which the learning rate rises from 0,
            rounded down to whole steps; 0 for no warm-up. `None`: 0.1.
        weight_decay: float.
        clipnorm: float, the largest norm that the gradient of a variable may have; `None` for no
            limit. The original limits the norm of all gradients together: `clipnorm=None,
            global_clipnorm=1.0`.
        gradient_accumulation_steps: int, the number of batches whose mean gradient makes one
            update. This saves memory: 4 batches of 8 are equal to one of 32, if the loss is a mean
            over texts. `None` updates after every batch. `steps` still counts batches.
        layer_decay: float in (0, 1], the factor of the learning rate from each layer to the one
            below. Heads and the pooler have the full learning rate, block i of L, counted from 0,
            has `layer_decay ** (L - i)` of it, and the embeddings have `layer_decay ** (L + 1)`.
        rates: dict of str to float, factors of the learning rate for parts of the model, named as
            in the paths of their variables: `{"crf": 10.0, "block_5/attention": 0.5}`. All factors
            of a variable are multiplied, with that of `layer_decay` too, and also apply to weight
            decay.
        **options: further arguments of `keras.optimizers.AdamW`, such as `beta_2` and `epsilon`.

    Returns:
        `keras.optimizers.AdamW` without variables.

    Raises:
        ValueError: if `steps` is not a positive int, `warmup` is not in [0, 1], another number is
            negative or not a number, `layer_decay` is not in (0, 1], `gradient_accumulation_steps`
            is less than 2 or more than `steps`, or `steps` or `warmup` is given with a schedule.
            When training begins, if `layer_decay` finds no encoder, or a name in `rates` matches
            no variable.

    Example:

    >>> from keras_bert_zh import adamw
    >>> optimizer = adamw(1e-3, steps=1000)
    >>> for step in (0, 50, 100, 550, 1000):
    ...     _ = optimizer.iterations.assign(step)
    ...     print(f"{float(optimizer.learning_rate):.5f}")
    0.00000
    0.00050
    0.00100
    0.00050
    0.00000

    Reference:
        Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017
        (https://arxiv.org/abs/1711.05101); `create_optimizer` in google-research/bert
        `optimization.py`. For `layer_decay` Howard and Ruder, ULMFiT, 2018
        (https://arxiv.org/abs/1801.06146), and google-research/electra `model/optimization.py`,
        where there is one more step from the last block to the heads.
    """
    batches = _check_accumulation(gradient_accumulation_steps)
    if isinstance(learning_rate, LearningRateSchedule):
        _check_none_beside_a_schedule(steps=steps, warmup=warmup)
        schedule = learning_rate
    else:
        schedule = _warm_up_and_decay(learning_rate, steps, warmup, batches)
    return LayerwiseAdamW(
        PerUpdate(schedule, batches) if batches > 1 else schedule,
        weight_decay=check_number("weight_decay", weight_decay, 0),
        clipnorm=None if clipnorm is None else check_number("clipnorm", clipnorm, 0),
        gradient_accumulation_steps=None if batches == 1 else batches,
        layer_decay=check_share("layer_decay", layer_decay, above_zero=True),
        rates={k: check_number(f"rates[{k!r}]", rate, 0) for k, rate in (rates or {}).items()},
        **options,
    )


def _warm_up_and_decay(
    highest: float, steps: int | None, warmup: float | None, batches: int
) -> CosineDecay:
    """Returns the schedule of updates, each made from so many batches."""
    steps = check_int("steps", steps, 1)
    share = 0.1 if warmup is None else check_share("warmup", warmup)
    highest = check_number("learning_rate", highest, 0)
    if batches > steps:
        raise ValueError(
            f"gradient_accumulation_steps must be at most steps={steps}, since otherwise no update "
            f"is made, got {batches}."
        )
    updates = steps // batches
    rising = int(share * updates)
    falling = max(updates - rising, 1)
    if rising:
        return CosineDecay(0.0, falling, warmup_target=highest, warmup_steps=rising)
    return CosineDecay(highest, falling)


def _check_none_beside_a_schedule(**given: float | None) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"{name} must be left out if learning_rate is a schedule, got {value!r}."
            )


def _check_accumulation(batches: int | None) -> int:
    """Returns how many batches there are to an update."""
    return 1 if batches is None else check_int("gradient_accumulation_steps", batches, 2)
