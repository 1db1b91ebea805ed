"""The encoder compiled for GPUs and TPUs without having one, and its operations counted.

    KERAS_BACKEND=jax python -m benchmarks.lowering [--write] [--small]

`jax.export` lowers the forward pass and the training step for CUDA and TPU, and XLA counts the
operations. For Transformers, PyTorch counts the operations in the matrix products of its BertModel.
`make bench-peers` installs it; without it the column is empty. `--write` saves the tables in
`benchmarks/RESULTS.md`; `--small` uses a tiny encoder.
"""

import argparse
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.export
import keras
import numpy as np

from benchmarks.report import circumstances, installed, table, write_section
from benchmarks.workloads import REVIEWS, SIZES, draw_reviews, make_case
from keras_bert_zh import BertConfig, BertEncoder, BertPreprocess
from keras_bert_zh.data.packed_batches import fill_rows

PLATFORMS = ("cuda", "tpu")
DTYPES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
PACKAGES = ("jax", "keras", "torch", "transformers", "numpy")
LENGTH = 128
# Enough for rows of texts to be as full as in training.
MANY_REVIEWS = 1024


class Lowered(NamedTuple):
    """What became of a function.

    Attributes:
        kilobytes: of the serialised StableHLO, by platform.
        operations: floating-point operations.
    """

    kilobytes: dict[str, float]
    operations: float


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    config = BertConfig(**SIZES[options.size])
    parts = [
        """\
`KERAS_BACKEND=jax python -m benchmarks.lowering`: kilobytes of StableHLO for each platform, without
one at hand, and floating-point operations as XLA counts them before it optimises.""",
        circumstances(installed(PACKAGES)),
        show_lowered(config),
        show_packed(config),
    ]
    report = "\n\n".join(parts)
    print(report)
    if options.write:
        write_section("Lowering", report)


def forward(encoder: BertEncoder) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Returns the forward pass, and what it takes before the inputs."""

    def encode(trained: list[Any], fixed: list[Any], inputs: dict[str, Any]) -> Any:
        return encoder.stateless_call(trained, fixed, inputs)[0]

    return encode, (
        [variable.value for variable in encoder.trainable_variables],
        [variable.value for variable in encoder.non_trainable_variables],
    )


def training_step(encoder: BertEncoder) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Returns a step: forward, loss, backward, AdamW; and what it takes before the inputs."""
    trainable = encoder.trainable_variables
    optimizer = keras.optimizers.AdamW(1e-5)
    optimizer.build(trainable)

    def loss(trained: list[Any], fixed: list[Any], inputs: dict[str, Any]) -> tuple[Any, Any]:
        outputs, fixed = encoder.stateless_call(trained, fixed, inputs, training=True)
        return keras.ops.mean(keras.ops.square(keras.ops.cast(outputs, "float32"))), fixed

    def step(
        moments: list[Any], trained: list[Any], fixed: list[Any], inputs: dict[str, Any]
    ) -> Any:
        (value, fixed), gradients = jax.value_and_grad(loss, has_aux=True)(trained, fixed, inputs)
        return value, fixed, optimizer.stateless_apply(moments, gradients, trained)

    moments = [variable.value for variable in optimizer.variables]
    return step, (moments, *forward(encoder)[1])


def lower(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Lowered:
    """Returns what becomes of a function on each platform."""
    jitted = jax.jit(function)
    kilobytes = {}
    for platform in PLATFORMS:
        exported = jax.export.export(jitted, platforms=(platform,))(*arguments)
        kilobytes[platform] = len(exported.mlir_module_serialized) / 1000
    return Lowered(kilobytes, operations(jitted, arguments))


def operations(function: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    """Returns the floating-point operations of a call."""
    return jax.jit(function).lower(*arguments).cost_analysis()["flops"]


def packed(lengths: np.ndarray) -> tuple[dict[str, Any], float]:
    """Returns inputs of as many rows as 32 such texts take, and how many texts a row has."""
    places, numbers, _ = fill_rows(lengths, LENGTH, LENGTH // 16)
    texts = len(lengths) / len(places)
    return rows_of(round(REVIEWS / texts), numbers.shape[1]), texts


def rows_of(rows: int, texts_per_row: int | None = None) -> dict[str, Any]:
    """Returns the shapes of inputs; with `texts_per_row`, of rows of several texts."""
    ids = jax.ShapeDtypeStruct((rows, LENGTH), np.int32)
    inputs = dict.fromkeys(("input_ids", "input_mask", "segment_ids"), ids)
    if texts_per_row:
        inputs["text_starts"] = jax.ShapeDtypeStruct((rows, texts_per_row), np.int32)
    return inputs


def show_lowered(config: BertConfig) -> str:
    """Returns a table: what is computed of 32 rows of 128."""
    rows = []
    for dtype, policy in DTYPES.items():
        for key in ("pooled_output", "sequence_output"):
            encoder = BertEncoder(None, config=config, dtype=policy, output_key=key)
            for make, name in ((forward, "forward"), (training_step, "training step")):
                function, state = make(encoder)
                found = lower(function, (*state, rows_of(REVIEWS)))
                theirs = of_transformers(config, trains=make is training_step)
                rows.append(
                    (
                        f"{name}, {key}, {dtype}",
                        *(f"{found.kilobytes[platform]:,.0f}" for platform in PLATFORMS),
                        f"{found.operations / 1e9:,.1f}",
                        f"{found.operations / theirs:.2f}" if theirs else "",
                    )
                )
    header = ("32x128", *(f"{name}, KB" for name in PLATFORMS), "GFLOP", "Transformers is 1")
    return f"Each with padding.\n\n{table(header, rows)}"


def show_packed(config: BertConfig) -> str:
    """Returns a table: operations for a text in a row of its own, and in a row of several."""
    texts = draw_reviews(MANY_REVIEWS)
    preprocess = BertPreprocess(None, max_length=LENGTH, warn_of_cuts=False)
    reviews = np.asarray(preprocess(texts)["input_mask"])
    measured = {
        f"{MANY_REVIEWS:,} reviews": reviews.sum(1),
        f"{REVIEWS}x{LENGTH} real": np.tile(make_case(f"{REVIEWS}x{LENGTH} real").lengths, 8),
    }
    encoder = BertEncoder(None, config=config)
    rows = []
    for name, lengths in measured.items():
        for make, what in ((forward, "forward"), (training_step, "training step")):
            function, state = make(encoder)
            inputs, texts = packed(lengths)
            count = inputs["input_ids"].shape[0]
            alone = operations(function, (*state, rows_of(REVIEWS))) / REVIEWS
            together = operations(function, (*state, inputs)) / (count * texts)
            rows.append(
                (
                    f"{name}, {what}",
                    f"{lengths.mean():.1f}",
                    f"{lengths.mean() * texts / LENGTH:.1%}",
                    f"{texts:.2f}",
                    f"{alone / 1e9:.2f}",
                    f"{together / 1e9:.2f}",
                    f"{alone / together:.2f}",
                )
            )
    header = ("", "tokens", "fill", "texts of a row", "padded, GFLOP", "packed, GFLOP", "fewer")
    return f"For each text of at most {LENGTH} tokens, by `batch_packed`.\n\n{table(header, rows)}"


@functools.cache
def of_transformers(config: BertConfig, *, trains: bool) -> float | None:
    """Returns the operations in the matrix products of Transformers' BertModel, if it is there."""
    try:
        import torch
        import transformers
    except ModuleNotFoundError:
        return None
    from torch.utils.flop_counter import FlopCounterMode

    sizes = config.to_dict() | {"hidden_act": "gelu", "attn_implementation": "eager"}
    theirs = transformers.BertConfig(**sizes)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model = transformers.BertModel(theirs)
        ids = torch.ones((REVIEWS, LENGTH), dtype=torch.int64)
        outputs = model(input_ids=ids)
        if trains:
            outputs.pooler_output.square().mean().backward()
    return counter.get_total_flops()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--write", action="store_true", help="save the tables in RESULTS.md")
    add("--small", dest="size", action="store_const", const="small", default="base")
    options = parser.parse_args(arguments)
    if options.write and options.size != "base":
        parser.error("--small and --write exclude each other")
    return options


if __name__ == "__main__":
    main()
