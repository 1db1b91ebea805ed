"""The optimiser that BERT is trained with."""

from collections.abc import Mapping
from typing import Any

import keras
from keras.optimizers.schedules import CosineDecay, LearningRateSchedule

from keras_bert_zh.arguments import check_int, check_number, check_share
from keras_bert_zh.training.layerwise import LayerwiseAdamW


@keras.saving.register_keras_serializable("keras_bert_zh")
class PerUpdate(LearningRateSchedule):
    """A schedule that counts updates; Keras's optimisers count the batches that they accumulate.

    Args:
        schedule: LearningRateSchedule, a function of the number of updates.
        batches: int, from how many batches an update is made.
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
    """Returns AdamW that warms up, then decays to nothing, with no weight decay for biases.

    The learning rate rises in a straight line to `learning_rate`, and falls along half a cosine to
    0 at `steps`; the original falls in a straight line. Biases and the scales and offsets of
    normalisations are left out of weight decay, told by their names: `bias`, `gamma`, `beta`, or
    something that ends in `_bias` and so on. All of it is saved with a compiled model.

    Args:
        learning_rate: float, the highest one; or a `LearningRateSchedule` of your own, which is
            called with the number of updates and takes no `steps` and no `warmup`.
        steps: int, the number of steps, that is of batches, in all epochs together.
        warmup: float in [0, 1], the share of the steps in which the learning rate rises, from 0
            at the first one, rounded down to whole steps; 0 for none. `None` stands for 0.1.
        weight_decay: float.
        clipnorm: float, the largest norm that the gradient of a variable may have; `None` for any.
            The original limits that of all gradients together: `clipnorm=None,
            global_clipnorm=1.0`.
        gradient_accumulation_steps: int, from how many batches the mean of the gradients is taken
            for one update, which saves memory: 4 batches of 8 are one of 32, if the loss is a mean
            over texts. `None` updates after every batch. `steps` counts batches all the same.
        layer_decay: float in (0, 1], by what the learning rate is multiplied from each layer to the
            one below. Heads and the pooler learn at the full rate, block i of L, counted from 0, at
            `layer_decay ** (L - i)` of it, and the embeddings at `layer_decay ** (L + 1)`.
        rates: dict of str to float, factors of the learning rate for parts of the model, named as
            in the paths of their variables: `{"crf": 10.0, "block_5/attention": 0.5}`. They are
            multiplied with each other and with that of `layer_decay`, and weight decay with them.
        **options: further arguments of `keras.optimizers.AdamW`, such as `beta_2` and `epsilon`.

    Returns:
        `keras.optimizers.AdamW`, which has no variables yet.

    Raises:
        ValueError: if `steps` is no positive int, `warmup` not in [0, 1], another number negative
            or none, `layer_decay` not in (0, 1], or `gradient_accumulation_steps` is less than 2
            or more than `steps`; for `steps` or `warmup` beside a schedule; and, when training
            begins, for a `layer_decay` without an encoder or a name in `rates` that fits nothing.

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
        where the heads are one more step above the last block.
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
